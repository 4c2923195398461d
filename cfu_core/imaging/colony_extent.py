"""From the core of a colony to the whole: its edge, and the cells that lie a little way off."""

from typing import NamedTuple

import cv2
import numpy as np

ELSEWHERE_QUANTILE = 0.9  # of the map outside the core: what stands out elsewhere
EDGE_LEVEL = 0.4  # where a cell ends, from what stands out elsewhere (0) to the mean of the core (1)
PEAK_LEVEL = 0.8  # what a cell off the core exceeds somewhere; what lies far out of focus does not
CELL_AREA = 20  # pixels; a spot that is smaller than this and than half of the core's own is dirt
REACHES = (0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3)  # how far from the core a cell may lie; 1 is the core's size
MAX_UNRELATED = 0.4  # cells that belong to no colony, expected at most among those taken in
OVERHANG = 0.1  # how far what is taken in may stretch beyond the reach; 1 is the core's size
MIN_REST = 0.05  # share of the frame that must lie beyond the farthest reach to tell what is common there


class ColonyExtent(NamedTuple):
    """A colony with its outlying cells."""

    mask: np.ndarray
    """Its cells, (h, w) bool; may be empty."""
    contrast: float
    """Grey levels by which the core stands out from the rest of the frame."""


def colony_extent(core: np.ndarray, fine: np.ndarray) -> ColonyExtent:
    """The cells of the core, and those around it that belong to it.

    How far away a cell may lie is told by the rest of the frame: so near that few strangers are expected between
    it and the core. In a clean dish that is far, among red blood cells it is nothing.

    Parameters
    ----------
    core : ndarray of uint8, shape (h, w)
        1 where the core is, else 0.
    fine : ndarray of float32, shape (h, w)
        How unusual each pixel is, as `saliency` gives it.

    Returns
    -------
    ColonyExtent
    """
    elsewhere = float(np.quantile(fine[core == 0][::7], ELSEWHERE_QUANTILE))
    contrast = max(0.0, cv2.mean(fine, core)[0] - elsewhere)
    cells = fine > elsewhere + EDGE_LEVEL * contrast
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8))
    away = cv2.distanceTransform(1 - core, cv2.DIST_L2, 5)
    nearest, highest = np.full(count, np.inf, np.float32), np.zeros(count, np.float32)
    owner = labels[cells].astype(np.intp)
    np.minimum.at(nearest, owner, away[cells])
    np.maximum.at(highest, owner, fine[cells])

    touching = nearest == 0
    area = stats[:, cv2.CC_STAT_AREA]
    like_own = area >= min(float(np.median(area[touching])) / 2 if touching.any() else 0.0, CELL_AREA)
    like_own &= touching | (highest > elsewhere + PEAK_LEVEL * contrast)
    size = float(np.sqrt(np.count_nonzero(core)))
    reach = _reach(nearest[like_own], away, size)
    taken = like_own & (nearest <= reach)
    return ColonyExtent(taken[labels] & (away <= reach + OVERHANG * size) & cells, contrast)


def _reach(nearest: np.ndarray, away: np.ndarray, size: float) -> float:
    """How far from the core a cell may lie, in pixels, from each cell's distance and each pixel's."""
    farthest = REACHES[-1] * size
    rest = np.count_nonzero(away > farthest)
    if rest < MIN_REST * away.size:
        return 0.0
    density = np.count_nonzero((nearest > farthest) & np.isfinite(nearest)) / rest
    reach = 0.0
    for share in REACHES:
        ring = np.count_nonzero((away > 0) & (away <= share * size))
        if density * ring <= MAX_UNRELATED:
            reach = share * size
    return reach
