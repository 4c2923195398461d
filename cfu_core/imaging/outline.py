"""The outline of a compact object, such as a stained cell, among other objects.

Colours that are more frequent near the object than far from it are evidence for the object. The outline is the closed
curve that encloses the most evidence.
"""

from typing import NamedTuple

import cv2
import numpy as np

SEED_LEVEL = 0.5  # of the high saliency in the core: pixels above it are the seed of the object
DIFFERENT = 10.0  # grey levels: difference from the background that is half of the evidence
NEAR, FAR = 0.5, 1.5  # distances from the seed, in its radii: up to the first is near, beyond the second is far
FAR_SHARE = 0.2  # of the frame: if less is far, the most distant pixels are used
HALO = 0.15  # of the object's radius: pixels at this distance from the first outline count neither as near nor as far
BINS = (14, 24, 24)  # of the colours, in lightness, a and b
BIN_SIZE, LOWEST = (16.0, 8.0, 8.0), (-180.0, -96.0, -96.0)  # grey levels of the difference from the background
RARE = 0.001  # share of the pixels: colours that are much rarer than this are no evidence
NEUTRAL = 0.5  # evidence above which a pixel is more likely inside the object than outside
OUTSIDE = -0.02  # evidence beyond the border of the frame
REACH = 3.5  # largest distance of the outline from the centre of the seed, in radii of the seed
ANGLES = 24, 48  # rays of the first and of the second pass
RADII = 48  # samples of a ray
ROUGHNESS = 0.04  # evidence that a step of the outline by one radius costs


class Outline(NamedTuple):
    """The outline of an object in a map of size (h, w).

    Attributes
    ----------
    mask : ndarray of bool, shape (h, w)
        True inside the outline.
    solidity : float (0 to 1)
        Share of the pixels inside that differ from the background. It is low for cells that lie apart.
    competition : float (0 to 1)
        Largest mass (sum of evidence) of another region with the colours of the object, divided by the mass of the
        object; 1 if the other mass is larger, 0 if there is no other region.
    stability : float (0 to 1)
        Intersection over union of the outlines of both passes.
    """

    mask: np.ndarray
    solidity: float
    competition: float
    stability: float


def outline(core: np.ndarray, fine: np.ndarray, difference: np.ndarray) -> Outline:
    """Find the outline of the object that contains most of a core.

    Parameters
    ----------
    core : ndarray of bool, shape (h, w)
        A region that lies at least partly inside the object, such as a nucleus; at least one pixel must be True.
    fine : ndarray of float32, shape (h, w)
        Saliency, from `cfu_core.imaging.saliency.saliency`, in the size of `core`. The most salient pixels of the core
        are the seed of the object.
    difference : ndarray of float32, shape (h, w, 3)
        Difference of each pixel from the background in CIE LAB, in grey levels.

    Returns
    -------
    Outline
        The outline is star-shaped: each ray from the centre of the seed crosses it once. It may lie on the border of
        the frame.

    Notes
    -----
    The evidence of a pixel is its difference from the background, from 0 to 1, times the ratio of two histograms of the
    colours: that of the pixels near the seed, divided by the sum of it and that of the pixels far from it (Swain and
    Ballard, 1991). So colours of red blood cells, which are as frequent elsewhere, are evidence against the object,
    and colours of the cytoplasm, which surround the nucleus only, are evidence for it. In polar coordinates around the
    seed, dynamic programming finds the closed curve that encloses the most evidence (Timp and Karssemeijer, 2004).
    A second pass uses the pixels inside and outside the first outline for the histograms.

    References
    ----------
    M. J. Swain, D. H. Ballard, "Color indexing", International Journal of Computer Vision 7 (1991), 11-32.

    S. Timp, N. Karssemeijer, "A new 2D segmentation method based on dynamic programming applied to computer aided
    detection in mammography", Medical Physics 31 (2004), 958-971.
    """
    square = _squared_length(difference)
    different = square / (square + DIFFERENT**2)
    bins = _colour_bins(difference)
    high = SEED_LEVEL * float(np.quantile(fine[core], 0.9))
    seed = (core & (fine >= high)).astype(np.uint8)
    moments = cv2.moments(seed, binaryImage=True)
    centre = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    radius, in_seed = _radius(seed), seed > 0

    def enclosed(known: np.ndarray, near: float, far: float, angles: int) -> tuple[np.ndarray, np.ndarray]:
        """Object and evidence, from the colours up to the distance `near` of a known part and beyond `far`."""
        away = cv2.distanceTransform(1 - known, cv2.DIST_L2, 3)
        distant = away >= min(far, float(np.quantile(away[::2, ::2], 1 - FAR_SHARE)))
        evidence = different * _frequency_ratio(bins, away <= near, distant) - NEUTRAL
        evidence = cv2.GaussianBlur(np.where(in_seed, np.maximum(evidence, 0), evidence), (0, 0), 1)
        return _enclosed(evidence, centre, REACH * radius, angles), evidence

    first, _ = enclosed(seed, NEAR * radius, FAR * radius, ANGLES[0])
    second, evidence = enclosed(first, 0, HALO * _radius(first) + 1, ANGLES[1])
    mask = second > 0
    return Outline(
        mask,
        solidity=float((different[mask] > 0.5).mean()),
        competition=_competition(mask, evidence),
        stability=np.count_nonzero(first & second) / np.count_nonzero(first | second),
    )


def crowding(mask: np.ndarray, difference: np.ndarray) -> float:
    """Compute which share of the frame outside a mask differs from the background.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        True for the object.
    difference : ndarray of float32, shape (h, w, 3)
        Difference of each pixel from the background in CIE LAB, in grey levels.

    Returns
    -------
    float (0 to 1)
        Low in a clean dish, high among many cells; 0 if nothing is outside.
    """
    outside = _squared_length(difference)[~mask]
    return float((outside > DIFFERENT**2).mean()) if len(outside) else 0.0


def _squared_length(difference: np.ndarray) -> np.ndarray:
    return cv2.transform(difference * difference, np.ones((1, 3), np.float32))


def _colour_bins(difference: np.ndarray) -> np.ndarray:
    """Return the number of the bin of each pixel's colour, (h, w) intp."""
    number = np.zeros(difference.shape[:2], np.float32)
    for channel, (count, size, lowest) in enumerate(zip(BINS, BIN_SIZE, LOWEST, strict=True)):
        number *= count
        number += np.clip(np.floor((difference[..., channel] - lowest) / size), 0, count - 1)
    return number.astype(np.intp)


def _frequency_ratio(bins: np.ndarray, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Frequency of each pixel's colour near the object, divided by that near it plus that far from it: (h, w)."""
    inside, outside = (_histogram(bins[where]) for where in (near, far))
    return ((inside + RARE / 2) / (inside + outside + RARE))[bins]


def _histogram(bins: np.ndarray) -> np.ndarray:
    """Relative frequencies of the colours, smoothed along each axis by (1, 2, 1) / 4."""
    counts = np.bincount(bins, minlength=BINS[0] * BINS[1] * BINS[2]).reshape(BINS).astype(np.float32)
    for axis in range(3):
        along = np.moveaxis(counts, axis, 0)
        smoothed = 2 * along
        smoothed[1:] += along[:-1]
        smoothed[:-1] += along[1:]
        counts = np.moveaxis(smoothed, 0, axis)
    return counts.ravel() / (64 * max(1, len(bins)))


def _enclosed(evidence: np.ndarray, centre: tuple[float, float], reach: float, rays: int) -> np.ndarray:
    """Region of the most evidence whose outline is a closed path around the centre: (h, w) uint8."""
    missing = 10.0  # warpPolar fills with 0, so that the evidence is shifted for it
    polar = cv2.warpPolar(evidence + missing, (RADII, rays), centre, reach, cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS)
    polar = np.where(polar > missing / 2, polar - missing, OUTSIDE)
    at = (np.arange(RADII, dtype=np.float32) + 0.5) / RADII
    steps = _closed_path(
        np.cumsum(polar * at, axis=1, dtype=np.float32)
    )  # a sample represents an area that grows with its radius
    radii = (steps + 1) * (reach / RADII)
    angles = np.arange(rays) * (2 * np.pi / rays)
    points = np.stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)], axis=1)
    mask = np.zeros(evidence.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask


def _closed_path(gain: np.ndarray) -> np.ndarray:
    """Column of each row (rows,) with the largest sum of gains, where columns of adjacent rows differ by at most 2.

    The path is closed because the middle of one and a half turns is used.
    """
    rows, columns = gain.shape
    lead = rows // 4
    turns = np.concatenate([gain[-lead:], gain, gain[:lead]])
    best = np.full((len(turns), columns + 4), -np.inf, np.float32)  # two columns of padding on each side
    best[0, 2:-2] = turns[0]
    reached, far = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for before, after, gained in zip(best[:-1], best[1:, 2:-2], turns[1:], strict=True):
        np.maximum(before[1:-3], before[3:-1], out=reached)
        np.maximum(before[:-4], before[4:], out=far)
        far -= ROUGHNESS
        np.maximum(reached, far, out=reached)
        reached -= ROUGHNESS
        np.maximum(reached, before[2:-2], out=reached)
        np.add(reached, gained, out=after)
    costs = ROUGHNESS * np.abs(np.arange(-2, 3, dtype=np.float32))
    column = int(best[-1].argmax())
    path = [column]
    for before in best[-2::-1]:
        column += int((before[column - 2 : column + 3] - costs).argmax()) - 2
        path.append(column)
    return np.array(path[::-1][lead:-lead]) - 2


def _competition(mask: np.ndarray, evidence: np.ndarray) -> float:
    """`Outline.competition` of the object in a mask."""
    positive = np.maximum(evidence, 0)
    own = float(positive[mask].sum())
    count, labels = cv2.connectedComponents(((evidence > 0) & ~mask).astype(np.uint8))
    masses = np.bincount(labels.ravel(), weights=positive.ravel(), minlength=count)[1:]
    return min(1.0, float(masses.max(initial=0.0)) / own) if own > 0 else 1.0


def _radius(mask: np.ndarray) -> float:
    """Radius of the disc with the area of a mask, in pixels."""
    return float(np.sqrt(np.count_nonzero(mask) / np.pi))
