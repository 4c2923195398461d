"""Connected regions of a map: which of them looks most like the one thing that was photographed."""

from typing import NamedTuple

import cv2
import numpy as np

THRESHOLDS = (0.12, 0.18, 0.26, 0.36, 0.48, 0.62)  # of the strongest place
CANDIDATES = 3  # regions looked at for each threshold, the heaviest first
MIN_AREA, MAX_AREA = 0.002, 0.8  # share of the frame that a region covers
REST_QUANTILE = 0.95  # of the levels outside a region: what it has to stand out from
SIZE_EXPONENT = 0.6  # how much a larger region counts for more


class Region(NamedTuple):
    """A connected region above a threshold."""

    score: float
    """Its lead over the rest of the frame, times its size, times how compact and whole it is."""
    labels: np.ndarray
    """(h, w) int32: `number` where the region is."""
    number: int
    cut: float
    """Length of the frame's border inside the region, over the square root of its area."""
    competition: float
    """The mass of the heaviest other region above the same threshold, over its own; at most 1."""

    def mask(self) -> np.ndarray:
        """Where the region is, (h, w) bool."""
        return self.labels == self.number


def best_region(levels: np.ndarray) -> Region | None:
    """The region that most looks like the one thing that was photographed, over all thresholds.

    Parameters
    ----------
    levels : ndarray of uint8, shape (h, w)
        0 is background, 255 is the strongest place.

    Returns
    -------
    Region or None
        None where every region is too small, covers nearly everything, or is no stronger than the rest of the frame.
    """
    histogram = np.bincount(levels.ravel(), minlength=256)
    best = None
    for threshold in THRESHOLDS:
        mask = cv2.threshold(levels, 255 * threshold, 1, cv2.THRESH_BINARY)[1]
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        masses = np.bincount(labels.ravel(), weights=levels.ravel(), minlength=count)
        masses[0] = 0  # what lies below the threshold
        heaviest = [int(number) for number in np.argsort(-masses)[: CANDIDATES + 1] if number > 0]
        for number in heaviest[:CANDIDATES]:
            if not MIN_AREA * levels.size <= stats[number, cv2.CC_STAT_AREA] <= MAX_AREA * levels.size:
                continue
            score, cut = _score(levels, histogram, labels, number, stats[number])
            if score > (best.score if best else 0):
                others = max((masses[other] for other in heaviest if other != number), default=0.0)
                best = Region(score, labels, number, cut, min(1.0, float(others / masses[number])))
    return best


def _score(
    levels: np.ndarray, histogram: np.ndarray, labels: np.ndarray, number: int, stats: np.ndarray
) -> tuple[float, float]:
    """Score and cut of a region."""
    left, top, width, height, area = (int(value) for value in stats)
    window = np.s_[top : top + height, left : left + width]
    mask = labels[window] == number
    inside = np.bincount(levels[window][mask], minlength=256)
    rest = np.cumsum(histogram - inside)
    lead = inside @ np.arange(256) / area - np.searchsorted(rest, REST_QUANTILE * rest[-1])
    on_border = (
        (left == 0, mask[:, 0]),
        (top == 0, mask[0]),
        (left + width == levels.shape[1], mask[:, -1]),
        (top + height == levels.shape[0], mask[-1]),
    )
    cut = sum(np.count_nonzero(line) for touches, line in on_border if touches) / np.sqrt(area)
    compact = np.sqrt(area / (width * height))
    return float(lead * (area / levels.size) ** SIZE_EXPONENT * compact / (1 + cut / 2)), float(cut)
