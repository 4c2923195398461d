"""Pictures of a JPEG, PNG, GIF or WebP file: frames of an animation, or views of a camera with two lenses."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import imagecodecs
import numpy as np

from cfu_core.imaging.file_formats import jpeg_pictures, read_jpeg
from cfu_core.imaging.gif_files import gif_frame_count
from cfu_core.imaging.headers import read_header
from cfu_core.imaging.jpeg_decoding import decode_jpeg
from cfu_core.imaging.planes import picture_in_words
from cfu_core.imaging.png_decoding import decode_png, draw_frames, png_frame_count, png_frames
from cfu_core.imaging.webp_files import webp_frame_count


@dataclass(frozen=True, eq=False)
class Frames:
    """The pictures of a file in one of the formats JPEG, PNG, GIF and WebP that have the size of its main picture.

    Attributes
    ----------
    data : bytes
        The file.
    format : str
        ``JPEG``, ``PNG``, ``GIF`` or ``WebP``.
    count : int
        Number of pictures, including `missing` ones.
    axes : tuple of str
        ``frame`` or ``view``; empty for one picture.
    main : int or None
        The picture that other programs show, if the format defines one: the main picture of a camera's file, the first
        frame of a PNG.
    others : int
        Number of pictures of other sizes in the file, such as a preview.
    missing : sequence of int
        The pictures that the file describes but does not contain.
    """

    data: bytes
    format: str
    count: int = 1
    axes: tuple[str, ...] = ()
    main: int | None = None
    others: int = 0
    missing: Sequence[int] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pictures along each of `axes`; empty for one picture."""
        return (self.count,) if self.axes else ()

    def read(self, plane: int) -> np.ndarray:
        """Decode one picture.

        Parameters
        ----------
        plane : int
            0 to `count` - 1.

        Returns
        -------
        ndarray of uint8 or uint16, shape (H, W, C)
            Grey, grey and alpha, RGB, or RGB and alpha.

        Raises
        ------
        ValueError
            There is no such picture, or its content is damaged; the message is a clause.
        """
        if not 0 <= plane < self.count:
            raise ValueError(f"it has {self.count} pictures, and {picture_in_words(plane)} was chosen")
        if plane in self.missing:
            raise ValueError(f"picture {plane + 1} of {self.count} is not in this file")
        if self.format == "JPEG":
            starts = [start for start, _ in _views(self.data)[0]] or [0]
            return decode_jpeg(self.data[starts[plane] :])
        if self.format == "PNG":
            return next(self._png(plane))
        pictures = self._animation(plane)
        if len(pictures) <= plane:
            raise ValueError("its content is damaged")
        return pictures[plane]

    def read_each(self, planes: Sequence[int]) -> Iterator[np.ndarray]:
        """Decode several pictures, each as `read` does.

        Raises
        ------
        ValueError
            As from `read`.
        """
        if self.format in ("JPEG", "PNG"):
            yield from map(self.read, planes)
            return
        pictures = self._animation(max(planes))
        if len(pictures) <= max(planes):
            raise ValueError("its content is damaged")
        yield from (pictures[plane] for plane in planes)

    def _png(self, first: int) -> Iterator[np.ndarray]:
        """Decode the pictures of a PNG from a number on."""
        hidden = png_frame_count(self.data)[2]
        if first == 0:
            yield decode_png(self.data)
        header = read_header(self.data, name="")
        size = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
        if self.count > 1:
            yield from islice(draw_frames(png_frames(self.data), *size), max(first, 1) - hidden, None)

    def _animation(self, last: int) -> Sequence[np.ndarray]:
        """Decode the frames of a GIF or WebP up to a number, or all of them."""
        if self.format == "GIF":
            return self._gif()
        buffer = np.frombuffer(self.data, np.uint8)
        if self.count == 1:
            pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            return [] if pixels is None else [_to_rgb(pixels)]
        found, animation = cv2.imdecodeanimation(buffer, count=last + 1)
        return [_to_rgb(frame) for frame in animation.frames] if found else []

    def _gif(self) -> Sequence[np.ndarray]:
        """Decode all frames of a GIF with giflib; OpenCV draws some of them wrong."""
        try:
            pixels = imagecodecs.gif_decode(self.data)
        except Exception as error:
            # the extension defines errors of its own
            raise ValueError(f"its content is damaged ({error})") from error
        return list(pixels if pixels.ndim == 4 else pixels[None])


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Reorder the channels of OpenCV."""
    if pixels.ndim == 2:
        return pixels[..., None]
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def open_frames(data: bytes, kind: str) -> Frames:
    """Find the pictures of a file; their pixels are not decoded.

    Parameters
    ----------
    data : bytes
        The whole file, whose structure has been checked.
    kind : str
        ``JPEG``, ``PNG``, ``GIF`` or ``WebP``.
    """
    if kind == "JPEG":
        views, others, missing = _views(data)
        count = max(1, len(views) + missing)
        gone = range(len(views), count) if views else ()
        return Frames(data, kind, count, ("view",) if count > 1 else (), 0, others, gone)
    if kind == "PNG":
        described, contained, hidden = png_frame_count(data)
        axes = ("frame",) if described > 1 else ()
        return Frames(data, kind, described, axes, int(hidden), missing=range(contained, described))
    count = gif_frame_count(data) if kind == "GIF" else webp_frame_count(data)
    return Frames(data, kind, count, ("frame",) if count > 1 else ())


def _views(data: bytes) -> tuple[list[tuple[int, int]], int, int]:
    """Return start and end of the pictures of the main one's size, and how many others there are and are missing."""
    spans = jpeg_pictures(data)
    present = [span for span in spans if span[1]]
    sizes = [_size(data[start:end]) for start, end in present]
    alike = [span for span, size in zip(present, sizes, strict=True) if size == sizes[0]]
    return alike, len(present) - len(alike), len(spans) - len(present)


def _size(data: bytes) -> tuple[int, int, int] | None:
    """Return width, height and orientation of a JPEG; None if its header is damaged."""
    try:
        return read_jpeg(data)[:3]
    except (ValueError, EOFError, IndexError, struct.error):
        return None
