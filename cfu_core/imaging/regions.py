"""Selection of the connected region of a saliency map that is most likely the photographed object."""

from typing import NamedTuple

import cv2
import numpy as np

THRESHOLDS = (0.12, 0.18, 0.26, 0.36, 0.48, 0.62)  # relative to the maximum of the map
CANDIDATES = 3  # regions examined at each threshold: those of the largest mass
MIN_AREA, MAX_AREA = 0.002, 0.8  # share of the frame
SURROUNDINGS = 0.3  # width of the frame around a region's bounding box that shows its surroundings; 1 is its size
MIN_SURROUNDINGS = 0.15  # smallest area of the surroundings, as a share of the region's
REST_QUANTILE = 0.8  # of the levels outside a region, which its mean must exceed
SIZE_EXPONENT = 0.6  # weight of the area in the score
CENTRALITY = 0.25  # weight of the squared distance from the centre of the frame, 1 in the middle of each side


class Region(NamedTuple):
    """A connected region above a threshold.

    Attributes
    ----------
    score : float
        Contrast, times a power of the area, times compactness, times centrality; greater than 0. Lower if the border
        of the frame cuts the region. The contrast is that to the surroundings of the region or, if it is smaller, that
        to the rest of the frame, of which a fifth may be as salient as the region.
    labels : ndarray of int32, shape (h, w)
        Label of each pixel: 0 below the threshold, `number` inside this region, other numbers inside other regions.
    number : int
        Label of this region.
    cut : float
        Length of the border of the frame inside the region, divided by the square root of the region's area.
    competition : float (0 to 1)
        Largest mass (sum of levels) of another region above the same threshold, divided by the region's own mass; 1 if
        the other mass is larger, 0 if there is no other region.
    """

    score: float
    labels: np.ndarray
    number: int
    cut: float
    competition: float

    def mask(self) -> np.ndarray:
        """Return an array of bool, shape (h, w), that is True inside the region."""
        return self.labels == self.number


def best_region(levels: np.ndarray) -> Region | None:
    """Find the region of the highest score, over all thresholds.

    Parameters
    ----------
    levels : ndarray of uint8, shape (h, w)
        Saliency; 0 is background, 255 the maximum.

    Returns
    -------
    Region or None
        None if every examined region covers less than `MIN_AREA` or more than `MAX_AREA` of the frame, or has no
        contrast to the rest. Of equal scores, the region of the lowest threshold is returned.

    Notes
    -----
    At each threshold only the `CANDIDATES` regions of the largest mass (sum of levels) are examined. The contrast to
    the surroundings (Itti, Koch and Niebur, 1998) lets a cell be found that is one of several of the same colour. Of
    several such cells, the score prefers a large one that is complete and near the centre of the frame.

    References
    ----------
    L. Itti, C. Koch, E. Niebur, "A model of saliency-based visual attention for rapid scene analysis", IEEE
    Transactions on Pattern Analysis and Machine Intelligence 20 (1998), 1254-1259.
    """
    histogram = np.bincount(levels.ravel(), minlength=256)
    sums = cv2.integral(levels)
    weights = levels.ravel().astype(np.float64)
    best = None
    for threshold in THRESHOLDS:
        mask = cv2.threshold(levels, 255 * threshold, 1, cv2.THRESH_BINARY)[1]
        count, labels, stats, centres = cv2.connectedComponentsWithStats(mask)
        masses = np.bincount(labels.ravel(), weights=weights, minlength=count)
        masses[0] = 0  # pixels below the threshold
        heaviest = [int(number) for number in np.argsort(-masses)[: CANDIDATES + 1] if number > 0]
        for number in heaviest[:CANDIDATES]:
            if not MIN_AREA * levels.size <= stats[number, cv2.CC_STAT_AREA] <= MAX_AREA * levels.size:
                continue
            score, cut = _score(levels, histogram, sums, labels, number, stats[number], centres[number])
            if score > (best.score if best else 0):
                others = max((masses[other] for other in heaviest if other != number), default=0.0)
                best = Region(score, labels, number, cut, min(1.0, float(others / masses[number])))
    return best


def _score(
    levels: np.ndarray,
    histogram: np.ndarray,
    sums: np.ndarray,
    labels: np.ndarray,
    number: int,
    stats: np.ndarray,
    centre: np.ndarray,
) -> tuple[float, float]:
    """`Region.score` and `Region.cut` of a region."""
    left, top, width, height, area = (int(value) for value in stats)
    window = np.s_[top : top + height, left : left + width]
    mask = labels[window] == number
    inside = np.bincount(levels[window][mask], minlength=256)
    mass = int(inside @ np.arange(256))
    rest = np.cumsum(histogram - inside)
    others = np.searchsorted(rest, REST_QUANTILE * rest[-1])
    lead = mass / area - max(others, _level_around(sums, (left, top, width, height), mass, area))
    on_border = (
        (left == 0, mask[:, 0]),
        (top == 0, mask[0]),
        (left + width == levels.shape[1], mask[:, -1]),
        (top + height == levels.shape[0], mask[-1]),
    )
    cut = sum(np.count_nonzero(line) for touches, line in on_border if touches) / np.sqrt(area)
    compact = np.sqrt(area / (width * height))
    off_centre = (2 * (centre + 0.5) / levels.shape[::-1] - 1) ** 2
    central = np.exp(-CENTRALITY * off_centre.sum())
    return float(lead * (area / levels.size) ** SIZE_EXPONENT * compact * central / (1 + cut)), float(cut)


def _level_around(sums: np.ndarray, box: tuple[int, int, int, int], mass: int, area: int) -> float:
    """Mean level around a region, from the integral image and the region's bounding box, mass and area.

    It is the mean level of the region itself, so that there is no contrast, if hardly anything is around it.
    """
    left, top, width, height = box
    margin = max(2, round(SURROUNDINGS * area**0.5))
    right, bottom = min(sums.shape[1] - 1, left + width + margin), min(sums.shape[0] - 1, top + height + margin)
    left, top = max(0, left - margin), max(0, top - margin)
    around = (right - left) * (bottom - top) - area
    if around < MIN_SURROUNDINGS * area:
        return mass / area
    total = int(sums[bottom, right]) - int(sums[top, right]) - int(sums[bottom, left]) + int(sums[top, left])
    return (total - mass) / around
