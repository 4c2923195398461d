"""Image quality measures: brightness, contrast, sharpness, entropy, saturation and exposure.

All are measured on CIE LAB in 8 bits, at a longer side of at most `MEASURING_SIDE` pixels, so that a photograph of 12
megapixels and its small copy have similar values. Smaller images are not enlarged.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import cv2
import numpy as np

MEASURING_SIDE = 512  # pixels; sharpness in particular depends on scale
DARK_END, BRIGHT_END = 2.0, 98.0  # L*; compression spreads clipped values over a few levels
_LEVEL = 100 / 255  # L* of one step of OpenCV's 8-bit lightness
_LIGHTNESS = np.arange(256) * _LEVEL
_CHROMA = np.hypot(*np.ogrid[-128:128, -128:128])  # of each pair of 8-bit a* and b*, whose grey is at 128


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Quality measures of one image, from `measure`.

    Attributes
    ----------
    brightness : float (0 to 100)
        Mean lightness L*.
    contrast : float (0 to 50)
        Standard deviation of L* (RMS contrast; Peli, 1990).
    sharpness : float (0 or more)
        Standard deviation of the Laplacian of L*: the square root of the focus measure of Pech-Pacheco et al.
        (2000). Sharper edges increase it, and so does noise.
    entropy : float (0 to 8)
        Entropy of the histogram of lightness in 256 bins, in bits.
    saturation : float (0 or more)
        Mean chroma, the distance from grey in the plane of a* and b*.
    underexposed, overexposed : float (0 to 1)
        Fraction of pixels with L* of at most `DARK_END`, and of at least `BRIGHT_END`.

    References
    ----------
    E. Peli, "Contrast in complex images", Journal of the Optical Society of America A 7 (1990), 2032-2040,
    doi:10.1364/JOSAA.7.002032.

    J. L. Pech-Pacheco, G. Cristóbal, J. Chamorro-Martínez, J. Fernández-Valdivia, "Diatom autofocusing in brightfield
    microscopy: a comparative study", Proceedings of the 15th International Conference on Pattern Recognition (2000),
    doi:10.1109/ICPR.2000.903548.
    """

    brightness: float
    contrast: float
    sharpness: float
    entropy: float
    saturation: float
    underexposed: float
    overexposed: float

    def to_dict(self) -> dict[str, float]:
        """Return the values by the names of the fields, in the order of `MEASURES`."""
        return asdict(self)


@dataclass(frozen=True)
class MeasureFacts:
    """Name, explanation and unit with which a measure is displayed.

    Attributes
    ----------
    label, help : str
        Name, and explanation in one or two sentences.
    unit : str
        ``L*``, ``bits``, ``C*`` (chroma) or ``share``. Values of the unit ``share`` are fractions from 0 to 1, which
        should be displayed as percentages.
    """

    label: str
    help: str
    unit: str


MEASURES: Mapping[str, MeasureFacts] = MappingProxyType(
    {
        "brightness": MeasureFacts("Brightness", "Mean lightness: 0 is black, 100 is white.", "L*"),
        "contrast": MeasureFacts("Contrast", "Standard deviation of the lightness of the pixels (RMS contrast).", "L*"),
        "sharpness": MeasureFacts(
            "Sharpness",
            f"How much lightness changes from pixel to pixel, at a longer side of at most {MEASURING_SIDE} pixels. "
            "Low: out of focus, or empty. Noise raises it.",
            "L*",
        ),
        "entropy": MeasureFacts(
            "Entropy",
            "How many different lightness values there are and how evenly they occur; 0 is a constant image.",
            "bits",
        ),
        "saturation": MeasureFacts("Colourfulness", "Mean chroma: 0 is grey, strong stains have high values.", "C*"),
        "underexposed": MeasureFacts("Underexposed", "Share of pixels that are black or almost black.", "share"),
        "overexposed": MeasureFacts("Overexposed", "Share of pixels that are white or almost white.", "share"),
    }
)


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """Shrink an image by averaging areas, so that its longer side has at most `side` pixels.

    Parameters
    ----------
    image : ndarray of uint8 or float32, shape (H, W) or (H, W, C)
        One channel as (H, W), or two or more channels.
    side : int
        Largest number of pixels of the longer side; at least 1.

    Returns
    -------
    ndarray, shape (h, w) or (h, w, C)
        With the dtype and the aspect ratio of `image`; each side has at least 1 pixel. `image` itself, not a copy, if
        it is small enough.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def measure(image: np.ndarray) -> Measures:
    """Measure brightness, contrast, sharpness, entropy, saturation and exposure of an image.

    An image whose longer side has more than `MEASURING_SIDE` pixels is first shrunk to that size.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    Measures
        Computed from L* in steps of 0.4, and from a* and b* in steps of 1.
    """
    lab = cv2.cvtColor(shrink(image, MEASURING_SIDE), cv2.COLOR_RGB2LAB)
    pixels = lab.shape[0] * lab.shape[1]
    shares = cv2.calcHist([lab], [0], None, [256], [0, 256]).ravel().astype(np.float64) / pixels
    colours = cv2.calcHist([lab], [1, 2], None, [256, 256], [0, 256, 0, 256])
    edges = cv2.Laplacian(cv2.extractChannel(lab, 0), cv2.CV_32F, ksize=1)
    mean = float(shares @ _LIGHTNESS)
    used = shares[shares > 0]
    return Measures(
        brightness=mean,
        contrast=float(np.sqrt(shares @ (_LIGHTNESS - mean) ** 2)),
        sharpness=float(cv2.meanStdDev(edges)[1][0, 0]) * _LEVEL,
        entropy=float(-(used * np.log2(used)).sum()) + 0.0,  # not -0
        saturation=float((colours * _CHROMA).sum()) / pixels,
        underexposed=float(shares[_LIGHTNESS <= DARK_END].sum()),
        overexposed=float(shares[_LIGHTNESS >= BRIGHT_END].sum()),
    )
