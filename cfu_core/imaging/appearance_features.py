"""Handcrafted colour, texture and shape features of an image, from which the map of similar images is computed.

No network is needed. Features that depend on direction are averaged over directions, so that a rotated image has
nearly the same features.
"""

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
_PATTERNS = ((8, 1), (8, 3))  # neighbours and radius of the local binary patterns
_GRADIENT_EDGES = (1, 2, 4, 8, 16, 32, 64)  # between bins of the gradient magnitude, in grey levels per pixel
_MIN_AREA = 0.002  # of the frame; a smaller region is no colony
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
    from skimage.feature import local_binary_pattern  # late: slow to import

    found = [(local_binary_pattern(grey, points, radius, "uniform"), points) for points, radius in _PATTERNS]
    return [_shares(np.bincount(codes.ravel().astype(np.intp), minlength=points + 2)) for codes, points in found]


def _co_occurrence(grey: np.ndarray) -> np.ndarray:
    from skimage.feature import graycomatrix, graycoprops

    angles = np.arange(4) * np.pi / 4
    pairs = graycomatrix(grey // (256 // _GREYS), _DISTANCES, angles, _GREYS, symmetric=True, normed=True)
    turned = pairs.mean(axis=3, keepdims=True)
    return np.concatenate([graycoprops(turned, name)[:, 0] for name in _CO_OCCURRENCE])


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
    from skimage.measure import regionprops

    nothing = np.zeros(len(_SHAPES) + 3)  # the features of a frame without such a region
    values = lab.astype(np.float32)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    distance = np.linalg.norm(values - np.median(border, axis=0), axis=2)
    if distance.max() < 1:
        return nothing
    levels = cv2.convertScaleAbs(distance, alpha=255 / distance.max())
    mask = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < max(4, _MIN_AREA * mask.size):
        return nothing
    region = (labels == 1 + areas.argmax()).astype(np.uint8)
    (found,) = regionprops(region)
    height, width = region.shape
    diagonal = np.hypot(height, width)
    perimeter = found.perimeter
    centre = np.hypot(found.centroid[0] + 0.5 - height / 2, found.centroid[1] + 0.5 - width / 2)
    at_border = np.concatenate([region[0], region[-1], region[:, 0], region[:, -1]]).mean()
    inside = region.astype(bool)
    difference = values[inside].mean(axis=0) - (values[~inside].mean(axis=0) if not inside.all() else 0)
    shape = (
        np.sqrt(found.area / region.size),
        found.eccentricity,
        found.solidity,
        found.extent,
        min(1.0, 4 * np.pi * found.area / perimeter**2) if perimeter > 0 else 0.0,
        found.axis_major_length / diagonal,
        centre / diagonal,
        np.log2(np.count_nonzero(areas >= 4)),
        at_border,
    )
    return np.append(shape, difference)


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.sqrt(counts / counts.sum())
