"""Reading of image files: from the bytes of any supported format, bit depth and colour model to RGB pixels."""

import logging
from pathlib import Path

import cv2
import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage

from cfu_core.errors import ImageError
from cfu_core.imaging.file_formats import (
    bmp_has_alpha,
    png_depth,
    png_has_alpha,
    png_intact,
    png_transparent_grey,
    tiff_page,
)
from cfu_core.imaging.headers import (
    EXTENSIONS,
    FORMAT_EXTENSIONS,
    MAX_PIXELS,
    ImageHeader,
    check_structure,
    read_header,
)

__all__ = [
    "EXTENSIONS",
    "FORMAT_EXTENSIONS",
    "MAX_PIXELS",
    "ImageHeader",
    "check",
    "decode",
    "decode_small",
    "read",
    "read_header",
]

_DEPTHS = (8, 10, 12, 14, 16)
_MAX_SAMPLES = 5  # CMYK and alpha; more would be a stack, and could exhaust the memory
_COLOR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}

# errors of decoders are reported as an ImageError, not on the terminal
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def check(data: bytes, *, name: str = "image") -> ImageHeader:
    """Check that a file is a complete image, in a fraction of the time that decoding it takes.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        Name of the file in error messages.

    Returns
    -------
    ImageHeader
        Format, size and orientation.

    Raises
    ------
    ImageError
        The file cannot be decoded; with the same kinds as from `decode`.

    Notes
    -----
    `decode` reads every file that passes this check, unless the pixels of a complete JPEG or PNG of a usual kind are
    damaged. Decoders rarely detect such damage in a JPEG: they produce wrong pixels. Files of unusual kinds, all BMP
    and all TIFF files are decoded here, because only decoding shows whether it succeeds.
    """
    header = check_structure(data, name=name)
    if not header.usual:
        decode(data, name=name)
    elif header.format == "PNG" and not png_intact(data):
        raise _undecodable(name, "its content is damaged")
    return header


def decode(data: bytes, *, name: str = "image") -> np.ndarray:
    """Decode a JPEG, PNG, BMP or TIFF (first page) to RGB pixels.

    Parameters
    ----------
    data : bytes
        The whole file. Its format is recognised by its content.
    name : str
        Name of the file in error messages.

    Returns
    -------
    ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied. Grey is repeated in the three channels, transparency is blended with
        white, and CMYK is converted without a colour profile. Samples of 16 bits are scaled to 8 bits from the smallest
        range of 8, 10, 12, 14 or 16 bits that contains the largest sample, because cameras store 12 bits in 16. An
        alpha channel of 16 bits is scaled from the whole range. Floating-point samples must be between 0 and 1.

    Raises
    ------
    ImageError
        Kind ``empty``: the file has no bytes. ``not-an-image``: it is not a JPEG, PNG, BMP or TIFF. ``truncated``: its
        end is missing. ``too-large``: it has more than `MAX_PIXELS` pixels, according to its header. ``unreadable``: it
        is damaged, or stores its pixels in an unsupported way.
    """
    header = check_structure(data, name=name)
    try:
        pixels = _decode_tiff(data) if header.format == "TIFF" else _decode_plain(data, header.format)
        pixels = np.ascontiguousarray(_upright(pixels, header.orientation))
        if pixels.shape != (header.height, header.width, 3):
            raise ValueError("its size differs from the one in its header")
    except (ValueError, MemoryError, cv2.error) as error:
        reason = error if isinstance(error, ValueError) else "the decoder failed"
        raise _undecodable(name, reason) from error
    return pixels


def decode_small(data: bytes, *, side: int, name: str = "image") -> np.ndarray:
    """Decode an image at a reduced size, such as for a thumbnail.

    A JPEG that is at least twice as large as needed is shrunk while it is decoded, which takes a fraction of the time.

    Parameters
    ----------
    data : bytes
        The whole file.
    side : int
        Smallest number of pixels of the longer side of the result, unless the image itself is smaller. A JPEG is shrunk
        by the largest of the factors 2, 4 and 8 that leaves at least this number. PNG, BMP and TIFF images are not
        shrunk.
    name : str
        Name of the file in error messages.

    Returns
    -------
    ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied. H and W of a JPEG are those of the image divided by 1, 2, 4 or 8 and
        rounded up.

    Raises
    ------
    ImageError
        The file cannot be decoded; with the same kinds as from `decode`.
    """
    header = check_structure(data, name=name)
    factor = next((factor for factor in _REDUCED if max(header.width, header.height) >= factor * side), 1)
    if header.format != "JPEG" or factor == 1:
        return decode(data, name=name)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION)
    except (MemoryError, cv2.error) as error:
        raise _undecodable(name, "the decoder failed") from error
    if pixels is None:
        raise _undecodable(name, "its content is damaged")
    return np.ascontiguousarray(_upright(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), header.orientation))


def read(path: Path) -> np.ndarray:
    """Read and decode an image file.

    Parameters
    ----------
    path : Path
        A JPEG, PNG, BMP or TIFF file, which is recognised by its content.

    Returns
    -------
    ndarray, uint8, shape (H, W, 3), C-contiguous
        RGB, with the EXIF orientation applied; see `decode` for grey, transparent, CMYK and 16-bit images.

    Raises
    ------
    ImageError
        Kind ``missing``: the file does not exist. ``no-permission``: this user may not read it. ``unreadable``: reading
        fails, for example because `path` is a folder. The kinds of `decode`: the content cannot be decoded.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist.", kind="missing") from error
    except OSError as error:
        kind = "no-permission" if isinstance(error, PermissionError) else "unreadable"
        raise ImageError(f"{path} cannot be read: {error.strerror}.", kind=kind) from error
    return decode(data, name=path.name)


def _undecodable(name: str, reason: object) -> ImageError:
    return ImageError(
        f"{name} cannot be decoded: {reason}.", "", "Save it again as JPEG, PNG or TIFF.", kind="unreadable"
    )


def _decode_plain(data: bytes, kind: str) -> np.ndarray:
    """Decode a JPEG, PNG or BMP to RGB uint8 (H, W, 3), in the orientation of the file."""
    alpha = (kind == "PNG" and png_has_alpha(data)) or (kind == "BMP" and bmp_has_alpha(data))
    deep = kind == "PNG" and png_depth(data) == 16
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if alpha or deep else _COLOR)
    if pixels is None:
        raise ValueError("its content is damaged")
    if not (alpha or deep):
        return pixels
    if pixels.ndim == 2:
        key = png_transparent_grey(data) if alpha else None  # the only kind of transparency that OpenCV ignores
        grey = _grey(_eight_bits(pixels))
        return grey if key is None else np.where((pixels == key)[..., None], np.uint8(255), grey)
    rgb = _eight_bits(pixels[..., 2::-1])
    return _on_white(rgb, _alpha(pixels[..., 3])) if pixels.shape[2] == 4 else rgb


def _decode_tiff(data: bytes) -> np.ndarray:
    """Decode the first page of a TIFF to RGB uint8 (H, W, 3), in the orientation of the file."""
    page = tiff_page(data)
    _check_tiff(page)
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression != COMPRESSION.JPEG:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _COLOR)  # tifffile does not convert these to RGB
        if pixels is None:
            raise ValueError("its colours are stored in an unsupported way")
        return pixels
    try:
        samples = page.asarray(maxworkers=1)
    except Exception as error:
        # each codec raises errors of its own
        raise ValueError(f"its content is damaged, or compressed in an unsupported way ({error})") from error
    if page.axes == "SYX":  # one plane after the other
        samples = np.moveaxis(samples, 0, -1)
    return _tiff_colours(samples.reshape(page.imagelength, page.imagewidth, -1), page)


def _check_tiff(page: TiffPage) -> None:
    if page.imagedepth != 1:
        raise ValueError(f"it is a stack of {page.imagedepth} planes, not one image")
    if page.samplesperpixel > _MAX_SAMPLES:
        raise ValueError(f"it has {page.samplesperpixel} channels, not 1 (grey), 3 (RGB) or 4")
    if page.is_tiled and page.tilewidth * page.tilelength > MAX_PIXELS:
        raise ValueError("its tiles are larger than any image may be")


def _tiff_colours(samples: np.ndarray, page: TiffPage) -> np.ndarray:
    """Convert samples (H, W, S) of any depth to RGB uint8 (H, W, 3), as the tags define them."""
    meaning, count = page.photometric, samples.shape[2]
    if meaning == PHOTOMETRIC.PALETTE:
        if page.colormap is None:
            raise ValueError("its palette is missing")
        return _palette(samples[..., 0], page.colormap)
    colours = 4 if meaning == PHOTOMETRIC.SEPARATED else 3 if count >= 3 else 1
    if count < colours or meaning not in _COLOURED:
        raise ValueError(f"its colours are stored in an unsupported way ({count} per pixel)")
    values = _eight_bits(samples[..., :colours], bits=page.bitspersample)
    if meaning == PHOTOMETRIC.SEPARATED:
        rgb = _cmyk(values)
    else:
        rgb = _grey(values[..., 0]) if colours == 1 else values
        rgb = 255 - rgb if meaning == PHOTOMETRIC.MINISWHITE else rgb
    extra = page.extrasamples[0] if page.extrasamples and count > colours else 0
    if extra not in (1, 2):  # an extra channel that is not declared as alpha is ignored
        return rgb
    alpha = _alpha(samples[..., colours], bits=page.bitspersample)
    return _on_white(rgb, alpha, premultiplied=extra == 1)


_COLOURED = (
    PHOTOMETRIC.MINISWHITE,
    PHOTOMETRIC.MINISBLACK,
    PHOTOMETRIC.RGB,
    PHOTOMETRIC.SEPARATED,
    PHOTOMETRIC.YCBCR,
)


def _eight_bits(samples: np.ndarray, *, bits: int = 8) -> np.ndarray:
    """Scale samples of any type to uint8, 0 to 255; `bits` is the depth of samples of less than a byte."""
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * 255
    if samples.dtype == np.uint8:
        return samples if bits >= 8 else samples * np.uint8(255 // (2**bits - 1))
    peak, floor = samples.max(), samples.min()
    if samples.dtype.kind == "f" and 0 <= floor <= peak <= 1:
        return np.rint(samples * 255).astype(np.uint8)
    if samples.dtype.kind in "iu" and 0 <= floor <= peak < 2**16:
        depth = next(depth for depth in _DEPTHS if peak < 2**depth)
        return cv2.convertScaleAbs(np.ascontiguousarray(samples, np.uint16), alpha=255 / (2**depth - 1)).reshape(
            samples.shape
        )
    raise ValueError(f"its samples are from {floor:g} to {peak:g} as {samples.dtype}, which is not a colour range")


def _grey(values: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_GRAY2RGB)


def _palette(indices: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    # colours are stored in 16 bits (3, N); some old programs fill only the lower 8
    table = (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8).T
    if indices.max() >= len(table):
        raise ValueError("its palette is too short")
    return table[indices]


def _cmyk(values: np.ndarray) -> np.ndarray:
    light = 255 - values.astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def _alpha(samples: np.ndarray, *, bits: int = 8) -> np.ndarray:
    """Scale alpha to uint8; unlike a colour, alpha of 16 bits uses the whole range."""
    if samples.dtype == np.uint16:
        return cv2.convertScaleAbs(np.ascontiguousarray(samples), alpha=255 / 65535).reshape(samples.shape)
    return _eight_bits(samples, bits=bits)


def _on_white(rgb: np.ndarray, alpha: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    cover = alpha[..., None].astype(np.uint16)
    if premultiplied:
        return np.minimum(rgb + (255 - cover), 255).astype(np.uint8)
    return ((rgb * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and mirror pixels as an EXIF orientation (1 to 8) specifies."""
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(pixels, flips[orientation]) if orientation in flips else pixels
