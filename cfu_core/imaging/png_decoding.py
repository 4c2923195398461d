"""Decoding of PNG files, also of single frames of animated ones.

libpng prints its warnings and errors. So the file is checked and rewritten before it is decoded: with only the chunks
that decoding needs, and with the pixels uncompressed, which costs no time because they are decompressed only once.

References
----------
W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 2025.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import imagecodecs
import numpy as np

from cfu_core.imaging.decoder_warnings import add_warning
from cfu_core.imaging.file_formats import PNG_DEPTHS, png_chunks, png_intact, png_transparent_grey

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
_LAST_FILTER = 4
_MAX_SIDE = 1_000_000  # of libpng
_KEY_LENGTHS = {0: 2, 2: 6}  # of tRNS in bytes, by colour type


@dataclass(frozen=True)
class PngFrame:
    """One frame of an animated PNG.

    Attributes
    ----------
    file : bytes
        The frame as a PNG of its own.
    left, top : int
        Position in the image, in pixels.
    dispose : {0, 1, 2}
        What happens before the next frame: nothing, the area is cleared, or the area becomes what it was.
    blended : bool
        Whether the frame is drawn over the image; otherwise it replaces its area.
    """

    file: bytes
    left: int
    top: int
    dispose: int
    blended: bool


def decode_png(data: bytes) -> np.ndarray:
    """Decode a PNG; of an animated one, the image that programs without support for animation show.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    ndarray of uint8 or uint16, shape (H, W, C)
        Grey, grey and alpha, RGB, or RGB and alpha. Fewer than 8 bits are scaled to 0 to 255, and a palette is applied.
        Grey with a channel of alpha is returned as RGB and alpha.

    Raises
    ------
    ValueError
        The content is damaged; the message is a clause.
    """
    if not png_intact(data):
        raise ValueError("its content is damaged")
    pixels = cv2.imdecode(np.frombuffer(_rewritten(data), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("its content is damaged")
    if pixels.ndim == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    key = png_transparent_grey(data)  # the only kind of transparency that OpenCV ignores
    if key is None:
        return pixels[..., None]
    return np.dstack([pixels, np.where(pixels == key, 0, _white(pixels)).astype(pixels.dtype)])


def _rewritten(data: bytes) -> bytes:
    """Return a PNG without compression and with only the chunks that decoding needs."""
    width, height, depth, colour_type, packing, filtering, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if depth not in PNG_DEPTHS.get(colour_type, ()) or packing or filtering or interlaced > 1:
        raise ValueError("its pixels are stored in an unknown way")
    if max(width, height) > _MAX_SIDE:
        raise ValueError(f"it is wider or higher than {_MAX_SIDE:,} pixels")
    content: dict[bytes, bytes] = {}
    for name, start, end in png_chunks(data):
        content.setdefault(name, data[start:end] if name in (b"PLTE", b"tRNS") else b"")
        # Damage to chunks such as a date or a colour profile has no effect on the pixels.
        if name[0] & 0x20 and zlib.crc32(memoryview(data)[start - 4 : end]) != int.from_bytes(data[end : end + 4]):
            add_warning(f"PNG: the checksum of the chunk {name.decode('latin-1')} is wrong")
    bits = depth * _CHANNELS[colour_type]
    lines = [
        (-(-(width - left) // across), -(-(height - top) // down))
        for left, top, across, down in (_PASSES if interlaced else ((0, 0, 1, 1),))
        if width > left and height > top
    ]
    raw = _decompressed(data, sum(((columns * bits + 7) // 8 + 1) * rows for columns, rows in lines))
    start = 0
    for columns, rows in lines:
        length = (columns * bits + 7) // 8 + 1
        if max(raw[start : start + length * rows : length]) > _LAST_FILTER:
            raise ValueError("its content is damaged (unknown filter)")
        start += length * rows
    colours = _colour_chunks(content.get(b"PLTE", b""), content.get(b"tRNS", b""), colour_type, depth)
    return b"".join((data[:33], *colours, _chunk(b"IDAT", zlib.compress(raw, 0)), _chunk(b"IEND", b"")))


def _colour_chunks(palette: bytes, transparent: bytes, colour_type: int, depth: int) -> list[bytes]:
    """Return the chunks with a palette, which is made complete, and with transparent colours, if they are valid."""
    if colour_type == 3:
        colours = len(palette) // 3
        if not colours or len(palette) % 3:
            raise ValueError("its palette is damaged")
        palette = palette[: 3 * 2**depth].ljust(3 * 2**depth, b"\0")
        alpha = [_chunk(b"tRNS", transparent)] if 0 < len(transparent) <= min(colours, 2**depth) else []
        return [_chunk(b"PLTE", palette), *alpha]
    if len(transparent) == _KEY_LENGTHS.get(colour_type):
        values = struct.unpack(f">{len(transparent) // 2}H", transparent)
        key = struct.pack(f">{len(values)}H", *(value & 2**depth - 1 for value in values))
        return [_chunk(b"tRNS", key)]
    return []


def _decompressed(data: bytes, length: int) -> bytes:
    """Return the filtered pixels of a PNG, which must be `length` bytes."""
    stream = b"".join(data[start:end] for name, start, end in png_chunks(data) if name == b"IDAT")
    try:
        raw = imagecodecs.deflate_decode(stream, out=length)  # faster than zlib, but does not say what is wrong
        if len(raw) == length and zlib.adler32(raw) == int.from_bytes(stream[-4:]):
            return bytes(raw)
    except imagecodecs.DeflateError:
        pass
    engine = zlib.decompressobj()
    try:
        raw = engine.decompress(stream, length + 1)
    except zlib.error as error:
        raise ValueError(f"its content is damaged ({error})") from error
    if len(raw) < length or (len(raw) == length and not engine.eof):
        raise ValueError("its content is damaged (not enough pixels)")
    if len(raw) > length:
        add_warning("PNG: the file contains more pixels than its size needs")
    elif engine.unused_data:
        add_warning("PNG: the pixels are followed by other data")
    return raw[:length]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))


def png_frame_count(data: bytes) -> tuple[int, int, bool]:
    """Count the pictures of a PNG.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    described : int
        Number of pictures: of frames as the file states it, and of the still image if it is not a frame. 1 if the file
        is not animated.
    contained : int
        How many of these the file contains.
    hidden : bool
        Whether the first picture is a still image that is not a frame.
    """
    names = [(name, start) for name, start, _ in png_chunks(data) if name in (b"acTL", b"fcTL", b"IDAT")]
    animation = [start for name, start in names if name == b"acTL"]
    frames = sum(name == b"fcTL" for name, _ in names)
    if not animation or not frames:
        return 1, 1, False
    hidden = next(name for name, _ in names if name != b"acTL") == b"IDAT"
    stated = int.from_bytes(data[animation[0] : animation[0] + 4])
    return max(stated, frames) + hidden, frames + hidden, hidden


def png_frames(data: bytes) -> Iterator[PngFrame]:
    """Yield the frames of an animated PNG in their order, without the still image if it is not a frame.

    Parameters
    ----------
    data : bytes
        The whole file.
    """
    shared = b"".join(data[start - 8 : end + 4] for name, start, end in png_chunks(data) if name in (b"PLTE", b"tRNS"))
    control = b""
    parts: list[bytes] = []
    for name, start, end in png_chunks(data):
        if name == b"fcTL":
            if control:
                yield _frame(data, control, shared, parts)
            control, parts = data[start:end], []
        elif name in (b"IDAT", b"fdAT") and control:
            parts.append(data[start + 4 * (name == b"fdAT") : end])
    if control:
        yield _frame(data, control, shared, parts)


def _frame(data: bytes, control: bytes, shared: bytes, parts: list[bytes]) -> PngFrame:
    _, width, height, left, top, _, _, dispose, blend = struct.unpack(">5I2H2B", control)
    header = _chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29])
    pixels = _chunk(b"IDAT", b"".join(parts))
    return PngFrame(_SIGNATURE + header + shared + pixels + _chunk(b"IEND", b""), left, top, dispose, blend == 1)


def draw_frames(frames: Iterator[PngFrame], width: int, height: int) -> Iterator[np.ndarray]:
    """Draw the frames of an animated PNG one over the other.

    Parameters
    ----------
    frames : iterator of PngFrame
        All frames, from the first one.
    width, height : int
        Size of the image in pixels.

    Yields
    ------
    ndarray of uint8 or uint16, shape (H, W, 4)
        RGB and alpha, as each frame is shown.

    Raises
    ------
    ValueError
        A frame is damaged or exceeds the image; the message is a clause.
    """
    image: np.ndarray | None = None
    for frame in frames:
        pixels = _with_alpha(_decoded(frame, width, height))
        if image is None:
            image = np.zeros((height, width, 4), pixels.dtype)
        area = image[frame.top : frame.top + pixels.shape[0], frame.left : frame.left + pixels.shape[1]]
        before = area.copy()
        area[:] = _over(pixels, area) if frame.blended else pixels
        yield image.copy()
        if frame.dispose:
            area[:] = before if frame.dispose == 2 else 0


def _decoded(frame: PngFrame, width: int, height: int) -> np.ndarray:
    across, down = struct.unpack_from(">II", frame.file, 16)
    if not (0 < across <= width - frame.left and 0 < down <= height - frame.top):
        raise ValueError("its content is damaged (a frame exceeds the image)")
    return decode_png(frame.file)


def _with_alpha(pixels: np.ndarray) -> np.ndarray:
    colours = np.broadcast_to(pixels[..., : 1 if pixels.shape[2] < 3 else 3], (*pixels.shape[:2], 3))
    opaque = np.full(pixels.shape[:2], _white(pixels), pixels.dtype)
    return np.dstack([colours, pixels[..., -1] if pixels.shape[2] in (2, 4) else opaque])


def _white(pixels: np.ndarray) -> int:
    return 2 ** (8 * pixels.itemsize) - 1


def _over(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Blend two images whose colours are not premultiplied."""
    white = float(_white(upper))
    above, below = upper[..., 3:] / white, lower[..., 3:] / white
    alpha = above + below * (1 - above)
    colours = (upper[..., :3] * above + lower[..., :3] * below * (1 - above)) / np.where(alpha > 0, alpha, 1)
    return np.rint(np.dstack([colours, alpha * white])).astype(upper.dtype)
