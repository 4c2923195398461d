"""Range of the samples of images with more than 8 bits: the values that are shown as black and as white.

Files with samples of 16 bits or floating-point samples rarely state their range: a camera of 12 bits stores 0 to 4095
in 16 bits. The range is therefore chosen for all images of a dataset together. If it were chosen for each image, one
bright pixel would make an image darker than the others.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

EIGHT_BITS = "8 bits"  # depth of images without samples of more bits
_DEPTHS = (8, 10, 12, 14, 16)  # bits of cameras
_OUTLIERS = 1e-4  # fraction of samples, at least one, that may be outside of the range, such as hot pixels
_UNIT = " (0 to 1)"  # added to the type of samples
_TWO_SCALES = 255  # floating-point images above 1 that all reach more are of another scale than those up to 1
_MIN_SAMPLES = 256  # of fewer samples, none may be outside


class SampleRange(NamedTuple):
    """The values of a sample that are shown as black (0) and as white (255); values outside are clipped."""

    black: float
    white: float


class SampleStatistics(NamedTuple):
    """Values of the colour samples of one image.

    Attributes
    ----------
    dtype : str
        Type of the samples as NumPy names it, such as ``uint16``.
    lowest, highest : float
        Smallest and largest finite sample; 0 if no sample is finite.
    dark, bright : float
        As `lowest` and `highest`, but without one sample in 10,000 at each end, rounded up; of fewer than 256 samples,
        all count.
    declared : SampleRange or None
        Range that the file states.
    not_finite : int
        Number of samples that are NaN or infinite.
    whole : bool
        Whether all finite samples are whole numbers, as counts of a camera are.
    """

    dtype: str
    lowest: float
    highest: float
    dark: float
    bright: float
    declared: SampleRange | None
    not_finite: int
    whole: bool

    @property
    def unit(self) -> bool:
        """Whether these are floating-point samples between 0 and 1."""
        return self.dtype.startswith("float") and self.dark >= 0 and self.bright <= 1


class ChosenRange(NamedTuple):
    """A range for several images, and the reason for it as a clause: "the files state it"."""

    range: SampleRange
    reason: str


def ranges_from_json(value: Mapping[str, Sequence[float]] | None) -> dict[str, SampleRange] | None:
    """Return ranges by kind from their JSON form; None if none were recorded."""
    return None if value is None else {kind: SampleRange(*ends) for kind, ends in value.items()}


def kind_in_words(kind: str) -> str:
    """Return a kind from `sample_kinds` in words: ``16 bits``, ``16 bits with a sign``, ``32-bit floating point``."""
    dtype, _, scale = kind.partition(" ")
    bits = "".join(c for c in dtype if c.isdigit())
    if dtype.startswith("float"):
        return f"{bits}-bit floating point{' ' * bool(scale)}{scale}"
    return f"{bits} bits{'' if dtype.startswith('u') else ' with a sign'}"


def depth_in_words(image: SampleStatistics) -> str:
    """Return the number of bits that the samples of an image use: ``12 bits``, ``32-bit floating point``.

    Of integers without a sign, it is the smallest depth of a camera that contains the range that the file states, or
    else the samples without outliers. A dark image of a camera of 16 bits can therefore be called one of 14 bits.
    """
    if not image.dtype.startswith("u"):
        return kind_in_words(f"{image.dtype}{_UNIT}" if image.unit else image.dtype)
    white = max(image.bright, image.declared.white if image.declared else 0)
    return next((f"{bits} bits" for bits in _DEPTHS if white < 2**bits), kind_in_words(image.dtype))


def sample_statistics(samples: np.ndarray, declared: SampleRange | None = None) -> SampleStatistics:
    """Measure the colour samples of an image.

    Parameters
    ----------
    samples : ndarray of integer or float, any shape
        Samples as stored, at least one.
    declared : SampleRange, optional
        Range that the file states.
    """
    values = samples.ravel()
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    cut = math.ceil(len(values) * _OUTLIERS) if len(values) >= _MIN_SAMPLES else 0
    if len(values):
        ordered = np.partition(values, [0, cut, len(values) - 1 - cut, len(values) - 1])
        ends = (ordered[0], ordered[-1], ordered[cut], ordered[-1 - cut])
    else:
        ends = (0, 0, 0, 0)
    lowest, highest, dark, bright = map(float, ends)
    whole = values.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    missing = samples.size - len(values)
    return SampleStatistics(samples.dtype.name, lowest, highest, dark, bright, declared, missing, whole)


def sample_kinds(images: Sequence[SampleStatistics]) -> list[str]:
    """Return the kind of the samples of each image of a dataset; images of one kind share a range.

    The kind is the type of the samples. Floating-point samples between 0 and 1 are a kind of their own, with the
    addition " (0 to 1)", if all floating-point images of the dataset are, or if all others reach more than 255: then
    the dataset has images of two scales.

    Parameters
    ----------
    images : sequence of SampleStatistics
        All images of a dataset that have more than 8 bits.
    """
    others: dict[str, float] = {}  # the darkest image that is not between 0 and 1, by type
    for image in images:
        if not image.unit:
            others[image.dtype] = min(image.bright, others.get(image.dtype, math.inf))
    return [
        f"{image.dtype}{_UNIT}" if image.unit and others.get(image.dtype, math.inf) > _TWO_SCALES else image.dtype
        for image in images
    ]


def find_range(ranges: Mapping[str, SampleRange], image: SampleStatistics) -> SampleRange | None:
    """Return the range of a dataset for a further image; None if the dataset has no samples of this type.

    Parameters
    ----------
    ranges : mapping of str to SampleRange
        Range by the kind of samples.
    image : SampleStatistics
        If the dataset has two scales of floating-point samples, the samples of the image decide between them.
    """
    usual, unit = ranges.get(image.dtype), ranges.get(f"{image.dtype}{_UNIT}")
    return (unit or usual) if image.unit else (usual or unit)


def choose_range(images: Sequence[SampleStatistics]) -> ChosenRange:
    """Choose one range for several images whose samples are of the same kind.

    1. The range that the files state, if all of them state one, and if it contains the samples. If they state different
       ranges, the range that contains all of these. A range that does not contain the samples is only a setting of a
       display.
    2. 0 to 1 for floating-point samples in this range.
    3. For whole numbers, from 0, the smallest range of 8, 10, 12, 14 or 16 bits that contains the samples.
    4. Otherwise from 0, or from the smallest sample if it is negative, to the largest sample.

    One sample in 10,000 of each image may be outside of the range at each end, because cameras have hot pixels.

    Parameters
    ----------
    images : sequence of SampleStatistics
        At least one.

    Returns
    -------
    ChosenRange
        Its white is always greater than its black.
    """
    dark, bright = min(image.dark for image in images), max(image.bright for image in images)
    declared = [image.declared for image in images if image.declared is not None]
    if len(declared) == len(images):
        stated = SampleRange(min(r.black for r in declared), max(r.white for r in declared))
        if stated.black <= dark and bright <= stated.white and stated.black < stated.white:
            return ChosenRange(stated, "the files state it")
    if all(image.unit for image in images):
        return ChosenRange(SampleRange(0, 1), f"the largest value is {bright:.4g}")
    if dark >= 0 and bright < 2 ** _DEPTHS[-1] and all(image.whole for image in images):
        bits = next(bits for bits in _DEPTHS if bright < 2**bits)
        return ChosenRange(SampleRange(0, 2**bits - 1), f"the largest value is {bright:.6g}, which needs {bits} bits")
    black = min(0.0, dark)
    return ChosenRange(SampleRange(black, max(bright, black + 1)), f"the values are {dark:.6g} to {bright:.6g}")


def earlier_range(samples: np.ndarray) -> SampleRange:
    """Choose a range for one image, as before ranges were chosen for datasets.

    Parameters
    ----------
    samples : ndarray of integer or float, any shape
        Samples as stored.

    Returns
    -------
    SampleRange
        0 to 1 for floating-point samples in this range; for integers the smallest range of 8, 10, 12, 14 or 16 bits
        that contains all samples.

    Raises
    ------
    ValueError
        The samples are in no such range; the message is a clause.
    """
    lowest, highest = samples.min(), samples.max()
    if samples.dtype.kind == "f" and 0 <= lowest <= highest <= 1:
        return SampleRange(0, 1)
    if samples.dtype.kind in "iu" and 0 <= lowest <= highest < 2 ** _DEPTHS[-1]:
        return SampleRange(0, 2 ** next(bits for bits in _DEPTHS if highest < 2**bits) - 1)
    raise ValueError(f"its samples are from {lowest:g} to {highest:g} as {samples.dtype}, which is not a colour range")


def to_eight_bits(samples: np.ndarray, chosen: SampleRange) -> np.ndarray:
    """Scale samples to 0 to 255; samples outside of the range are clipped.

    Parameters
    ----------
    samples : ndarray of integer or float, any shape
        Samples as stored. NaN becomes black.
    chosen : SampleRange
        Its white is greater than its black.

    Returns
    -------
    ndarray of uint8
        The shape of `samples`.
    """
    if samples.dtype == np.uint16 and chosen.black == 0:  # several times as fast
        return cv2.convertScaleAbs(np.ascontiguousarray(samples), alpha=255 / chosen.white).reshape(samples.shape)
    scale = 255 / (chosen.white - chosen.black)
    if samples.dtype.kind in "iu" and samples.dtype.itemsize <= 2:  # a table needs less memory than floating point
        values = np.arange(2**16) if samples.dtype.kind == "u" else np.arange(-(2**15), 2**15)
        table = np.rint(np.clip((values - chosen.black) * scale, 0, 255)).astype(np.uint8)
        return table[samples.astype(np.int32) - values[0]] if samples.dtype.kind == "i" else table[samples]
    scaled = samples.astype(np.float32)
    scaled -= np.float32(chosen.black)
    scaled *= np.float32(scale)
    np.clip(scaled, 0, 255, out=scaled)
    np.rint(scaled, out=scaled)
    return np.nan_to_num(scaled, copy=False, nan=0.0).astype(np.uint8)
