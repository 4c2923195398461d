"""The extent of a colony: from its core to its edge and to the outlying cells that belong to it."""

from typing import NamedTuple

import cv2
import numpy as np

ELSEWHERE_QUANTILE = 0.9  # of the saliency outside the core, for the level elsewhere in the frame
EDGE_LEVEL = 0.4  # saliency at the edge of a cell, from the level elsewhere (0) to the mean of the core (1)
PEAK_LEVEL = 0.8  # a cell outside the core exceeds this somewhere; objects far out of focus do not
CELL_AREA = 20  # pixels; a region that is smaller than this and than half of the core's own cells is dirt
DISTANCES = (0.04, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3)  # largest distances of a cell to try; 1 is the core's size
MAX_UNRELATED = 0.4  # largest expected number of unrelated cells among the outlying ones
OVERHANG = 0.1  # how far an outlying cell may extend beyond the largest distance; 1 is the core's size
MIN_REST = 0.05  # share of the frame that must be beyond all distances, to estimate the density of unrelated cells


class ColonyExtent(NamedTuple):
    """A colony with its outlying cells.

    Attributes
    ----------
    mask : ndarray of bool, shape (h, w)
        True for the pixels of its cells, the outlying ones included. All False if no cell passes the thresholds of this
        module.
    contrast : float
        Mean saliency of the core minus the level elsewhere in the frame, in grey levels; at least 0.
    """

    mask: np.ndarray
    contrast: float


def colony_extent(core: np.ndarray, fine: np.ndarray) -> ColonyExtent:
    """Find the cells of the core, and the outlying cells that belong to it.

    Parameters
    ----------
    core : ndarray of uint8, shape (h, w)
        1 in the core, 0 elsewhere. Both values must occur.
    fine : ndarray of float32, shape (h, w)
        The map ``fine`` from `cfu_core.imaging.saliency.saliency`.

    Returns
    -------
    ColonyExtent
        With the mask in the size of `core`.

    Notes
    -----
    The largest distance of an outlying cell depends on the rest of the frame: it is chosen so that few unrelated cells
    are expected within it. In a clean dish the distance is large; among many red blood cells it is 0.
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
    limit = _largest_distance(nearest[like_own], away, size)
    taken = like_own & (nearest <= limit)
    return ColonyExtent(taken[labels] & (away <= limit + OVERHANG * size) & cells, contrast)


def _largest_distance(nearest: np.ndarray, away: np.ndarray, size: float) -> float:
    """Choose the largest distance of a cell from the core, in pixels, from the distances of cells and pixels."""
    farthest = DISTANCES[-1] * size
    rest = np.count_nonzero(away > farthest)
    if rest < MIN_REST * away.size:
        return 0.0
    density = np.count_nonzero((nearest > farthest) & np.isfinite(nearest)) / rest
    largest = 0.0
    for share in DISTANCES:
        ring = np.count_nonzero((away > 0) & (away <= share * size))
        if density * ring <= MAX_UNRELATED:
            largest = share * size
    return largest
