"""Layout of WebP files: size, orientation, number of frames and completeness, without decoding pixels.

References
----------
Google, "WebP Container Specification", RFC 9649, 2024.
"""

import struct
from collections.abc import Iterator

from cfu_core.imaging.file_formats import exif_orientation

_STILL = (b"VP8 ", b"VP8L")


def read_webp(data: bytes) -> tuple[int, int, int, bool]:
    """Read size and orientation of a WebP.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a WebP does.

    Returns
    -------
    width, height : int
        Size of the canvas in pixels, before the EXIF orientation is applied.
    orientation : int
        EXIF orientation as the file states it, also if it is not in 1 to 8; 1 if the file states none, or one that
        cannot be read.
    usual : bool
        Always False: a WebP must be decoded to find out whether it can be.

    Raises
    ------
    EOFError or struct.error
        The file ends inside its header.
    ValueError
        The first chunk states no size.
    """
    name, start = data[12:16], 20
    if name == b"VP8X":
        width, height = (int.from_bytes(_bytes(data, start + place, 3), "little") + 1 for place in (4, 7))
    elif name == b"VP8 " and _bytes(data, start + 3, 3) == b"\x9d\x01\x2a":
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", data, start + 6))
    elif name == b"VP8L" and _bytes(data, start, 1) == b"\x2f":
        (bits,) = struct.unpack_from("<I", data, start + 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        raise ValueError("its WebP header states no size")
    orientation = 1
    for chunk, begin, end in _chunks(data):
        if chunk == b"EXIF":
            orientation = exif_orientation(data[begin:end].removeprefix(b"Exif\0\0"))
    return width, height, orientation, False


def webp_ends(data: bytes) -> bool:
    """Check whether a WebP contains all its chunks, and one with pixels.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a WebP does.

    Returns
    -------
    bool
        False if the file ends earlier.
    """
    chunks = list(_chunks(data))
    end = 8 + int.from_bytes(data[4:8], "little")
    return end <= len(data) and any(name in (*_STILL, b"ANMF") for name, _, _ in chunks)


def webp_frame_count(data: bytes) -> int:
    """Return the number of frames of a WebP; 1 if it is not animated.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a WebP does.
    """
    return max(1, sum(name == b"ANMF" for name, _, _ in _chunks(data)))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of its content) of every complete chunk."""
    position, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while position + 8 <= end:
        (length,) = struct.unpack_from("<I", data, position + 4)
        start = position + 8
        if start + length > end:
            return
        yield data[position : position + 4], start, start + length
        position = start + length + length % 2


def _bytes(data: bytes, start: int, length: int) -> bytes:
    found = data[start : start + length]
    if len(found) < length:
        raise EOFError
    return found
