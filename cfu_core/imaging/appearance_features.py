"""Handcrafted colour, texture and shape features of an image, from which the map of similar images is computed.

No network is needed. Features that depend on direction are averaged over directions, so that a rotated image has
nearly the same features.
"""

from functools import lru_cache

import cv2
import numpy as np

from cfu_core.imaging.measures import shrink

FEATURE_SIDE = 112  # pixels of the longer side; finer texture comes mostly from the camera
_LEVELS = np.arange(256)
_BINS = (  # lower edges of the 8 bins of each channel; a* and b* seldom differ by more than 30 from grey, 128
    (0, 32, 64, 96, 128, 160, 192, 224),
    (0, 98, 108, 118, 128, 138, 148, 158),
    (0, 98, 108, 118, 128, 138, 148, 158),
)
_GREYS = 16  # levels of the co-occurrence matrix
_DISTANCES = (1, 2, 4)  # pixels between the two pixels of a pair
_CO_OCCURRENCE = ("contrast", "homogeneity", "energy", "correlation")
_ROUNDING = 1e-3  # grey levels; interpolated neighbours in an even area are as bright as the pixel
_PATTERNS = ((8, 1), (8, 3))  # neighbours and radius of the local binary patterns
_GRADIENT_EDGES = (1, 2, 4, 8, 16, 32, 64)  # between bins of the gradient magnitude, in grey levels per pixel
_MIN_AREA = 0.002  # of the frame; a smaller region is no colony
_EDGE_NEIGHBOURS = np.array([[10, 2, 10], [2, 1, 2], [10, 2, 10]], np.uint8)
_EDGE_LENGTHS = np.zeros(50)  # pixels, by the sum over the neighbours of a pixel at the edge
_EDGE_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_EDGE_LENGTHS[[21, 33]] = np.sqrt(2)
_EDGE_LENGTHS[[13, 23]] = (1 + np.sqrt(2)) / 2
_SHAPES = ("area", "eccentricity", "solidity", "extent", "circularity", "length", "off-centre", "spots", "at-border")

NAMES: tuple[str, ...] = (
    *(f"{channel} {moment}" for channel in "Lab" for moment in ("mean", "spread", "skewness")),
    *(f"{channel} bin {i}" for channel in "Lab" for i in range(8)),
    *(f"pattern {points},{radius} bin {i}" for points, radius in _PATTERNS for i in range(points + 2)),
    *(f"co-occurrence {name} at {distance}" for name in _CO_OCCURRENCE for distance in _DISTANCES),
    *(f"gradient bin {i}" for i in range(len(_GRADIENT_EDGES) + 1)),
    "coherence",
    *(f"colony {name}" for name in _SHAPES),
    *(f"colony {channel} difference" for channel in "Lab"),
)


def features(image: np.ndarray) -> np.ndarray:
    """Compute colour, texture and shape features of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB. If the longer side has more than `FEATURE_SIDE` pixels, the image is first shrunk to that size.

    Returns
    -------
    ndarray of float32, shape (len(NAMES),)
        Finite, in the order of `NAMES`, and not standardised. The features of the colony are 0 if no region that
        differs from the border of the frame covers at least 4 pixels and 0.2 % of the frame, after shrinking.

    Notes
    -----
    Colour: moments and histograms of CIE LAB. Texture: uniform local binary patterns (Ojala et al. 2002), properties
    of the grey-level co-occurrence matrix averaged over four directions (Haralick et al. 1973), and a histogram of the
    gradient magnitude. Shape: region properties of the largest region that differs from the border of the frame.
    Histograms are given as square roots of the relative frequencies, which gives rare values more weight.

    References
    ----------
    T. Ojala, M. Pietikäinen, T. Mäenpää, "Multiresolution gray-scale and rotation invariant texture classification
    with local binary patterns", IEEE Transactions on Pattern Analysis and Machine Intelligence 24 (2002), 971-987,
    doi:10.1109/TPAMI.2002.1017623.

    R. M. Haralick, K. Shanmugam, I. Dinstein, "Textural features for image classification", IEEE Transactions on
    Systems, Man, and Cybernetics SMC-3 (1973), 610-621, doi:10.1109/TSMC.1973.4309314.

    K. Benkrid, D. Crookes, "Design and FPGA implementation of a perimeter estimator", Irish Machine Vision and Image
    Processing Conference (2000).
    """
    small = shrink(image, FEATURE_SIDE)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    parts = (_colour(lab), *_patterns(lab[..., 0]), _co_occurrence(lab[..., 0]), _gradients(lab[..., 0]), _shape(lab))
    return np.concatenate(parts).astype(np.float32)


def _colour(lab: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and skewness of each channel, then a histogram of each: (33,)."""
    counts = np.stack([cv2.calcHist([lab], [channel], None, [256], [0, 256]).ravel() for channel in range(3)])
    shares = counts.astype(np.float64) / (lab.shape[0] * lab.shape[1])  # (3, 256)
    mean = shares @ _LEVELS
    away = _LEVELS - mean[:, None]
    spread = np.sqrt((shares * away**2).sum(axis=1))
    skewness = np.cbrt((shares * away**3).sum(axis=1))  # in grey levels: defined for a constant channel too
    bins = [np.add.reduceat(row, starts) for row, starts in zip(shares, _BINS, strict=True)]
    return np.concatenate([np.stack([mean, spread, skewness], axis=1).ravel(), np.sqrt(np.concatenate(bins))])


def _patterns(grey: np.ndarray) -> list[np.ndarray]:
    """Histograms of uniform patterns, as from `skimage.feature.local_binary_pattern`, but in less time."""
    found = []
    for points, radius in _PATTERNS:
        codes = np.bincount(_pattern_codes(grey, points, radius).ravel(), minlength=2**points)
        found.append(_shares(np.bincount(_uniform_patterns(points), weights=codes, minlength=points + 2)))
    return found


def _pattern_codes(grey: np.ndarray, points: int, radius: int) -> np.ndarray:
    """Return for each pixel the bits that say which of its neighbours on a circle are at least as bright, (h, w)."""
    height, width = grey.shape
    lowest = grey.astype(np.float32) - _ROUNDING
    frame = np.pad(grey, radius + 1).astype(np.float32)
    codes = np.zeros(grey.shape, np.uint8)
    for point, (down, across, weights) in enumerate(_circle(points, radius)):
        values = frame if weights is None else cv2.filter2D(frame, -1, weights, anchor=(0, 0))
        top, left = radius + 1 + down, radius + 1 + across
        brighter = values[top : top + height, left : left + width] >= lowest
        codes += brighter.view(np.uint8) << np.uint8(point)
    return codes


@lru_cache
def _circle(points: int, radius: int) -> list[tuple[int, int, np.ndarray | None]]:
    """Return for each point of a circle the pixel above and left of it, and the weights of the 2 x 2 pixels around."""
    found: list[tuple[int, int, np.ndarray | None]] = []
    for angle in 2 * np.pi * np.arange(points) / points:
        down, across = round(-radius * np.sin(angle), 5), round(radius * np.cos(angle), 5)
        dy, dx = down - np.floor(down), across - np.floor(across)
        weights = np.outer([1 - dy, dy], [1 - dx, dx]).astype(np.float32) if dy or dx else None
        found.append((int(np.floor(down)), int(np.floor(across)), weights))
    return found


@lru_cache
def _uniform_patterns(points: int) -> np.ndarray:
    """Return the pattern of each code: its number of bits if they form one run, otherwise `points` + 1."""
    bits = (np.arange(2**points)[:, None] >> np.arange(points)) & 1
    changes = np.abs(np.diff(bits, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), points + 1)


def _co_occurrence(grey: np.ndarray) -> np.ndarray:
    from skimage.feature import graycomatrix  # late: slow to import

    angles = np.arange(4) * np.pi / 4
    pairs = graycomatrix(grey // (256 // _GREYS), _DISTANCES, angles, _GREYS, symmetric=True, normed=True)
    shares = pairs.mean(axis=3).reshape(_GREYS**2, len(_DISTANCES))
    shares /= np.maximum(shares.sum(axis=0), 1e-9)  # narrow frames have no pairs in some directions
    first, second = (level.ravel() for level in np.indices((_GREYS, _GREYS)))
    contrast = (first - second) ** 2 @ shares
    homogeneity = 1 / (1.0 + (first - second) ** 2) @ shares
    energy = np.sqrt((shares**2).sum(axis=0))
    mean = first @ shares  # also that of the second level: the matrix is symmetric
    variance = first**2 @ shares - mean**2
    varied = variance > 1e-9
    correlation = np.where(varied, (first * second @ shares - mean**2) / np.where(varied, variance, 1), 1)
    return np.concatenate([contrast, homogeneity, energy, correlation])


def _gradients(grey: np.ndarray) -> np.ndarray:
    """Histogram of the gradient magnitude, and coherence of the gradient direction (0 to 1): (9,)."""
    dx, dy = cv2.spatialGradient(grey)  # Sobel, 8 times the difference of neighbours
    dx, dy = dx / np.float32(8), dy / np.float32(8)
    steep = np.histogram(np.hypot(dx, dy), [0, *_GRADIENT_EDGES, np.inf])[0]
    xx, yy, xy = float((dx * dx).mean()), float((dy * dy).mean()), float((dx * dy).mean())
    coherence = np.hypot(xx - yy, 2 * xy) / (xx + yy) if xx + yy > 0 else 0.0
    return np.append(_shares(steep), coherence)


def _shape(lab: np.ndarray) -> np.ndarray:
    """Shape of the largest region that differs from the border of the frame, and its colour difference: (12,)."""
    nothing = np.zeros(len(_SHAPES) + 3)  # the features of a frame without such a region
    values = lab.astype(np.float32)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    away = values - np.median(border, axis=0)
    distance = cv2.sqrt(cv2.transform(away * away, np.ones((1, 3), np.float32)))
    if distance.max() < 1:
        return nothing
    levels = cv2.convertScaleAbs(distance, alpha=255 / distance.max())
    mask = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < max(4, _MIN_AREA * mask.size):
        return nothing
    largest = 1 + int(areas.argmax())
    left, top, width, height, area = (int(value) for value in stats[largest])
    region = cv2.inRange(labels, largest, largest) // 255
    found = region[top : top + height, left : left + width]
    diagonal = np.hypot(*region.shape)
    eccentricity, length = _ellipse(found)
    perimeter = _perimeter(found)
    centre = np.hypot(centres[largest, 1] + 0.5 - region.shape[0] / 2, centres[largest, 0] + 0.5 - region.shape[1] / 2)
    at_border = np.concatenate([region[0], region[-1], region[:, 0], region[:, -1]]).mean()
    inside = np.array(cv2.mean(values, region)[:3])
    outside = np.array(cv2.mean(values, 1 - region)[:3])  # 0 if the region fills the frame
    shape = (
        np.sqrt(area / region.size),
        eccentricity,
        area / _hull_area(found),
        area / (width * height),
        min(1.0, 4 * np.pi * area / perimeter**2) if perimeter > 0 else 0.0,
        length / diagonal,
        centre / diagonal,
        np.log2(np.count_nonzero(areas >= 4)),
        at_border,
    )
    return np.append(shape, inside - outside)


def _ellipse(region: np.ndarray) -> tuple[float, float]:
    """Eccentricity and major axis of the ellipse that has the second moments of a region."""
    moments = cv2.moments(region, binaryImage=True)
    xx, yy, xy = (moments[name] / moments["m00"] for name in ("mu20", "mu02", "mu11"))
    half = np.hypot(xx - yy, 2 * xy) / 2
    most, least = (xx + yy) / 2 + half, max(0.0, (xx + yy) / 2 - half)
    return (float(np.sqrt(1 - least / most)), float(4 * np.sqrt(most))) if most > 0 else (0.0, 0.0)


def _hull_area(region: np.ndarray) -> int:
    """Count the pixels in the convex hull of a region."""
    contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.fillConvexPoly(np.zeros_like(region), cv2.convexHull(contours[0]), 1)
    return cv2.countNonZero(hull | region)


def _perimeter(region: np.ndarray) -> float:
    """Perimeter of a region, as from `skimage.measure.perimeter` (Benkrid and Crookes, 2000)."""
    padded = np.pad(region, 1)
    edge = padded - cv2.erode(padded, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))
    neighbours = cv2.filter2D(edge, -1, _EDGE_NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
    return float(np.bincount(neighbours.ravel(), minlength=len(_EDGE_LENGTHS)) @ _EDGE_LENGTHS)


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.sqrt(counts / counts.sum())
