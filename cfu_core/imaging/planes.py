"""Pictures of a TIFF file: focal planes, channels, time points, positions or pages, and which of them is used."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import tifffile

from cfu_core.imaging.decoder_warnings import collecting
from cfu_core.imaging.jpeg_decoding import find_damage

#: Names of the axes of tifffile; all other axes are pages.
_AXES = {"Z": "focal plane", "C": "channel", "T": "time point"}
_IMAGEJ_IMAGES = re.compile(r"\AImageJ=.*?^images=(\d+)$", re.MULTILINE | re.DOTALL)
#: Picture number of images that were imported before pictures were chosen: the first page of the file.
FIRST_PAGE = -1
#: In place of a picture number: all focal planes of the first channel, fused in focus.
FUSED = -2
#: In place of a picture number: all channels, each in one hue, and each with its focal planes fused.
COMPOSITE = -3
_COMBINED = {FUSED: "all focal planes fused in focus", COMPOSITE: "a composite of all channels"}


def is_picture(value: object) -> bool:
    """Return whether a value names a picture of a file that can be chosen: a number from 0, `FUSED` or `COMPOSITE`."""
    return type(value) is int and (value >= 0 or value in _COMBINED)


def picture_in_words(plane: int) -> str:
    """Return the name of a picture for users: ``picture 1`` for the number 0, ``all focal planes fused in focus``."""
    return _COMBINED.get(plane, f"picture {plane + 1}")


class Pictures(Protocol):
    """The pictures of a file that have the same size."""

    @property
    def main(self) -> int | None:
        """The picture that other programs show, if the format defines one."""

    @property
    def count(self) -> int:
        """Number of pictures, including `missing` ones."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pictures along each of `axes`; empty for one picture."""

    @property
    def axes(self) -> tuple[str, ...]:
        """What the pictures differ in."""

    @property
    def others(self) -> int:
        """Number of pictures of other sizes in the file."""

    @property
    def missing(self) -> Sequence[int]:
        """The pictures that the file describes but does not contain, by number."""

    def read(self, plane: int) -> np.ndarray:
        """Decode one picture; its shape is (H, W, C)."""

    def read_each(self, planes: Sequence[int]) -> Iterator[np.ndarray]:
        """Decode several pictures; their numbers ascend."""


@dataclass(frozen=True, eq=False)
class Planes:
    """The pictures of a TIFF that have the size of its largest picture.

    Attributes
    ----------
    data : bytes
        The file.
    page : tifffile.TiffPage
        Tags of the pictures.
    series : sequence of tifffile.TiffPageSeries
        Series of pictures with the same shape; empty if the file is used as a single page.
    shape : tuple of int
        Number of pictures along each of `axes`; empty for one picture.
    axes : tuple of str
        ``position``, ``focal plane``, ``channel``, ``time point`` or ``page``.
    others : int
        Number of pictures of other sizes in the file, such as a thumbnail.
    """

    data: bytes
    page: tifffile.TiffPage
    series: Sequence[tifffile.TiffPageSeries] = ()
    shape: tuple[int, ...] = ()
    axes: tuple[str, ...] = ()
    others: int = 0

    @property
    def main(self) -> None:
        """TIFF defines no main picture."""

    @property
    def count(self) -> int:
        """Number of pictures, including `missing` ones."""
        return math.prod(self.shape)

    @property
    def missing(self) -> list[int]:
        """The pictures that the file describes but does not contain, by number, as in an aborted acquisition."""
        return [plane for plane in range(self.count) if self._page(plane) is None]

    @property
    def end(self) -> int:
        """Number of bytes that the file must have for all pictures to be complete."""
        pages = [page for series in self.series for page in series.pages if page is not None] or [self.page]
        ends = [
            start + size for page in pages for start, size in zip(page.dataoffsets, page.databytecounts, strict=False)
        ]
        ends += [offset + size for series in self.series for offset, size in [_block(series)] if size]
        images = _IMAGEJ_IMAGES.search(self.page.description)
        if images and int(images[1]) > self.count and len(self.page.dataoffsets) == 1:
            # ImageJ describes a large stack by its first picture; tifffile ignores the others if the file is cut
            ends.append(self.page.dataoffsets[0] + int(images[1]) * self.page.databytecounts[0])
        return max(ends, default=0)

    def page_number(self, plane: int) -> int:
        """Return the number of the page of a picture in the file, from 0."""
        return (self._page(plane) or self.page).index

    def read(self, plane: int) -> np.ndarray:
        """Decode one picture.

        Parameters
        ----------
        plane : int
            0 to `count` - 1; along the last axis first.

        Returns
        -------
        ndarray, shape (H, W, S)
            Samples as stored.

        Raises
        ------
        ValueError
            There is no such picture, or its content is damaged; the message is a clause.
        """
        if not 0 <= plane < self.count:
            raise ValueError(f"it has {self.count} pictures, and {picture_in_words(plane)} was chosen")
        page = self._page(plane)
        if page is None:
            raise ValueError(f"picture {plane + 1} of {self.count} is not in this file")
        try:
            samples = self._in_block(plane)
            if samples is None:
                samples = page.asarray(maxworkers=1)
                self._find_damage(page)
        except Exception as error:
            # each codec raises errors of its own
            raise ValueError(f"its content is damaged, or compressed in an unsupported way ({error})") from error
        if self.page.axes == "SYX":  # one channel after the other
            samples = np.moveaxis(samples.reshape(-1, self.page.imagelength, self.page.imagewidth), 0, -1)
        return samples.reshape(self.page.imagelength, self.page.imagewidth, -1)

    def _find_damage(self, page: tifffile.TiffPage | tifffile.TiffFrame) -> None:
        """Add the warnings about JPEG data, which imagecodecs does not report, if warnings are collected."""
        if collecting() and self.page.compression == tifffile.COMPRESSION.JPEG:
            for start, size in zip(page.dataoffsets, page.databytecounts, strict=False):
                find_damage(self.data[start : start + size], page.jpegtables)

    def read_each(self, planes: Sequence[int]) -> Iterator[np.ndarray]:
        """Decode several pictures, each as `read` does."""
        return map(self.read, planes)

    def _place(self, plane: int) -> tuple[tifffile.TiffPageSeries, int]:
        """Return the series of a picture, and its number in the series."""
        number, rest = divmod(plane, self.count // len(self.series))
        return self.series[number], rest

    def _page(self, plane: int) -> tifffile.TiffPage | tifffile.TiffFrame | None:
        """Return the tags of a picture; those of the first one if all are stored as one block."""
        if not self.series:
            return self.page
        series, number = self._place(plane)
        return series.pages[0 if _block(series)[1] else number]

    def _in_block(self, plane: int) -> np.ndarray | None:
        """Return the samples of a picture that is stored in one block with the others, without reading these."""
        if not self.series:
            return None
        series, number = self._place(plane)
        offset, size = _block(series)
        if not size:
            return None
        dtype = series.dtype.newbyteorder(self.page.parent.byteorder)
        pictures = self.count // len(self.series)
        length = series.size // pictures
        start = offset + number * length * dtype.itemsize
        return np.frombuffer(self.data, dtype, length, start).astype(series.dtype.newbyteorder("="))


def _block(series: tifffile.TiffPageSeries) -> tuple[int, int]:
    """Return offset and size in bytes of a series whose tags describe only its first picture; otherwise 0 and 0."""
    pictures = math.prod(size for size, _ in _axes(series))
    if pictures == 1 or len(series.pages) == pictures or series.dataoffset is None:
        return 0, 0
    return series.dataoffset, series.nbytes


def open_planes(data: bytes, *, first_page: bool = False) -> Planes:
    """Find the pictures of a TIFF file; their pixels are not decoded.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a TIFF does.
    first_page : bool
        Use only the first page, as before pictures were chosen.

    Raises
    ------
    Exception
        The tags are invalid; tifffile raises many different errors.
    """
    file = tifffile.TiffFile(io.BytesIO(data))
    first = file.pages.first
    if first_page:
        return Planes(data, first)
    try:
        found = [series for series in file.series if "Y" in series.axes and "X" in series.axes]
    except Exception:  # noqa: BLE001 - metadata of unknown programs
        found = []
    if not found:
        return Planes(data, first, others=len(file.pages) - 1)
    largest = max(found, key=lambda series: series.keyframe.imagewidth * series.keyframe.imagelength)
    page = largest.keyframe
    if not isinstance(page, tifffile.TiffPage):
        raise TypeError("the tags of its pages are missing")
    alike = [one for one in found if (one.shape, one.axes, one.dtype) == (largest.shape, largest.axes, largest.dtype)]
    axes = _axes(largest)
    if len(alike) > 1:
        axes.insert(0, (len(alike), "position"))
    others = sum(math.prod(size for size, _ in _axes(series)) for series in found if series not in alike)
    return Planes(data, page, alike, tuple(size for size, _ in axes), tuple(name for _, name in axes), others)


def _axes(series: tifffile.TiffPageSeries) -> list[tuple[int, str]]:
    """Return the length and the name of each axis along which a series has several pictures."""
    sizes = zip(series.shape, series.axes, strict=True)
    return [(size, _AXES.get(axis, "page")) for size, axis in sizes if axis not in "YXS" and size > 1]


def sharpest_plane(planes: Pictures, *, channel: int = 0) -> int:
    """Return the sharpest picture, by the variance of the Laplacian, of one channel and the first position.

    Parameters
    ----------
    planes : Pictures
        From `open_planes` or `cfu_core.imaging.frames.open_frames`.
    channel : int
        Number of the channel, from 0; of a file with fewer channels, the first one is used.

    Raises
    ------
    ValueError
        A picture is damaged, or the file contains none; the message is a clause.

    References
    ----------
    J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", Proceedings of the
    15th International Conference on Pattern Recognition 3 (2000), 314-317.
    """
    if planes.count == 1:
        return 0
    missing = set(planes.missing)
    numbers = np.arange(planes.count).reshape(planes.shape)
    place = tuple(
        (channel if channel < length else 0) if axis == "channel" else 0 if axis == "position" else slice(None)
        for length, axis in zip(planes.shape, planes.axes, strict=True)
    )
    candidates = [plane for plane in np.ravel(numbers[place]).tolist() if plane not in missing]
    candidates = candidates or [plane for plane in range(planes.count) if plane not in missing]
    if not candidates:
        raise ValueError("it contains no picture")
    if len(candidates) == 1:
        return candidates[0]
    sharpness = [_sharpness(samples) for samples in planes.read_each(candidates)]
    return candidates[int(np.argmax(sharpness))]


def _sharpness(samples: np.ndarray) -> float:
    grey = np.nan_to_num(samples.astype(np.float32), posinf=0, neginf=0).mean(axis=2)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
