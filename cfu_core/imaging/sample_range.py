"""Range of the samples of images with more than 8 bits: the values that are shown as black and as white.

Files with samples of 16 bits or floating-point samples rarely state their range: a camera of 12 bits stores 0 to 4095
in 16 bits. The range is therefore chosen for all images of a dataset together. If it were chosen for each image, one
bright pixel would make an image darker than the others.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

_DEPTHS = (8, 10, 12, 14, 16)  # bits of cameras
_OUTLIERS = 1e-4  # fraction of samples, at least one, that may be outside of the range, such as hot pixels
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
    """

    dtype: str
    lowest: float
    highest: float
    dark: float
    bright: float
    declared: SampleRange | None
    not_finite: int

    @property
    def kind(self) -> str:
        """Kind of the samples: `dtype`, with the addition " (0 to 1)" for floating-point samples in this range."""
        unit = self.dtype.startswith("float") and self.dark >= 0 and self.bright <= 1
        return f"{self.dtype} (0 to 1)" if unit else self.dtype


class ChosenRange(NamedTuple):
    """A range for several images, and the reason for it as a clause: "the files state it"."""

    range: SampleRange
    reason: str


def kind_in_words(kind: str) -> str:
    """Return a `SampleStatistics.kind` in words: ``16 bits``, ``16 bits with a sign``, ``32-bit floating point``."""
    dtype, _, scale = kind.partition(" ")
    bits = "".join(c for c in dtype if c.isdigit())
    if dtype.startswith("float"):
        return f"{bits}-bit floating point{' ' * bool(scale)}{scale}"
    return f"{bits} bits{'' if dtype.startswith('u') else ' with a sign'}"


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
    return SampleStatistics(samples.dtype.name, lowest, highest, dark, bright, declared, samples.size - len(values))


def choose_range(images: Sequence[SampleStatistics]) -> ChosenRange:
    """Choose one range for several images whose samples are of the same kind.

    1. The range that the files state, if all of them state one, and if it contains the samples. If they state different
       ranges, the range that contains all of these. A range that does not contain the samples is only a setting of a
       display.
    2. 0 to 1 for floating-point samples in this range.
    3. From 0, the smallest range of 8, 10, 12, 14 or 16 bits that contains the samples.
    4. The range of the samples, if some are negative or need more than 16 bits.

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
    if images[0].kind.endswith("(0 to 1)") and bright <= 1:
        return ChosenRange(SampleRange(0, 1), f"the largest value is {bright:.4g}")
    if dark >= 0 and bright < 2 ** _DEPTHS[-1]:
        bits = next(bits for bits in _DEPTHS if bright < 2**bits)
        return ChosenRange(SampleRange(0, 2**bits - 1), f"the largest value is {bright:.6g}, which needs {bits} bits")
    white = bright if bright > dark else dark + 1
    return ChosenRange(SampleRange(dark, white), f"the values are {dark:.6g} to {bright:.6g}")


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
    scaled = (samples.astype(np.float64) - chosen.black) * (255 / (chosen.white - chosen.black))
    return np.rint(np.nan_to_num(np.clip(scaled, 0, 255), nan=0.0)).astype(np.uint8)
