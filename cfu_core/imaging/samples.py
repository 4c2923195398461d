"""Samples of an image file as stored, and their conversion to RGB."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage

from cfu_core.imaging.file_formats import (
    bmp_has_alpha,
    png_depth,
    png_has_alpha,
    png_significant_bits,
    png_transparent_grey,
    tiff_planes,
)
from cfu_core.imaging.headers import MAX_PIXELS
from cfu_core.imaging.planes import FIRST_PAGE, Planes, sharpest_plane
from cfu_core.imaging.sample_range import SampleRange, earlier_range, to_eight_bits

COLOR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_MAX_SAMPLES = 5  # CMYK and alpha; more would be a stack, and could exhaust the memory
_COLOURED = (
    PHOTOMETRIC.MINISWHITE,
    PHOTOMETRIC.MINISBLACK,
    PHOTOMETRIC.RGB,
    PHOTOMETRIC.SEPARATED,
    PHOTOMETRIC.YCBCR,
)
#: Pairs of TIFF tags with the smallest and the largest value of a sample.
_RANGE_TAGS = (("SMinSampleValue", "SMaxSampleValue"), ("MinSampleValue", "MaxSampleValue"))
_OME_BITS = re.compile(r'SignificantBits="(\d+)"')
_IMAGEJ_RANGE = re.compile(r"^min=(\S+)$.*?^max=(\S+)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class PlaneChoice:
    """Which picture of a file is used, and what is left out.

    Attributes
    ----------
    index : int
        Number of the picture, from 0, or `cfu_core.imaging.planes.FIRST_PAGE`.
    count : int
        Number of pictures of this size in the file.
    axes : tuple of str
        What the pictures differ in, as in `cfu_core.imaging.planes.Planes`.
    others : int
        Number of pictures of other sizes.
    missing : int
        Number of pictures that the file describes but does not contain.
    extra_channels : int
        Number of channels that are neither colours nor alpha.
    """

    index: int
    count: int
    axes: tuple[str, ...]
    others: int
    missing: int
    extra_channels: int

    @property
    def complete(self) -> bool:
        """Whether the whole content of the file is used."""
        return self.count == 1 and not (self.others or self.missing or self.extra_channels)


class Samples(NamedTuple):
    """The samples of an image, before the EXIF orientation is applied.

    Attributes
    ----------
    colours : ndarray, shape (H, W, C)
        One (grey), three (RGB) or four (CMYK) channels of any type.
    alpha : ndarray or None, shape (H, W)
        Opacity, if the file has it.
    premultiplied : bool
        Whether the colours have been multiplied by the opacity.
    inverted : bool
        Whether 0 is white.
    bits : int
        Number of bits of a sample, which may be less than its type has.
    declared : SampleRange or None
        Range of the colours that the file states.
    plane : PlaneChoice or None
        Which picture of a TIFF this is.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    premultiplied: bool = False
    inverted: bool = False
    bits: int = 8
    declared: SampleRange | None = None
    plane: PlaneChoice | None = None

    @property
    def deep(self) -> bool:
        """Whether a sample has more than 8 bits."""
        return self.colours.dtype not in (np.uint8, np.bool_)


def read_samples(data: bytes, kind: str, plane: int | None = None) -> Samples:
    """Decode the samples of an image file.

    Parameters
    ----------
    data : bytes
        The whole file, whose structure has been checked.
    kind : str
        ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.
    plane : int, optional
        Which of several pictures of a TIFF, from 0, or `cfu_core.imaging.planes.FIRST_PAGE`; by default the sharpest.
        Without effect on other formats.

    Raises
    ------
    ValueError
        The content is damaged, or its pixels are stored in an unsupported way; the message is a clause.
    cv2.error, MemoryError
        The decoder failed.
    """
    if kind != "TIFF":
        return _read_plain(data, kind)
    planes = tiff_planes(data, first_page=plane == FIRST_PAGE)
    if plane is None:
        plane = sharpest_plane(planes)
    samples, extra_channels = _read_tiff(planes, 0 if plane == FIRST_PAGE else plane)
    missing = len(planes.missing)
    return samples._replace(
        plane=PlaneChoice(plane, planes.count - missing, planes.axes, planes.others, missing, extra_channels)
    )


def to_rgb(samples: Samples, chosen: SampleRange | None = None) -> np.ndarray:
    """Convert samples to RGB.

    Parameters
    ----------
    samples : Samples
        From `read_samples`.
    chosen : SampleRange, optional
        Range of samples of more than 8 bits. By default it is chosen for this image alone, as before ranges were chosen
        for datasets (`cfu_core.imaging.sample_range.earlier_range`).

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Grey is repeated in the three channels, transparency is blended with white, and CMYK is converted without a
        colour profile.

    Raises
    ------
    ValueError
        Without `chosen`: the samples are not in a range that could be chosen; the message is a clause.
    """
    if samples.deep:
        chosen = chosen or earlier_range(samples.colours)
        values = to_eight_bits(samples.colours, chosen)
    else:
        values = _eight_bits(samples.colours, samples.bits)
    if values.shape[2] == 4:
        rgb = _cmyk(values)
    else:
        rgb = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_GRAY2RGB) if values.shape[2] == 1 else values
    if samples.inverted:
        rgb = 255 - rgb
    if samples.alpha is None:
        return rgb
    return _on_white(rgb, _opacity(samples.alpha, samples.bits), premultiplied=samples.premultiplied)


def _read_plain(data: bytes, kind: str) -> Samples:
    """Decode a JPEG, PNG or BMP."""
    alpha = (kind == "PNG" and png_has_alpha(data)) or (kind == "BMP" and bmp_has_alpha(data))
    deep = kind == "PNG" and png_depth(data) == 16
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if alpha or deep else COLOR)
    if pixels is None:
        raise ValueError("its content is damaged")
    if not (alpha or deep):
        return Samples(pixels)
    bits = png_significant_bits(data) if deep else None
    declared = SampleRange(0, 2**bits - 1) if bits and bits < 16 else None
    if pixels.ndim == 2:
        key = png_transparent_grey(data) if alpha else None  # the only kind of transparency that OpenCV ignores
        opacity = None if key is None else np.where(pixels == key, 0, 255).astype(np.uint8)
        return Samples(pixels[..., None], opacity, declared=declared)
    return Samples(pixels[..., 2::-1], pixels[..., 3] if pixels.shape[2] == 4 else None, declared=declared)


def _read_tiff(planes: Planes, plane: int) -> tuple[Samples, int]:
    """Decode one picture of a TIFF; return also the number of channels that are neither colours nor alpha."""
    page = planes.page
    _check_tiff(page)
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression != COMPRESSION.JPEG:
        # tifffile does not convert these to RGB
        _, pages = cv2.imdecodemulti(np.frombuffer(planes.data, np.uint8), COLOR)
        number = planes.page_number(plane)
        if number >= len(pages):
            raise ValueError("its colours are stored in an unsupported way")
        return Samples(pages[number]), 0
    samples = planes.read(plane)
    meaning, count = page.photometric, samples.shape[2]
    if meaning == PHOTOMETRIC.PALETTE:
        if page.colormap is None:
            raise ValueError("its palette is missing")
        return Samples(_palette(samples[..., 0], page.colormap)), 0
    colours = 4 if meaning == PHOTOMETRIC.SEPARATED else 3 if count >= 3 else 1
    if count < colours or meaning not in _COLOURED:
        raise ValueError(f"its colours are stored in an unsupported way ({count} per pixel)")
    if samples.dtype.kind == "c":
        raise ValueError("its samples are complex numbers")
    extra = page.extrasamples[0] if page.extrasamples and count > colours else 0
    found = Samples(
        samples[..., :colours],
        samples[..., colours] if extra in (1, 2) else None,
        premultiplied=extra == 1,
        inverted=meaning == PHOTOMETRIC.MINISWHITE,
        bits=page.bitspersample,
        declared=_declared_range(page, samples.dtype),
    )
    return found, count - colours - (extra in (1, 2))


def _check_tiff(page: TiffPage) -> None:
    if page.imagedepth != 1:
        raise ValueError(f"it is a stack of {page.imagedepth} planes, not one image")
    if page.samplesperpixel > _MAX_SAMPLES:
        raise ValueError(f"it has {page.samplesperpixel} channels, not 1 (grey), 3 (RGB) or 4")
    if page.is_tiled and page.tilewidth * page.tilelength > MAX_PIXELS:
        raise ValueError("its tiles are larger than any image may be")


def _declared_range(page: TiffPage, dtype: np.dtype) -> SampleRange | None:
    """Return the range that a TIFF states in its tags, as OME metadata or as ImageJ metadata.

    The whole range of an integer type says nothing about the camera, so it does not count.
    """
    stated = _stated_range(page)
    whole = dtype.kind in "iu" and stated == (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return None if whole else stated


def _stated_range(page: TiffPage) -> SampleRange | None:
    try:
        for black, white in _RANGE_TAGS:
            if black in page.tags and white in page.tags:
                low, high = np.min(page.tags[black].value), np.max(page.tags[white].value)
                return SampleRange(float(low), float(high))
        if bits := _OME_BITS.search(page.description):
            return SampleRange(0, 2 ** int(bits[1]) - 1)
        if ends := _IMAGEJ_RANGE.search(page.description):
            return SampleRange(float(ends[1]), float(ends[2]))
    except (ValueError, TypeError, OverflowError):  # not numbers
        return None
    return None


def _eight_bits(samples: np.ndarray, bits: int) -> np.ndarray:
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * 255
    return samples if bits >= 8 else samples * np.uint8(255 // (2**bits - 1))


def _opacity(alpha: np.ndarray, bits: int) -> np.ndarray:
    """Scale alpha to uint8: integers from the whole range of their type, floating-point numbers from 0 to 1."""
    if alpha.dtype in (np.uint8, np.bool_):
        return _eight_bits(alpha, bits)
    return to_eight_bits(alpha, SampleRange(0, np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1))


def _palette(indices: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    # colours are stored in 16 bits (3, N); some old programs fill only the lower 8
    table = (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8).T
    if indices.max() >= len(table):
        raise ValueError("its palette is too short")
    return table[indices]


def _cmyk(values: np.ndarray) -> np.ndarray:
    light = 255 - values.astype(np.uint16)
    return ((light[..., :3] * light[..., 3:] + 127) // 255).astype(np.uint8)


def _on_white(rgb: np.ndarray, alpha: np.ndarray, *, premultiplied: bool = False) -> np.ndarray:
    cover = alpha[..., None].astype(np.uint16)
    if premultiplied:
        return np.minimum(rgb + (255 - cover), 255).astype(np.uint8)
    return ((rgb * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)
