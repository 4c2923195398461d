"""Connected regions of a map, ranked by how much each looks like the one thing that was photographed."""

from typing import NamedTuple

import cv2
import numpy as np

THRESHOLDS = (0.12, 0.18, 0.26, 0.36, 0.48, 0.62)  # of the strongest place
CANDIDATES = 3  # regions looked at for each threshold, the heaviest first
LEAST_AREA, MOST_AREA = 0.002, 0.8  # share of the frame that a region covers
REST_QUANTILE = 0.95  # of the levels outside a region: what it has to stand out from
SIZE_EXPONENT = 0.6  # how much a larger region counts for more


class Region(NamedTuple):
    """A connected region above a threshold."""

    score: float
    """Difference to the rest of the frame, times its size, times how compact and whole it is."""
    labels: np.ndarray
    """(h, w) int32: `number` where the region is."""
    number: int
    cut: float
    """Length of the frame's border inside the region, over the square root of its area."""

    def mask(self) -> np.ndarray:
        """Where the region is, (h, w) bool."""
        return self.labels == self.number


def regions_of(levels: np.ndarray) -> list[Region]:
    """The likeliest regions over all thresholds, the best first; those of different thresholds may overlap.

    Parameters
    ----------
    levels : ndarray of uint8, shape (h, w)
        0 is background, 255 is the strongest place.

    Returns
    -------
    list of Region
        Empty where every region is too small, covers nearly everything, or is no stronger than the rest of the frame.
    """
    histogram = np.bincount(levels.ravel(), minlength=256)
    regions = []
    for threshold in THRESHOLDS:
        mask = cv2.threshold(levels, 255 * threshold, 1, cv2.THRESH_BINARY)[1]
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        mass = np.bincount(labels.ravel(), weights=levels.ravel(), minlength=count)[1:]  # 0 is what is below
        for number in np.argsort(-mass)[:CANDIDATES] + 1:
            if LEAST_AREA * levels.size <= stats[number, cv2.CC_STAT_AREA] <= MOST_AREA * levels.size:
                regions.append(_region(levels, histogram, labels, int(number), stats[number]))
    standing_out = [region for region in regions if region.score > 0]
    return sorted(standing_out, key=lambda region: region.score, reverse=True)


def rival_share(regions: list[Region]) -> float:
    """The score of the best region that does not overlap the first, as a share of the first one's; 0 without one."""
    first = regions[0]
    place = first.mask()
    for region in regions[1:]:
        if not (region.labels[place] == region.number).any():
            return region.score / first.score
    return 0.0


def _region(levels: np.ndarray, histogram: np.ndarray, labels: np.ndarray, number: int, stats: np.ndarray) -> Region:
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
    score = lead * (area / levels.size) ** SIZE_EXPONENT * compact / (1 + cut / 2)
    return Region(float(score), labels, number, float(cut))
