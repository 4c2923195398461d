"""How bright, contrasty, sharp, busy, colourful and well exposed an image is, to find what stands out.

All are taken on the lightness and colour of CIE LAB in 8 bits, at a longer side of at most `MEASURING_SIDE` pixels. So
a photograph of 12 megapixels and its small copy measure alike; an image that is smaller is taken as it is.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import cv2
import numpy as np

MEASURING_SIDE = 512  # pixels; sharpness above all depends on scale
DARK_END, BRIGHT_END = 2.0, 98.0  # L*; compression spreads what was clipped over a few levels
_LEVEL = 100 / 255  # L* of one step of OpenCV's 8-bit lightness
_LIGHTNESS = np.arange(256) * _LEVEL
_CHROMA = np.hypot(*np.ogrid[-128:128, -128:128])  # of each pair of 8-bit a* and b*, whose grey is at 128


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What `measure` found.

    Parameters
    ----------
    brightness : float (0 to 100)
        Mean lightness L*.
    contrast : float (0 to 50)
        Standard deviation of L* (RMS contrast; Peli 1990, doi:10.1364/JOSAA.7.002032).
    sharpness : float (0 or more)
        Standard deviation of the Laplacian of L*, higher where edges are sharper; the square root of the focus
        measure of Pech-Pacheco et al. 2000 (doi:10.1109/ICPR.2000.903548). Noise raises it as well.
    entropy : float (0 to 8)
        Of the histogram of lightness in 256 bins, in bits.
    saturation : float (0 or more)
        Mean chroma, the distance from grey in the plane of a* and b*.
    underexposed, overexposed : float (0 to 1)
        Share of pixels with L* of at most `DARK_END`, and of at least `BRIGHT_END`.
    """

    brightness: float
    contrast: float
    sharpness: float
    entropy: float
    saturation: float
    underexposed: float
    overexposed: float

    def to_dict(self) -> dict[str, float]:
        """The numbers by name, in the order of `MEASURES`."""
        return asdict(self)


@dataclass(frozen=True)
class MeasureFacts:
    """How a measure is shown.

    Parameters
    ----------
    label, help : str
        For people.
    unit : str
        Of its values; ``share`` runs from 0 to 1 and reads best as per cent.
    """

    label: str
    help: str
    unit: str


MEASURES: Mapping[str, MeasureFacts] = MappingProxyType(
    {
        "brightness": MeasureFacts("Brightness", "Mean lightness: 0 is black, 100 is white.", "L*"),
        "contrast": MeasureFacts(
            "Contrast", "How far the lightness of the pixels spreads around its mean (RMS contrast).", "L*"
        ),
        "sharpness": MeasureFacts(
            "Sharpness",
            f"How strongly lightness changes from pixel to pixel, at a longer side of at most {MEASURING_SIDE} pixels. "
            "Low: out of focus, or empty. Noise raises it.",
            "L*",
        ),
        "entropy": MeasureFacts(
            "Entropy", "How many different lightness values there are and how evenly they are used; 0 is flat.", "bits"
        ),
        "saturation": MeasureFacts("Colourfulness", "Mean chroma: 0 is grey; strong stains are far from it.", "C*"),
        "underexposed": MeasureFacts("Underexposed", "Share of pixels that are black or nearly so.", "share"),
        "overexposed": MeasureFacts("Overexposed", "Share of pixels that are white or nearly so.", "share"),
    }
)


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """`image` with a longer side of at most `side` pixels: shrunk by averaging areas, or as it is.

    Parameters
    ----------
    image : ndarray, shape (H, W) or (H, W, C)
    side : int

    Returns
    -------
    ndarray
        Of the same type.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def measure(image: np.ndarray) -> Measures:
    """The measures of an image, taken at a longer side of at most `MEASURING_SIDE` pixels.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    Measures
        L* is taken in steps of 0.4, a* and b* in steps of 1.
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
