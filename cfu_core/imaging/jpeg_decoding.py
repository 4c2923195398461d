"""Decoding of JPEG files with libjpeg-turbo, whose warnings are collected."""

import math
import re

import imagecodecs
import numpy as np
import simplejpeg

from cfu_core.imaging.decoder_warnings import add_warning

_RGB = 2  # number of the colour space in libjpeg
_DAMAGE = re.compile(r"Corrupt|Premature")  # other errors are about what simplejpeg supports


def decode_jpeg(data: bytes, *, factor: int = 1) -> np.ndarray:
    """Decode a JPEG.

    Parameters
    ----------
    data : bytes
        The whole file, or one picture of a file with several.
    factor : {1, 2, 4, 8}
        The image is shrunk by this factor while it is decoded, except if its chroma is subsampled in a rare way.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB, before the EXIF orientation is applied. CMYK is converted without a colour profile.

    Raises
    ------
    ValueError
        The content is damaged, or stored in an unsupported way; the message is a clause.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):  # KeyError: it has no name for the colour space
        return _rare(data)
    cmyk = colours in ("CMYK", "YCCK")
    options = {"colorspace": "CMYK" if cmyk else "RGB"}
    if factor > 1:
        options |= {"min_height": math.ceil(height / factor), "min_width": math.ceil(width / factor)}
    try:
        pixels = simplejpeg.decode_jpeg(data, strict=True, **options)
    except ValueError as error:
        try:
            pixels = simplejpeg.decode_jpeg(data, strict=False, **options)
        except ValueError as reason:
            raise ValueError(f"its content is damaged ({reason})") from reason
        add_warning(str(error))
    return _from_cmyk(pixels) if cmyk else pixels


def find_damage(data: bytes, tables: bytes | None = None) -> None:
    """Add the warnings of libjpeg-turbo about a JPEG that another library decodes without them.

    Parameters
    ----------
    data : bytes
        A JPEG, such as a strip or tile of a TIFF.
    tables : bytes, optional
        A JPEG with only the tables that `data` needs.
    """
    if tables:
        data = tables.removesuffix(b"\xff\xd9") + data[2:]  # without the second start of an image
    try:
        simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except (ValueError, KeyError) as error:
        if _DAMAGE.search(str(error)):
            add_warning(str(error))


def _rare(data: bytes) -> np.ndarray:
    """Decode a JPEG that simplejpeg does not describe, such as one with rare subsampling; without its warnings."""
    try:
        return imagecodecs.jpeg8_decode(data, outcolorspace=_RGB)
    except Exception as error:
        # the extension defines errors of its own
        raise ValueError(f"its content is damaged, or stored in an unsupported way ({error})") from error


def _from_cmyk(pixels: np.ndarray) -> np.ndarray:
    """Convert inverted CMYK, as Adobe's programs store it, to RGB."""
    black = pixels[..., 3:].astype(np.int32)
    return (black - ((255 - pixels[..., :3]) * black >> 8)).astype(np.uint8)
