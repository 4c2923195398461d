"""Layout of JPEG, PNG, BMP and TIFF files: size, orientation, completeness and transparency, without decoding pixels.

The functions do not check the format of a file; `cfu_core.imaging.headers.image_format` recognises it.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cfu_core.imaging.planes import Planes

#: Width and height as stored, EXIF orientation, and whether the image can certainly be decoded (`ImageHeader.usual`).
Found = tuple[int, int, int, bool]

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_USUAL = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, in Huffman coding
_JPEG_SCAN = 0xDA
_JPEG_SEGMENT = struct.Struct(">BBH").unpack_from
_JPEG_FRAME = struct.Struct(">BHHB").unpack_from
_JPEG_TABLES = {0xC4, 0xDB}  # required for decoding
_JPEG_END = b"\xff\xd9"
_MPO = b"MPF\0"
#: Valid numbers of bits of a sample of a PNG, by colour type.
PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ORIENTATION = 274
_MPO_ENTRIES = 0xB002
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
    """Read size, orientation and kind of a JPEG from the segments before its first scan.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a JPEG does.

    Returns
    -------
    width, height : int
        In pixels as stored, before the EXIF orientation is applied.
    orientation : int
        EXIF orientation as the file states it, also if it is not in 1 to 8; 1 if the file states none, or one that
        cannot be read.
    usual : bool
        Whether it is a baseline, extended or progressive JPEG in Huffman coding, with 8 bits, 1, 3 or 4 channels, the
        tables that decoding needs, and no list of several pictures.

    Raises
    ------
    EOFError or struct.error
        The file ends inside its header.
    ValueError
        A segment is damaged, or no segment states a size.
    """
    orientation, frame, depth, channels = 1, 0, 0, 0
    width = height = 0
    markers, several = set(), False
    for marker, start, end in _jpeg_segments(data):
        markers.add(marker)
        several = several or (marker == 0xE2 and data.startswith(_MPO, start))
        if marker in _JPEG_FRAMES and not frame:
            frame = marker
            depth, height, width, channels = _JPEG_FRAME(data, start)
        elif marker == 0xE1 and orientation == 1 and data.startswith(b"Exif\0\0", start):
            orientation = exif_orientation(data[start + 6 : end])
    if not width or not height:
        raise ValueError("its JPEG header states no size")
    usual = frame in _JPEG_USUAL and depth == 8 and channels in (1, 3, 4) and markers >= _JPEG_TABLES
    usual = usual and not several
    return width, height, orientation, usual


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end of its content) up to and including the header of the first scan."""
    position, marker, size = 2, 0, len(data)
    while marker != _JPEG_SCAN:
        begin, marker, length = _JPEG_SEGMENT(data, position)
        if begin == marker == 0xFF:  # any number of fill bytes may precede a marker
            position += 1
            continue
        if begin != 0xFF or length < 2:
            raise ValueError("its JPEG header is damaged")
        start, position = position + 4, position + 2 + length
        if position > size:
            raise EOFError
        yield marker, start, position


def jpeg_ends(data: bytes) -> bool:
    """Check whether a JPEG contains the end of its image.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a JPEG does.

    Returns
    -------
    bool
        Whether the end marker is at the end of the file, or follows the header of the first scan. Bytes after the
        marker are allowed.

    Raises
    ------
    EOFError or struct.error
        The file ends inside its header, and not with an end marker.
    ValueError
        The header is damaged, and the file does not end with an end marker.
    """
    if data.endswith(_JPEG_END):
        return True
    # Cameras pad files and append data. The end marker of an embedded thumbnail is before the scan.
    *_, (_, _, scan) = _jpeg_segments(data)
    ends = [end for _, end in jpeg_pictures(data)]
    return data.rfind(_JPEG_END, scan) >= 0 and max(ends, default=0) <= len(data)


def jpeg_pictures(data: bytes) -> list[tuple[int, int]]:
    """Find the pictures of a JPEG in the Multi-Picture Format (MPO), such as the two views of a stereo camera.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a JPEG does.

    Returns
    -------
    list of (int, int)
        Start and end of each picture in the file, the main one first; empty for a JPEG that lists no pictures. The main
        one extends to the end of the file, because programs that edit it keep its former length. A picture that the
        file lists but does not contain, as after editing, is (0, 0).

    Raises
    ------
    EOFError or struct.error
        The file ends inside its header.
    ValueError
        A segment is damaged.

    References
    ----------
    CIPA DC-007, "Multi-Picture Format", 2009.
    """
    for marker, start, _ in _jpeg_segments(data):
        if marker == 0xE2 and data.startswith(_MPO, start):
            listed = _mpo_entries(data, start + len(_MPO))[1:]
            return [
                (0, len(data)),
                *((at, at + size) if at and data.startswith(b"\xff\xd8\xff", at) else (0, 0) for size, at in listed),
            ]
    return []


def _mpo_entries(data: bytes, base: int) -> list[tuple[int, int]]:
    """Return length and start of each picture; an empty list if the index cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(data[base : base + 2])
    if order is None:
        return []
    try:
        (first,) = struct.unpack_from(order + "I", data, base + 4)
        (count,) = struct.unpack_from(order + "H", data, base + first)
        for entry in range(base + first + 2, base + first + 2 + 12 * count, 12):
            tag, _, size, place = struct.unpack_from(order + "HHII", data, entry)
            if tag == _MPO_ENTRIES:
                entries = struct.iter_unpack(order + "3I4x", data[base + place : base + place + size // 16 * 16])
                return [(length, base + start if start else 0) for _, length, start in entries]
    except struct.error:
        pass
    return []


def read_png(data: bytes) -> Found:
    """Read size, orientation and kind of a PNG.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    width, height : int
        In pixels as stored, before the EXIF orientation is applied.
    orientation : int
        EXIF orientation as the file states it, also if it is not in 1 to 8; 1 if the file states none, or one that
        cannot be read.
    usual : bool
        Whether the bit depth, the colour type and the methods of compression and filtering are valid, and the image is
        not animated.

    Raises
    ------
    EOFError or struct.error
        The file ends inside its header.
    ValueError
        The first chunk is no header, or states a size of 0.
    """
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR" or not width or not height:
        raise ValueError("its PNG header states no size")
    if len(data) < 33:
        raise EOFError
    orientation, usual = 1, data[24] in PNG_DEPTHS.get(data[25], ()) and data[26:28] == b"\0\0"
    for chunk, start, end in png_chunks(data):
        if chunk == b"eXIf":
            orientation = exif_orientation(data[start:end])
        elif chunk == b"acTL":
            usual = False
    return width, height, orientation, usual


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, and start and end of the content, of every complete chunk of a PNG."""
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
    """Check whether a PNG contains its last chunk, IEND.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    bool
        False if the file ends earlier.
    """
    return any(chunk == b"IEND" for chunk, _, _ in png_chunks(data))


def png_intact(data: bytes) -> bool:
    """Check the checksums of the critical chunks of a complete PNG, except that of its end (IEND).

    Decoders refuse a file with a wrong checksum in one of these chunks. Other chunks, such as a date or a comment, are
    not checked.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    bool
        False if one of these checksums is wrong, or if there is no chunk with pixels (IDAT).
    """
    names = set()
    for chunk, start, end in png_chunks(data):
        names.add(chunk)
        # A capital first letter marks a critical chunk; damage to others (a date, a comment) is ignored.
        critical = not chunk[0] & 0x20 and chunk != b"IEND"
        if critical and zlib.crc32(memoryview(data)[start - 4 : end]) != int.from_bytes(data[end : end + 4]):
            return False
    return b"IDAT" in names


def png_has_alpha(data: bytes) -> bool:
    """Check whether a PNG has an alpha channel or a transparent colour.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    bool
        True also if all pixels are opaque.

    Raises
    ------
    IndexError
        The file ends inside its header.
    """
    return data[25] in (4, 6) or any(chunk == b"tRNS" for chunk, _, _ in png_chunks(data))


def png_transparent_grey(data: bytes) -> int | None:
    """Return the transparent grey value of a PNG.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    int or None
        On the scale of the decoded samples: 0 to 255, or 0 to 65535 for 16 bits. None if the PNG is not grey, has an
        alpha channel, or has no transparent value.

    Raises
    ------
    IndexError
        The file ends inside its header.
    """
    keys = [start for chunk, start, end in png_chunks(data) if chunk == b"tRNS" and end - start == 2]
    if data[25] != 0 or not keys:
        return None
    key, depth = int.from_bytes(data[keys[0] : keys[0] + 2]), data[24]
    return key if depth >= 8 else key * 255 // (2**depth - 1)


def png_depth(data: bytes) -> int:
    """Return the number of bits of a sample of a PNG.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    int
        As the header states it: 1, 2, 4, 8 or 16 in a valid file.

    Raises
    ------
    IndexError
        The file ends inside its header.
    """
    return data[24]


def png_significant_bits(data: bytes) -> int | None:
    """Return the number of significant bits of the samples of a PNG, from its chunk sBIT; None if it has none.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a PNG does.

    Returns
    -------
    int or None
        The largest number of all channels.
    """
    for chunk, start, end in png_chunks(data):
        if chunk == b"sBIT":
            return max(data[start:end], default=None)
    return None


def read_bmp(data: bytes) -> Found:
    """Read the size of a BMP.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a BMP does.

    Returns
    -------
    width, height : int
        In pixels.
    orientation : int
        Always 1, because a BMP states no orientation.
    usual : bool
        Always False: a BMP must be decoded to find out whether it can be.

    Raises
    ------
    IndexError or struct.error
        The file ends inside its header.
    ValueError
        The width is not positive, or the height is 0.
    """
    layout = "<HH" if data[14] == 12 else "<ii"
    width, height = struct.unpack_from(layout, data, 18)
    if width <= 0 or height == 0:
        raise ValueError("its BMP header states no size")
    return width, abs(height), 1, False  # a negative height means rows from top to bottom


def bmp_ends(data: bytes) -> bool:
    """Check whether a BMP contains all its rows.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a BMP does.

    Returns
    -------
    bool
        Whether the file is as long as its header says.

    Raises
    ------
    IndexError or struct.error
        The file ends inside its header.
    ValueError
        The header states no size.
    """
    width, height, *_ = read_bmp(data)
    (start,) = struct.unpack_from("<I", data, 10)
    (bits,) = struct.unpack_from("<H", data, 24 if data[14] == 12 else 28)
    packing, packed = (0, 0) if data[14] == 12 else struct.unpack_from("<II", data, 30)
    plain = (width * bits + 31) // 32 * 4 * height  # rows are padded to four bytes
    return start + (packed if packing in (1, 2) else plain) <= len(data)


def bmp_has_alpha(data: bytes) -> bool:
    """Check whether a BMP has an alpha channel.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a BMP does.

    Returns
    -------
    bool
        Whether the header has a mask for alpha. The fourth byte of an ordinary 32-bit BMP is padding.

    Raises
    ------
    IndexError
        The file ends inside its header.
    """
    return int.from_bytes(data[14:18], "little") >= 56 and data[30] in (3, 6) and any(data[66:70])


def read_tiff(data: bytes, *, first_page: bool = False) -> Found:
    """Read size and orientation of the largest picture of a TIFF.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a TIFF does.
    first_page : bool
        Use only the first page, as before pictures were chosen.

    Returns
    -------
    width, height : int
        In pixels as stored, before the EXIF orientation is applied.
    orientation : int
        EXIF orientation as the file states it, also if it is not in 1 to 8; 1 if the file states none, or one that
        cannot be read.
    usual : bool
        Always False: a TIFF must be decoded to find out whether it can be.

    Raises
    ------
    EOFError or struct.error
        The file ends inside its header.
    ValueError
        The tags are invalid, or state no size.
    """
    page = tiff_planes(data, first_page=first_page).page
    if page.imagewidth <= 0 or page.imagelength <= 0:
        raise ValueError("its TIFF tags state no size")
    orientation = page.tags.valueof(_ORIENTATION, default=1)
    return page.imagewidth, page.imagelength, orientation if isinstance(orientation, int) else 1, False


def _tiff_tables(data: bytes) -> Iterator[int]:
    """Yield the end of each page's table of tags, without the offset of the next page that follows it."""
    order = "<" if data[0:1] == b"I" else ">"
    offset, number, header, entry, start = "I", "H", 2, 12, 4
    if 43 in data[2:4]:  # BigTIFF
        offset, number, header, entry, start = "Q", "Q", 8, 20, 8
    (place,) = struct.unpack_from(order + offset, data, start)
    seen = set()
    while place and place not in seen:
        seen.add(place)
        (count,) = struct.unpack_from(order + number, data, place)
        end = place + header + entry * count
        yield end
        (place,) = struct.unpack_from(order + offset, data, end)


def tiff_ends(data: bytes, *, first_page: bool = False) -> bool:
    """Check whether a TIFF contains all strips or tiles of its largest pictures.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a TIFF does.
    first_page : bool
        Use only the first page, as before pictures were chosen.

    Returns
    -------
    bool
        Whether the file is as long as its tags say.

    Raises
    ------
    EOFError or struct.error
        The file ends before its table of tags does.
    ValueError
        The tags are invalid.
    TypeError
        The positions or lengths of the strips or tiles are not numbers.
    """
    if first_page:
        return tiff_planes(data, first_page=True).end <= len(data)
    *_, last = _tiff_tables(data)  # raises if a page is missing
    return max(last, tiff_planes(data).end) <= len(data)


def tiff_planes(data: bytes, *, first_page: bool = False) -> "Planes":
    """Find the pictures of a TIFF, and read the tags of the largest ones.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a TIFF or BigTIFF does.
    first_page : bool
        Use only the first page, as before pictures were chosen.

    Returns
    -------
    cfu_core.imaging.planes.Planes
        Pixels are decoded only by its method ``read``.

    Raises
    ------
    EOFError or struct.error
        The file ends before its table of tags does.
    ValueError
        The tags are invalid.
    """
    from cfu_core.imaging.planes import open_planes  # late: it imports NumPy, which is not needed for other formats

    if next(_tiff_tables(data), 0) > len(data):
        raise EOFError("the table of tags is missing")
    try:
        planes = open_planes(data, first_page=first_page)
    except Exception as error:
        # invalid tags make tifffile raise many different errors
        raise ValueError(f"its TIFF tags are invalid ({error})") from error
    if not all(isinstance(getattr(planes.page, number, None), int) for number in _TIFF_NUMBERS):
        raise ValueError("its TIFF tags are invalid")
    return planes


def exif_block(data: bytes, kind: str) -> bytes:
    """Return the EXIF data of a JPEG or PNG, which are a small TIFF; empty if it has none or is damaged.

    Parameters
    ----------
    data : bytes
        The whole file.
    kind : str
        ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``; the last two have no such block.
    """
    try:
        if kind == "JPEG":
            for marker, start, end in _jpeg_segments(data):
                if marker == 0xE1 and data.startswith(b"Exif\0\0", start):
                    return data[start + 6 : end]
        elif kind == "PNG":
            for chunk, start, end in png_chunks(data):
                if chunk == b"eXIf":
                    return data[start:end]
    except (EOFError, ValueError, struct.error):
        pass
    return b""


def exif_orientation(exif: bytes) -> int:
    """Return the orientation that an EXIF block (a small TIFF) states; 1 if it cannot be read."""
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
