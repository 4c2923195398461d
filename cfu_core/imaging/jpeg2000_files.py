"""Layout of JPEG 2000 files: size, kinds of channels and completeness, without decoding pixels.

References
----------
ISO/IEC 15444-1, "JPEG 2000 image coding system: Core coding system", annexes A (codestream) and I (file format).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_CODESTREAM = b"\xff\x4f\xff\x51"
_TILE_PART, _END = b"\xff\x90", b"\xff\xd9"
_COLOURS = {0: "", 12: "CMYK", 16: "RGB", 17: "grey", 18: "sYCC"}  # by number of the enumerated colour space
_SUBSAMPLING = [[(1, 1), step, step] for step in ((1, 1), (2, 1), (2, 2))]  # of three channels
_OPACITY, _PREMULTIPLIED = 1, 2  # types of channels


class Jpeg2000(NamedTuple):
    """What the header of a JPEG 2000 file states.

    Attributes
    ----------
    width, height : int
        In pixels.
    bits : int
        Largest number of bits of a sample; of the palette, if there is one.
    signed : bool
        Whether samples may be negative.
    channels : int
        Number of channels, after the palette is applied.
    alpha : int or None
        Number of the channel with the opacity of the whole image, from 0.
    premultiplied : bool
        Whether the colours have been multiplied by the opacity.
    colours : str
        ``grey``, ``RGB``, ``sYCC``, ``CMYK``; ``unknown`` for other colours and for rare subsampling; ``""`` if not
        stated.
    images : int
        Number of images in the file.
    """

    width: int
    height: int
    bits: int
    signed: bool
    channels: int
    alpha: int | None
    premultiplied: bool
    colours: str
    images: int


def jpeg2000_header(data: bytes) -> Jpeg2000:
    """Read the header of a JPEG 2000 file or of a codestream without a file format.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a JPEG 2000 file does.

    Raises
    ------
    EOFError, struct.error or IndexError
        The file ends inside its header.
    ValueError
        It contains no codestream, or one that states no size.
    """
    boxes = list(_all_boxes(data))
    streams = [start for name, start, _ in boxes if name == b"jp2c"]
    if not streams and boxes[-1][2] != len(data):
        raise EOFError
    start = streams[0] if streams else 0
    if not data.startswith(_CODESTREAM, start):
        raise ValueError("it contains no JPEG 2000 codestream")
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    (count,) = struct.unpack_from(">H", data, start + 40)
    if right <= left or bottom <= top or not count:
        raise ValueError("its JPEG 2000 header states no size")
    components = list(struct.iter_unpack("3B", data[start + 42 : start + 42 + 3 * count]))
    if len(components) < count:
        raise EOFError
    depths, steps = [depth for depth, *_ in components], [(across, down) for _, across, down in components]
    alpha, premultiplied, colours = None, False, ""
    for name, begin, end in boxes:
        if name == b"pclr":
            count = data[begin + 2]
            depths = list(data[begin + 3 : begin + 3 + count]) or depths
        elif name == b"cdef":
            alpha, premultiplied = _alpha(data[begin:end])
        elif name == b"colr":
            colours = colours or _colours(data[begin:end])
    subsampled = set(steps) != {(1, 1)} or colours == "sYCC"
    return Jpeg2000(
        right - left,
        bottom - top,
        max((depth & 0x7F) + 1 for depth in depths),
        any(depth & 0x80 for depth in depths),
        count,
        alpha if alpha is None or alpha < count else None,
        premultiplied,
        "unknown" if subsampled and steps not in _SUBSAMPLING else colours,
        len(streams),
    )


def _colours(box: bytes) -> str:
    """Return the model of the colours that a box of a colour specification states; "" if it states none."""
    method = box[0]
    if method == 1:
        (number,) = struct.unpack_from(">I", box, 3)
        return _COLOURS.get(number, "unknown")
    if method == 2:  # an ICC profile
        return {b"GRAY": "grey", b"RGB ": "RGB", b"CMYK": "CMYK"}.get(box[19:23], "unknown")
    return ""


def read_jpeg2000(data: bytes) -> tuple[int, int, int, bool]:
    """Read the size of a JPEG 2000 file.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a JPEG 2000 file does.

    Returns
    -------
    width, height : int
        In pixels.
    orientation : int
        Always 1, because the format states no orientation.
    usual : bool
        Always False: the file must be decoded to find out whether it can be.

    Raises
    ------
    EOFError, struct.error or IndexError
        The file ends inside its header.
    ValueError
        It contains no codestream, or one that states no size.
    """
    header = jpeg2000_header(data)
    return header.width, header.height, 1, False


def jpeg2000_ends(data: bytes) -> bool:
    """Check whether a JPEG 2000 file contains all parts of its tiles, and the end marker.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a JPEG 2000 file does.

    Returns
    -------
    bool
        False if the file ends earlier.

    Raises
    ------
    struct.error
        The file ends inside its header.
    """
    start, end = next((start, end) for name, start, end in _all_boxes(data) if name == b"jp2c")
    position = start + 2
    while data[position : position + 2] != _TILE_PART:
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + max(length, 2)
    while data[position : position + 2] == _TILE_PART:
        (length,) = struct.unpack_from(">I", data, position + 6)
        if not length:  # the last part, of any length
            return data.rfind(_END, position, end) >= 0
        position += max(length, 12)
    return data[position : position + 2] == _END


def _all_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, and start and end of the content, of the boxes of a file and of its header box.

    The last box may end after the file. A codestream without a file format counts as one box.
    """
    if data.startswith(_CODESTREAM[:2]):
        yield b"jp2c", 0, len(data)
        return
    for name, start, end in _boxes(data, 0, len(data)):
        yield name, start, end
        if name == b"jp2h":
            yield from _boxes(data, start, end)


def _boxes(data: bytes, position: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    while position + 8 <= stop:
        length, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = position + length if length else stop
        if end < start:
            return
        yield name, start, end
        position = end


def _alpha(definitions: bytes) -> tuple[int | None, bool]:
    """Return the number of the channel with the opacity of the whole image, and whether it is premultiplied."""
    (count,) = struct.unpack_from(">H", definitions)
    for number in range(count):
        channel, kind, belongs_to = struct.unpack_from(">3H", definitions, 2 + 6 * number)
        if kind in (_OPACITY, _PREMULTIPLIED) and belongs_to == 0:
            return channel, kind == _PREMULTIPLIED
    return None, False
