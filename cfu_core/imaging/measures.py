"""Image quality measures: brightness, contrast, sharpness, entropy, saturation, exposure, and the width of edges.

All are measured on CIE LAB in 8 bits, at a longer side of at most `MEASURING_SIDE` pixels (`EDGE_SIDE` for edges), so
that a photograph of 12 megapixels and its small copy have similar values. Smaller images are not enlarged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

import cv2
import numpy as np

MEASURING_SIDE = 512  # pixels; sharpness in particular depends on scale
EDGE_SIDE = 1024  # pixels of the longer side of the frame at which edges are measured; they are only a few pixels wide
EDGE_WINDOW = 9  # pixels; side of the neighbourhood in which the lightness on both sides of an edge is read
STRONGEST_EDGES = 0.05  # share of the pixels with the steepest lightness, by direction
WEAK_DIRECTION = 0.15  # slope of a direction, relative to the steepest one, below which it has no edges to measure
MINIMUM_SLOPE = 0.1  # L* per pixel, below which a region has no edges
DARK_END, BRIGHT_END = 2.0, 98.0  # L*; compression spreads clipped values over a few levels
_HALF_SECTOR = np.tan(np.pi / 8)
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
        ``L*``, ``bits``, ``C*`` (chroma), ``pixels`` or ``share``. Values of the unit ``share`` are fractions from 0
        to 1, which should be displayed as percentages.
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
        "edge_width": MeasureFacts(
            "Edge width",
            "Over how many pixels the lightness changes at the steepest edges of the colony, at a longer side of at "
            f"most {EDGE_SIDE:,} pixels. Wide: out of focus, or moved. Measured in the box of the colony that was "
            "found automatically, or in the whole image if none was found.",
            "pixels",
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


def edge_width(image: np.ndarray, box: Sequence[int] | None = None) -> float:
    """Measure the width of the steepest edges, which grows with defocus and motion.

    An image whose longer side has more than `EDGE_SIDE` pixels is first shrunk to that size. The scale depends on the
    frame and not on the box, so that small and large colonies of one microscope can be compared.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    box : sequence of int, optional
        Left, top, right and bottom of the region to measure, in pixels of `image`, right and bottom exclusive; by
        default the whole image. Half a window is added on each side.

    Returns
    -------
    float
        In pixels at the size at which it is measured, above 1 and rarely more than `EDGE_WINDOW`. NaN if the region
        has no edges.

    Notes
    -----
    As in [1]_, the width of an edge is the distance over which the lightness changes. Here it is the range of L* in the
    neighbourhood of a pixel divided by the slope of L* at the pixel, so that contrast has no influence; and the median
    of the pixels with the steepest slope is used. Motion widens only the edges across it. Slopes are therefore divided
    into four directions, and the direction with the widest edges counts. L* is smoothed with a standard deviation of 1
    pixel, against noise.

    References
    ----------
    .. [1] P. Marziliano, F. Dufaux, S. Winkler, T. Ebrahimi, "A no-reference perceptual blur metric", Proceedings of
       the International Conference on Image Processing (2002), doi:10.1109/ICIP.2002.1038902
    """
    lightness = cv2.GaussianBlur(_region_lightness(image, box), (0, 0), 1)
    horizontal, vertical = (
        cv2.Sobel(lightness, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1))
    )
    slope = cv2.magnitude(horizontal, vertical)
    window = np.ones((EDGE_WINDOW, EDGE_WINDOW), np.uint8)
    change = cv2.dilate(lightness, window) - cv2.erode(lightness, window)
    steepest, widths = np.zeros(4), np.zeros(4)
    for number, pixels in enumerate(_directions(horizontal, vertical)):
        slopes = slope[pixels]
        if len(slopes):
            first = int(len(slopes) * (1 - STRONGEST_EDGES))
            steepest[number] = np.partition(slopes, first)[first]
            edges = pixels & (slope >= max(steepest[number], MINIMUM_SLOPE))
            widths[number] = np.median(change[edges] / slope[edges]) if edges.any() else 0
    measured = (steepest >= WEAK_DIRECTION * steepest.max()) & (steepest >= MINIMUM_SLOPE)
    return float(widths[measured].max()) if measured.any() else float("nan")


def _directions(horizontal: np.ndarray, vertical: np.ndarray) -> list[np.ndarray]:
    """Divide pixels by the direction of their slope, within 22.5 degrees: horizontal, vertical, and the diagonals."""
    across, along = np.abs(horizontal), np.abs(vertical)
    flat, steep = along < _HALF_SECTOR * across, across < _HALF_SECTOR * along
    rising = (horizontal > 0) == (vertical > 0)
    diagonal = ~(flat | steep)
    return [flat, steep, diagonal & rising, diagonal & ~rising]


def _region_lightness(image: np.ndarray, box: Sequence[int] | None) -> np.ndarray:
    """L* of a region as float32, at the scale at which the longer side of the frame has at most `EDGE_SIDE` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, EDGE_SIDE / max(height, width))
    if box is not None:
        margin = round(EDGE_WINDOW / 2 / scale)
        left, top, right, bottom = box
        image = image[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    small = shrink(image, max(1, round(max(image.shape[:2]) * scale)))
    return cv2.extractChannel(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), 0).astype(np.float32) * np.float32(_LEVEL)


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
