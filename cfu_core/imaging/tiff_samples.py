"""Samples of the pictures of a TIFF file."""

import re

import cv2
import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage

from cfu_core.imaging.combined_planes import combinations, composite, fused_planes
from cfu_core.imaging.headers import MAX_PIXELS
from cfu_core.imaging.planes import COMPOSITE, FUSED, Planes, picture_in_words
from cfu_core.imaging.sample_range import SampleRange
from cfu_core.imaging.samples import Samples

MAX_SAMPLES = 5  # CMYK and alpha; more would be a stack, and could exhaust the memory
_COLOUR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
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


def read_tiff_samples(planes: Planes, plane: int) -> tuple[Samples, int]:
    """Decode one picture of a TIFF.

    Parameters
    ----------
    planes : Planes
        From `cfu_core.imaging.planes.open_planes`.
    plane : int
        Number of the picture, from 0, or `cfu_core.imaging.planes.FUSED` or `cfu_core.imaging.planes.COMPOSITE`.

    Returns
    -------
    samples : Samples
        Without `Samples.plane`.
    extra_channels : int
        Number of channels that are neither colours nor alpha.

    Raises
    ------
    ValueError
        The content is damaged, or its pixels are stored in an unsupported way; the message is a clause.
    cv2.error, MemoryError
        The decoder failed.
    """
    page = planes.page
    _check_tiff(page)
    if plane < 0 and plane not in combinations(planes):
        raise ValueError(f"it has {planes.count} pictures, and {picture_in_words(plane)} was chosen")
    if plane == COMPOSITE:
        return Samples(composite(planes)), 0
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression != COMPRESSION.JPEG:
        # tifffile does not convert these to RGB
        _, pages = cv2.imdecodemulti(np.frombuffer(planes.data, np.uint8), _COLOUR)
        number = planes.page_number(plane)
        if number >= len(pages):
            raise ValueError("its colours are stored in an unsupported way")
        return Samples(pages[number]), 0
    samples = fused_planes(planes) if plane == FUSED else planes.read(plane)
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
    if page.samplesperpixel > MAX_SAMPLES:
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


def _palette(indices: np.ndarray, colormap: np.ndarray) -> np.ndarray:
    # colours are stored in 16 bits (3, N); some old programs fill only the lower 8
    table = (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8).T
    if indices.max() >= len(table):
        raise ValueError("its palette is too short")
    return table[indices]
