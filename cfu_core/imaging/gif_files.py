"""Layout of GIF files: size, number of frames and completeness, without decoding pixels.

References
----------
CompuServe, "Graphics Interchange Format, Version 89a", 1990.
"""

import struct
from collections.abc import Iterator

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B


def read_gif(data: bytes) -> tuple[int, int, int, bool]:
    """Read the size of a GIF.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a GIF does.

    Returns
    -------
    width, height : int
        Size of the logical screen in pixels, on which all frames are drawn.
    orientation : int
        Always 1, because a GIF states no orientation.
    usual : bool
        Always False: a GIF must be decoded to find out whether it can be.

    Raises
    ------
    struct.error
        The file ends inside its header.
    ValueError
        The width or the height is 0.
    """
    width, height = struct.unpack_from("<HH", data, 6)
    if not width or not height:
        raise ValueError("its GIF header states no size")
    return width, height, 1, False


def gif_ends(data: bytes) -> bool:
    """Check whether a GIF contains a frame and its trailer.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a GIF does.

    Returns
    -------
    bool
        False if there is no frame before the trailer.

    Raises
    ------
    IndexError
        The file ends before its trailer.
    ValueError
        A block is of an unknown kind.
    """
    return gif_frame_count(data) > 0


def gif_frame_count(data: bytes) -> int:
    """Return the number of frames of a GIF.

    Parameters
    ----------
    data : bytes
        The whole file, which must begin as a GIF does.

    Raises
    ------
    IndexError
        The file ends before its trailer.
    ValueError
        A block is of an unknown kind.
    """
    return sum(kind == _IMAGE for kind in _blocks(data))


def _blocks(data: bytes) -> Iterator[int]:
    """Yield the kind of each block before the trailer."""
    position = 13 + _colour_table(data[10])
    while (kind := data[position]) != _TRAILER:
        if kind == _IMAGE:
            position += 11 + _colour_table(data[position + 9])  # with the size of the first codes
        elif kind == _EXTENSION:
            position += 2
        else:
            raise ValueError("its GIF blocks are damaged")
        while length := data[position]:
            position += 1 + length
        position += 1
        yield kind


def _colour_table(flags: int) -> int:
    """Return the number of bytes of the colour table that a flag field announces."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
