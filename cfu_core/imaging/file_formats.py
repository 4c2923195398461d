"""How JPEG, PNG, BMP and TIFF files are laid out: size, turn, end, transparency; told without decoding a pixel.

The `read_*` give (width, height, EXIF orientation, usual) as the file has them, with `usual` as in `ImageHeader`. On a
file that ends too early they raise IndexError, EOFError or struct.error, on one that makes no sense ValueError. The
`*_ends` tell whether a file is as long as it promises, and may raise the same.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tifffile import TiffPage

Found = tuple[int, int, int, bool]

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_USUAL = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, in Huffman coding
_JPEG_SCAN = 0xDA
_JPEG_SEGMENT = struct.Struct(">BBH").unpack_from
_JPEG_FRAME = struct.Struct(">BHHB").unpack_from
_JPEG_TABLES = {0xC4, 0xDB}  # nothing can be decoded without them
_JPEG_END = b"\xff\xd9"
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
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


def read_jpeg(data: bytes) -> Found:
    """Size, turn and kind of a JPEG, from what stands before its first scan."""
    turn, frame, depth, channels = 1, 0, 0, 0
    width = height = 0
    markers = set()
    for marker, start, end in _jpeg_segments(data):
        markers.add(marker)
        if marker in _JPEG_FRAMES and not frame:
            frame = marker
            depth, height, width, channels = _JPEG_FRAME(data, start)
        elif marker == 0xE1 and turn == 1 and data.startswith(b"Exif\0\0", start):
            turn = _exif_orientation(data[start + 6 : end])
    if not width or not height:
        raise ValueError("its JPEG header gives no size")
    usual = frame in _JPEG_USUAL and depth == 8 and channels in (1, 3, 4) and markers >= _JPEG_TABLES
    return width, height, turn, usual


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end of its content) up to and with the first scan's header."""
    position, marker, size = 2, 0, len(data)
    while marker != _JPEG_SCAN:
        begin, marker, length = _JPEG_SEGMENT(data, position)
        if begin == marker == 0xFF:  # any number of fill bytes may stand before a marker
            position += 1
            continue
        if begin != 0xFF or length < 2:
            raise ValueError("its JPEG header is damaged")
        start, position = position + 4, position + 2 + length
        if position > size:
            raise EOFError
        yield marker, start, position


def jpeg_ends(data: bytes) -> bool:
    """Whether the end of a JPEG's image is there; `read_jpeg` has found it in order up to the scan."""
    if data.endswith(_JPEG_END):
        return True
    # Cameras pad a file, or append to it. A thumbnail's own end lies before the scan.
    *_, (_, _, scan) = _jpeg_segments(data)
    return data.rfind(_JPEG_END, scan) >= 0


def read_png(data: bytes) -> Found:
    """Size, turn and kind of a PNG."""
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise ValueError("its PNG header gives no size")
    if len(data) < 33:
        raise EOFError
    turn = 1
    for chunk, start, end in _png_chunks(data):
        if chunk == b"eXIf":
            turn = _exif_orientation(data[start:end])
    return width, height, turn, data[24] in _PNG_DEPTHS.get(data[25], ()) and data[26:28] == b"\0\0"


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


def png_ends(data: bytes) -> bool:
    """Whether the last chunk of a PNG is there."""
    return any(chunk == b"IEND" for chunk, _, _ in _png_chunks(data))


def png_intact(data: bytes) -> bool:
    """Whether the checksums of a complete PNG fit its pixels; a decoder would refuse it where they do not."""
    names = set()
    for chunk, start, end in _png_chunks(data):
        names.add(chunk)
        # A capital letter says that a chunk is vital; damage to others (a date, a comment) is forgiven.
        vital = not chunk[0] & 0x20 and chunk != b"IEND"
        if vital and zlib.crc32(memoryview(data)[start - 4 : end]) != int.from_bytes(data[end : end + 4]):
            return False
    return b"IDAT" in names


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


def read_bmp(data: bytes) -> Found:
    """Size of a BMP, which has no turn."""
    layout = "<HH" if data[14] == 12 else "<ii"
    width, height = struct.unpack_from(layout, data, 18)
    if width <= 0 or height == 0:
        raise ValueError("its BMP header gives no size")
    return width, abs(height), 1, False  # a negative height: the rows run from top to bottom


def bmp_ends(data: bytes) -> bool:
    """Whether all rows of a BMP are there."""
    width, height, *_ = read_bmp(data)
    (start,) = struct.unpack_from("<I", data, 10)
    (bits,) = struct.unpack_from("<H", data, 24 if data[14] == 12 else 28)
    packing, packed = (0, 0) if data[14] == 12 else struct.unpack_from("<II", data, 30)
    plain = (width * bits + 31) // 32 * 4 * height  # rows are padded to four bytes
    return start + (packed if packing in (1, 2) else plain) <= len(data)


def bmp_has_alpha(data: bytes) -> bool:
    """Whether a BMP has an alpha channel; the fourth byte of an ordinary 32-bit BMP is padding."""
    return int.from_bytes(data[14:18], "little") >= 56 and data[30] in (3, 6) and any(data[66:70])


def read_tiff(data: bytes) -> Found:
    """Size and turn of a TIFF's first page."""
    page = tiff_page(data)
    if page.imagewidth <= 0 or page.imagelength <= 0:
        raise ValueError("its TIFF tags give no size")
    turn = page.tags.valueof(_ORIENTATION, default=1)
    return page.imagewidth, page.imagelength, turn if isinstance(turn, int) else 1, False


def _tiff_tags_end(data: bytes) -> int:
    order = "<" if data[0:1] == b"I" else ">"
    if 43 in data[2:4]:  # BigTIFF
        (first,) = struct.unpack_from(order + "Q", data, 8)
        (count,) = struct.unpack_from(order + "Q", data, first)
        return first + 8 + 20 * count
    (first,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, first)
    return first + 2 + 12 * count


def tiff_ends(data: bytes) -> bool:
    """Whether all strips or tiles of a TIFF's first page lie within the file."""
    page = tiff_page(data)
    ends = (start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    return max(ends, default=0) <= len(data)


def tiff_page(data: bytes) -> "TiffPage":
    """The first page of a TIFF.

    Raises
    ------
    EOFError
        The file ends before its table of tags does.
    ValueError
        The tags make no sense.
    """
    import tifffile  # late: it needs NumPy, and who meets no TIFF can start without

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
