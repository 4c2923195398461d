"""Headers of image files: format, size and orientation, and whether the file is complete.

No pixel is decoded, so that a file is checked within microseconds.
"""

import struct
from typing import NamedTuple

from cfu_core.errors import ImageError
from cfu_core.imaging import file_formats, gif_files, jpeg2000_files, webp_files
from cfu_core.imaging.unread_formats import unread_format

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jp2")
#: Extensions of the formats that are read, in the image store.
FORMAT_EXTENSIONS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WebP": ".webp",
    "GIF": ".gif",
    "JPEG 2000": ".jp2",
}
#: The formats that are read, as a text.
FORMATS = "JPEG, PNG, BMP, TIFF, WebP, GIF or JPEG 2000"
MAX_PIXELS = 120_000_000
MAX_ANIMATION_PIXELS = 2 * MAX_PIXELS  # of all frames of a GIF or WebP together, which are in memory at once

_COPY_AGAIN = "Copy it again from its source."
_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


class ImageHeader(NamedTuple):
    """The header of an image file.

    Attributes
    ----------
    format : str
        A key of `FORMAT_EXTENSIONS`, such as ``JPEG``.
    width, height : int
        In pixels, with the EXIF orientation applied.
    orientation : int
        EXIF orientation, 1 to 8; 1 if the file states none or an invalid one.
    usual : bool
        Whether the header alone shows that the image can be decoded, and that the file contains no other picture.
        True only for usual kinds of JPEG and PNG; only decoding shows whether the others can be read.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    usual: bool = True


def read_header(data: bytes, *, name: str, first_page: bool = False) -> ImageHeader:
    """Read the header of an image file.

    Parameters
    ----------
    data : bytes
        The whole file. The format is recognised by the first bytes.
    name : str
        Name of the file in error messages. Its extension is ignored.
    first_page : bool
        Of a TIFF with several pictures, use only the first page, as before pictures were chosen.

    Returns
    -------
    ImageHeader
        As stated in the file. The file may still be incomplete; `check_structure` checks that.

    Raises
    ------
    ImageError
        Kind ``empty``: the file has no bytes. ``not-an-image``: it is in none of the formats `FORMATS`.
        ``truncated``: it ends inside the header. ``unreadable``: the header is damaged or states no size.
    """
    kind = image_format(data)
    if not data:
        raise ImageError(f"{name} is empty (0 bytes).", "", _COPY_AGAIN, kind="empty")
    if kind is None:
        raise _not_read(data, name)
    try:
        width, height, orientation, usual = _READERS[kind](data, **_options(kind, first_page))
    except (struct.error, IndexError, EOFError) as error:
        raise _truncated(name) from error
    except ValueError as error:
        raise ImageError(f"{name} cannot be read: {error}.", "", _COPY_AGAIN, kind="unreadable") from error
    orientation = orientation if 1 <= orientation <= 8 else 1
    if orientation >= 5:
        width, height = height, width
    return ImageHeader(kind, width, height, orientation, usual)


def image_format(data: bytes) -> str | None:
    """Recognise the format of an image file by its first bytes.

    Parameters
    ----------
    data : bytes
        The file, or at least its first 18 bytes.

    Returns
    -------
    str or None
        A key of `FORMAT_EXTENSIONS`, such as ``JPEG``; ``TIFF`` also for BigTIFF. None for all other content.
    """
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    # many texts begin with "BM" too; a BMP has a second header of known size
    if data.startswith(b"BM") and (len(data) < 18 or int.from_bytes(data[14:18], "little") in _BMP_HEADERS):
        return "BMP"
    return None


def check_structure(data: bytes, *, name: str, first_page: bool = False) -> ImageHeader:
    """Read the header of an image file, and check its number of pixels and its length.

    Decoders silently fill missing pixels with grey, and allocate memory for a billion pixels before they read any. So
    this is checked before decoding.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Name of the file in error messages.
    first_page : bool
        Of a TIFF with several pictures, use only the first page, as before pictures were chosen.

    Returns
    -------
    ImageHeader
        As from `read_header`.

    Raises
    ------
    ImageError
        As from `read_header`. Also kind ``too-large``: the image has more than `MAX_PIXELS` pixels, or the frames of an
        animation together more than `MAX_ANIMATION_PIXELS`; and ``truncated``: the file ends before its pixels do, or
        the place of its end cannot be read.
    """
    header = read_header(data, name=name, first_page=first_page)
    pixels = header.width * header.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{name} has {header.width:,} × {header.height:,} = {pixels:,} pixels.",
            f"At most {MAX_PIXELS:,} can be read.",
            "Reduce its size, or split it into parts.",
            kind="too-large",
        )
    try:
        complete = _ENDS[header.format](data, **_options(header.format, first_page))
    except (struct.error, IndexError, EOFError, TypeError, ValueError):
        complete = False
    if not complete:
        raise _truncated(name)
    frames = _FRAMES[header.format](data) if header.format in _FRAMES else 1
    if frames * pixels > MAX_ANIMATION_PIXELS:
        raise ImageError(
            f"{name} is an animation of {frames:,} frames with {frames * pixels:,} pixels together.",
            f"At most {MAX_ANIMATION_PIXELS:,} can be read.",
            "Save single frames as PNG or TIFF.",
            kind="too-large",
        )
    return header


def _not_read(data: bytes, name: str) -> ImageError:
    other = unread_format(data)
    if other is not None:
        return ImageError(f"{name} is {other.name}, which is not read.", "", other.remedy, kind="not-an-image")
    return ImageError(f"{name} is not an image.", f"It must be a {FORMATS} file.", kind="not-an-image")


def _options(kind: str, first_page: bool) -> dict[str, bool]:
    return {"first_page": first_page} if kind == "TIFF" else {}


def _truncated(name: str) -> ImageError:
    return ImageError(f"{name} is incomplete: its end is missing.", "", _COPY_AGAIN, kind="truncated")


_READERS = {
    "JPEG": file_formats.read_jpeg,
    "PNG": file_formats.read_png,
    "BMP": file_formats.read_bmp,
    "TIFF": file_formats.read_tiff,
    "WebP": webp_files.read_webp,
    "GIF": gif_files.read_gif,
    "JPEG 2000": jpeg2000_files.read_jpeg2000,
}
_ENDS = {
    "JPEG": file_formats.jpeg_ends,
    "PNG": file_formats.png_ends,
    "BMP": file_formats.bmp_ends,
    "TIFF": file_formats.tiff_ends,
    "WebP": webp_files.webp_ends,
    "GIF": gif_files.gif_ends,
    "JPEG 2000": jpeg2000_files.jpeg2000_ends,
}
_FRAMES = {"WebP": webp_files.webp_frame_count, "GIF": gif_files.gif_frame_count}
