"""What the first bytes of an image file promise: format, size, turn; and whether the rest is there.

Nothing here decodes a pixel, so that an image is refused in well under a millisecond.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import tifffile

from cfu_core.errors import ImageError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
FORMAT_EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif"}

_AGAIN = "Copy it again from where it came."
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA
_ORIENTATION = 274
_TIFF_NUMBERS = (
    "imagewidth",
    "imagelength",
    "imagedepth",
    "samplesperpixel",
    "bitspersample",
    "tilewidth",
    "tilelength",
)


@dataclass(frozen=True)
class ImageHeader:
    """What a file says about its image.

    Parameters
    ----------
    format : str
        ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.
    width, height : int
        In pixels, as displayed: after the turn that EXIF asks for.
    orientation : int
        The EXIF orientation, 1 to 8; 1 where there is none.
    """

    format: str
    width: int
    height: int
    orientation: int = 1


def read_header(data: bytes, *, name: str) -> ImageHeader:
    """What a file says about its image, without decoding it.

    Parameters
    ----------
    data : bytes
        The whole file; its name and extension play no part.
    name : str
        What to call it in messages.

    Raises
    ------
    ImageError
        Kind ``empty``, ``not-an-image``, ``truncated`` (inside the header) or ``unreadable``.
    """
    kind = image_format(data)
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).", "", _AGAIN, kind="empty")
    if kind is None:
        raise ImageError(f"{name} is no image: it does not begin like a JPEG, PNG, BMP or TIFF.", kind="not-an-image")
    try:
        width, height, turn = _READERS[kind](data)
    except (struct.error, IndexError, EOFError) as error:
        raise _truncated(name) from error
    except ValueError as error:
        raise ImageError(f"{name} cannot be read: {error}.", "", _AGAIN, kind="unreadable") from error
    turn = turn if 1 <= turn <= 8 else 1
    if turn >= 5:
        width, height = height, width
    return ImageHeader(kind, width, height, turn)


def image_format(data: bytes) -> str | None:
    """The format that the first bytes show: ``JPEG``, ``PNG``, ``BMP``, ``TIFF``, or None."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    # Plenty of texts begin with "BM"; the size of the second header tells.
    if data.startswith(b"BM") and (len(data) < 18 or int.from_bytes(data[14:18], "little") in _BMP_HEADERS):
        return "BMP"
    return None


def check_complete(data: bytes, header: ImageHeader, *, name: str) -> None:
    """Make sure that a file is as long as it promises; decoders silently fill what is missing with grey.

    Raises
    ------
    ImageError
        Kind ``truncated``.
    """
    try:
        complete = _ENDS[header.format](data)
    except (struct.error, IndexError, EOFError, TypeError, ValueError):
        complete = False
    if not complete:
        raise _truncated(name)


def png_has_alpha(data: bytes) -> bool:
    """Whether a PNG has an alpha channel or a transparent colour."""
    return data[25] in (4, 6) or any(chunk == b"tRNS" for chunk, _, _ in _png_chunks(data))


def png_transparent_grey(data: bytes) -> int | None:
    """The grey value that a grey PNG declares transparent, on the scale of its decoded samples."""
    keys = [start for chunk, start, end in _png_chunks(data) if chunk == b"tRNS" and end - start == 2]
    if data[25] != 0 or not keys:
        return None
    key, depth = int.from_bytes(data[keys[0] : keys[0] + 2]), data[24]
    return key if depth >= 8 else key * 255 // (2**depth - 1)


def png_depth(data: bytes) -> int:
    """Bits of a sample of a PNG."""
    return data[24]


def bmp_has_alpha(data: bytes) -> bool:
    """Whether a BMP has an alpha channel; the fourth byte of an ordinary 32-bit BMP is padding."""
    return int.from_bytes(data[14:18], "little") >= 56 and data[30] in (3, 6) and any(data[66:70])


def tiff_page(data: bytes) -> tifffile.TiffPage:
    """The first page of a TIFF.

    Raises
    ------
    EOFError
        The file ends before its table of tags does.
    ValueError
        The tags make no sense.
    """
    if _tiff_tags_end(data) > len(data):
        raise EOFError("the table of tags is missing")
    try:
        page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    except Exception as error:
        # Bent tags make tifffile fail in any of a dozen ways, and they all mean this.
        raise ValueError(f"its TIFF tags make no sense ({error})") from error
    if not isinstance(page, tifffile.TiffPage) or not all(
        isinstance(getattr(page, number), int) for number in _TIFF_NUMBERS
    ):
        raise ValueError("its TIFF tags make no sense")
    return page


def _truncated(name: str) -> ImageError:
    return ImageError(f"{name} is cut short: its end is missing.", "", _AGAIN, kind="truncated")


def _read_jpeg(data: bytes) -> tuple[int, int, int]:
    turn, size = 1, None
    for marker, start, end in _jpeg_segments(data):
        if marker in _JPEG_FRAMES and size is None:
            size = struct.unpack_from(">HH", data, start + 1)
        elif marker == 0xE1 and turn == 1 and data[start : start + 6] == b"Exif\0\0":
            turn = _exif_orientation(data[start + 6 : end])
    if size is None or 0 in size:
        raise ValueError("its JPEG header gives no size")
    return size[1], size[0], turn


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end of its content) up to and with the first scan's header."""
    position, marker = 2, 0
    while marker != _JPEG_SCAN:
        if data[position] != 0xFF:
            raise ValueError("its JPEG header is damaged")
        while data[position] == 0xFF:  # any number of fill bytes may stand before a marker
            position += 1
        marker = data[position]
        (length,) = struct.unpack_from(">H", data, position + 1)
        start, position = position + 3, position + 1 + length
        if length < 2:
            raise ValueError("its JPEG header is damaged")
        if position > len(data):
            raise EOFError
        yield marker, start, position


def _jpeg_ends(data: bytes) -> bool:
    *_, (_, _, scan) = _jpeg_segments(data)
    return data.rfind(b"\xff\xd9", scan) >= 0  # a thumbnail's own end lies before the scan


def _read_png(data: bytes) -> tuple[int, int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise ValueError("its PNG header gives no size")
    if len(data) < 33:
        raise EOFError
    turn = 1
    for chunk, start, end in _png_chunks(data):
        if chunk == b"eXIf":
            turn = _exif_orientation(data[start:end])
    return width, height, turn


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of its content) of every chunk that is there as a whole."""
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        chunk, end = data[position + 4 : position + 8], position + 8 + length
        if end + 4 > len(data):
            return
        yield chunk, position + 8, end
        if chunk == b"IEND":
            return
        position = end + 4


def _png_ends(data: bytes) -> bool:
    return any(chunk == b"IEND" for chunk, _, _ in _png_chunks(data))


def _read_bmp(data: bytes) -> tuple[int, int, int]:
    layout = "<HH" if data[14] == 12 else "<ii"
    width, height = struct.unpack_from(layout, data, 18)
    if width <= 0 or height == 0:
        raise ValueError("its BMP header gives no size")
    return width, abs(height), 1  # a negative height: the rows run from top to bottom


def _bmp_ends(data: bytes) -> bool:
    width, height, _ = _read_bmp(data)
    (start,) = struct.unpack_from("<I", data, 10)
    (bits,) = struct.unpack_from("<H", data, 24 if data[14] == 12 else 28)
    packing, packed = (0, 0) if data[14] == 12 else struct.unpack_from("<II", data, 30)
    plain = (width * bits + 31) // 32 * 4 * height  # rows are padded to four bytes
    return start + (packed if packing in (1, 2) else plain) <= len(data)


def _read_tiff(data: bytes) -> tuple[int, int, int]:
    page = tiff_page(data)
    if page.imagewidth <= 0 or page.imagelength <= 0:
        raise ValueError("its TIFF tags give no size")
    turn = page.tags.valueof(_ORIENTATION, default=1)
    return page.imagewidth, page.imagelength, turn if isinstance(turn, int) else 1


def _tiff_tags_end(data: bytes) -> int:
    order = "<" if data[0:1] == b"I" else ">"
    if 43 in data[2:4]:  # BigTIFF
        (first,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, first)
        return first + 8 + 20 * count
    (first,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, first)
    return first + 2 + 12 * count


def _tiff_ends(data: bytes) -> bool:
    page = tiff_page(data)
    ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    return max(ends, default=0) <= len(data)


def _exif_orientation(exif: bytes) -> int:
    """Tag 274 of an EXIF block (a small TIFF), 1 where it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == _ORIENTATION and kind == 3:
                return value
    except struct.error:
        pass
    return 1


_READERS = {"JPEG": _read_jpeg, "PNG": _read_png, "BMP": _read_bmp, "TIFF": _read_tiff}
_ENDS = {"JPEG": _jpeg_ends, "PNG": _png_ends, "BMP": _bmp_ends, "TIFF": _tiff_ends}
