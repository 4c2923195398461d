"""What the first bytes of an image file promise: format, size, turn; and whether the rest is there.

Nothing here decodes a pixel, so that an image is judged in a few microseconds.
"""

import struct
from typing import NamedTuple

from cfu_core.errors import ImageError
from cfu_core.imaging import file_formats

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
FORMAT_EXTENSIONS = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "TIFF": ".tif"}
MAX_PIXELS = 120_000_000

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


class ImageHeader(NamedTuple):
    """What a file says about its image.

    Parameters
    ----------
    format : str
        ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.
    width, height : int
        In pixels, as displayed: after the turn that EXIF asks for.
    orientation : int
        The EXIF orientation, 1 to 8; 1 where there is none.
    usual : bool
        False where only decoding can tell whether the image can be read at all: every BMP and TIFF, and rare kinds
        of JPEG and PNG.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    usual: bool = True


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
        width, height, turn, usual = _READERS[kind](data)
    except (struct.error, IndexError, EOFError) as error:
        raise _truncated(name) from error
    except ValueError as error:
        raise ImageError(f"{name} cannot be read: {error}.", "", _AGAIN, kind="unreadable") from error
    turn = turn if 1 <= turn <= 8 else 1
    if turn >= 5:
        width, height = height, width
    return ImageHeader(kind, width, height, turn, usual)


def image_format(data: bytes) -> str | None:
    """The format that the first bytes show: ``JPEG``, ``PNG``, ``BMP``, ``TIFF``, or None."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    # Plenty of texts begin with "BM"; the size of the second header tells.
    if data.startswith(b"BM") and (len(data) < 18 or int.from_bytes(data[14:18], "little") in _BMP_HEADERS):
        return "BMP"
    return None


def check_structure(data: bytes, *, name: str) -> ImageHeader:
    """What a file says about its image, provided that it is of a bearable size and as long as it promises.

    Decoders silently fill what is missing with grey, and take the memory for a billion pixels before they look for
    them.

    Raises
    ------
    ImageError
        As from `read_header`; kind ``too-large`` (more than `MAX_PIXELS`), or ``truncated`` anywhere.
    """
    header = read_header(data, name=name)
    pixels = header.width * header.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{name} has {header.width:,} × {header.height:,} = {pixels:,} pixels.",
            f"At most {MAX_PIXELS:,} can be read.",
            "Shrink it, or cut it into parts.",
            kind="too-large",
        )
    try:
        complete = _ENDS[header.format](data)
    except (struct.error, IndexError, EOFError, TypeError, ValueError):
        complete = False
    if not complete:
        raise _truncated(name)
    return header


def _truncated(name: str) -> ImageError:
    return ImageError(f"{name} is cut short: its end is missing.", "", _AGAIN, kind="truncated")


_READERS = {
    "JPEG": file_formats.read_jpeg,
    "PNG": file_formats.read_png,
    "BMP": file_formats.read_bmp,
    "TIFF": file_formats.read_tiff,
}
_ENDS = {
    "JPEG": file_formats.jpeg_ends,
    "PNG": file_formats.png_ends,
    "BMP": file_formats.bmp_ends,
    "TIFF": file_formats.tiff_ends,
}
