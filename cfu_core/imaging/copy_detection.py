"""Detection of copies: whether two pictures have the same content, in whatever orientation, size, crop and light.

The two pictures are registered, unless they have the same frame. Then their colours must agree, and their details must
correlate patch by patch.
"""

from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.copy_features import FINE_SIDE, CopyFeatures
from cfu_core.imaging.copy_light import colours_agree, light_change, light_difference
from cfu_core.imaging.frame_structure import oriented_structures
from cfu_core.imaging.registration import Fit, coarse_fits, frame_corners, orient, refine, shrink_to_area, warp_scene

_MEDIUM_SIDE = 72  # pixels; the second refinement uses the area of a square of this side
_MIN_COARSE_CORRELATION = 0.85  # copies reach 0.9 or more, half of those cropped by 20 % 0.97; other cells 0.5 to 0.95
_SAME_CORRELATION = 0.02  # orientations whose correlations differ by less may be distinguishable only by details
_MIN_ALIGNED_CORRELATION = 0.8  # after a second refinement; copies reach 0.83 or more, different cells mostly less
_MIN_SCALE = 0.75  # share of a side that a crop keeps: 20 % is cut off, and rounding takes something too
_MIN_OVERLAP = 0.8  # share of the smaller frame that both frames show
_OVERHANG = 0.0125  # share of a side by which a crop may seem to extend beyond the original
_MAX_SKEW = 0.03  # a copy is neither sheared nor rotated by other angles than multiples of 90 degrees
_SAME_FRAME = 0.005  # share of a side that an inexact registration may add or remove
_CROPPED = 0.02  # share of a side that must be missing somewhere for the kind "cropped"
_MAX_COLOUR_DIFFERENCE = 10.0  # grey levels, root mean square, of the coarse colours; more is another light
_UNEVEN = 2.5  # grey levels, as above; a local change of light that is named, if the frame is the same
_MIN_SAME_FRAME = 0.7  # correlation of the structures of the frames
_SURE_SCORE = 0.95  # of pictures with the same frame in the same light; others are registered
_AGREEING = 0.6  # correlation of a patch that shows the same scene
_MIN_AGREEING = 0.75  # share of the patches with details in both pictures; copies 0.83 or more
_BAND = (1.0, 4.0)  # pixels at the fine size: details between these scales are compared
_BORDER = 5  # pixels at the fine size; excluded along the border of the overlap, where filters lack context
_PATCHES = (6, 6)
_MIN_VISIBLE = 0.3  # share of a patch that both pictures must show
_FAINT = 0.75  # grey levels; a patch with less detail gives no evidence
_MIN_SCORE = 0.8  # copies: 0.9 or more; second photographs of one cell: 0.81 to 0.93; different cells: up to 0.5
_RICH = 0.6  # spread of the details in a picture that is not plain; smears 0.58 to 0.96, drawn shapes up to 0.4
_RICH_SHARE = 0.6  # share of the patches that agree, in another light; colonies 0.7 to 1, drawn shapes up to 0.4
_GRAIN_SIGMA = 2.0  # pixels at the fine size; in patches without details, what is finer is grain
_MIN_FAINT_SHARE = 0.15  # share of the patches in which grain must be measurable
_MIN_GRAIN = 0.9  # grey levels; weaker grain may come from the file format
_SIMILAR_GRAIN = 0.6  # ratio of the weaker to the stronger grain; re-encoding removes grain
_SAME_GRAIN = 0.15  # correlation; grain of two exposures: 0, of copies: mostly above 0.4
_SURE_GRAIN = 0.3  # correlation in half of the patches, which proves a copy
_FAINT_GRAIN = 0.4  # grey levels; enough to correlate


class CopyMatch(NamedTuple):
    """Kind of a copy, and how well the two pictures agree.

    Attributes
    ----------
    kind : str
        The last of these that applies:

        - ``identical``: same size and same pixels.
        - ``re-encoded``: same size and frame, slightly different pixels.
        - ``resized``: same frame, different size.
        - ``turned``: rotated by a multiple of 90 degrees.
        - ``mirrored``: mirrored, possibly also rotated.
        - ``cropped``: more than 2 % of a side is missing from one of the frames. The copy may also be mirrored, rotated
          and resized.
        - ``brighter or darker``, ``in other colours`` (as after another white balance), ``in grey``, or
          ``in other contrast`` (as after CLAHE): the light differs. The copy may also be cropped, mirrored, rotated and
          resized.
    score : float
        Correlation of the details, 0.8 to 1; 1 for identical pictures.
    """

    kind: str
    score: float


class _Evidence(NamedTuple):
    score: float
    spread: float  # effective share of patches with details: 1 if all have equally strong details
    grain_differs: bool
    grain_agrees: bool
    comparable: float  # share of the patches with details in both pictures
    agreeing: float  # share of the patches with the same details


def detect_copy(one: CopyFeatures, other: CopyFeatures) -> CopyMatch | None:
    """Decide whether two pictures are copies: one shows the whole content of the other, or a large part of it.

    Parameters
    ----------
    one, other : CopyFeatures
        From `cfu_core.imaging.copy_features.copy_features`. Either picture may be the crop of the other.

    Returns
    -------
    CopyMatch or None
        None if the pictures are not copies. Of several orientations that match, the one with the highest score is
        returned.

    Notes
    -----
    Pictures without details, such as blank ones, are copies only if they are identical, because nothing else
    distinguishes them. Two photographs of one scene count as copies if they show most of the same frame and are rich in
    details. Limits can make a copy undetected: a crop that keeps less than three quarters of a side or four fifths of
    the area of the smaller frame; a rotation by an angle that is not a multiple of 90 degrees; exchanged colours;
    another light if the picture has few details and no grain, as a drawn disc.
    """
    if one.content == other.content:
        return CopyMatch("identical", 1.0)
    match = _same_frame(one, other)
    if match is not None:
        return match
    fits = coarse_fits(one.scaled, other.scaled[0])
    lowest = max(_MIN_COARSE_CORRELATION, fits[0].correlation - _SAME_CORRELATION)
    found = [match for fit in fits if fit.correlation >= lowest and (match := _verified(one, other, fit))]
    return max(found, key=lambda match: match.score, default=None)


def _same_frame(one: CopyFeatures, other: CopyFeatures) -> CopyMatch | None:
    """Compare two pictures as if they showed the same frame; None also for copies that must be registered."""
    correlations = oriented_structures(other.structure) @ one.structure
    orientation = int(correlations.argmax())
    if correlations[orientation] < _MIN_SAME_FRAME:
        return None
    return _compared(one, other, orientation, np.eye(3), one.fine, orient(other.fine, orientation), sure=_SURE_SCORE)


def _verified(one: CopyFeatures, other: CopyFeatures, fit: Fit) -> CopyMatch | None:
    """Refine a coarse fit, and compare the pictures."""
    second = orient(other.fine, fit.orientation)
    area = min(one.fine.size, second.size)
    first, second = shrink_to_area(one.fine, area), shrink_to_area(second, area)
    warp = _aligned(one, other, fit, first, second)
    return None if warp is None else _compared(one, other, fit.orientation, warp, first, second)


def _compared(
    one: CopyFeatures,
    other: CopyFeatures,
    orientation: int,
    warp: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    sure: float = _MIN_SCORE,
) -> CopyMatch | None:
    """Compare the colours and the details of registered pictures, whose fine lightness is `first` and `second`.

    Pictures in the same light need the score `sure`.
    """
    colours = orient(other.colours, orientation)
    seen, visible = warp_scene(one.colours, colours, warp)
    places, other_places = seen[visible > 0], colours[visible > 0]
    other_light = light_difference(places, other_places) > _MAX_COLOUR_DIFFERENCE
    if other_light and not (len(places) and colours_agree(places, other_places)):
        return None
    seen, visible = warp_scene(first, second, warp)
    border = max(2, round(_BORDER * _side(second)))
    frame = cv2.copyMakeBorder(visible, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(frame, np.ones([2 * border + 1] * 2, np.uint8))[border:-border, border:-border]
    evidence = _evidence(seen, second, inner.astype(np.float32))
    # plain pictures look alike by chance, as two discs do: their frames and their grain must agree too
    plain = evidence.spread < _RICH and (not _within(warp) or evidence.grain_differs)
    if other_light and evidence.spread < _RICH and evidence.agreeing < _RICH_SHARE:
        plain = plain or not evidence.grain_agrees
    sure = _MIN_SCORE if other_light else sure
    if plain or evidence.score < sure or evidence.agreeing < _MIN_AGREEING * evidence.comparable:
        return None
    uneven = _UNEVEN if _missing(warp) <= _SAME_FRAME else _MAX_COLOUR_DIFFERENCE
    light = light_change(places, other_places, uneven=uneven)
    return CopyMatch(light or _kind(one, other, orientation, warp), evidence.score)


def _aligned(
    one: CopyFeatures, other: CopyFeatures, fit: Fit, first: np.ndarray, second: np.ndarray
) -> np.ndarray | None:
    """Refine the warp of a fit at three resolutions; None as soon as it cannot be that of a copy."""
    area = min(first.size, _MEDIUM_SIDE**2)
    levels = (
        (one.scaled[0], orient(other.scaled[0], fit.orientation)),
        (shrink_to_area(first, area), shrink_to_area(second, area)),
        (first, second),
    )
    warp, started = fit.warp, False
    for scene, picture in levels:
        correlation, nearby = refine(warp, scene, picture)
        if started and correlation < _MIN_ALIGNED_CORRELATION:
            return None
        warp, started = nearby if _overlapping(nearby) else warp, correlation > 0
    return warp if _overlapping(warp) else None


def _overlapping(warp: np.ndarray) -> bool:
    """Whether two frames overlap enough, are similar in size and are not skewed."""
    near, far = frame_corners(warp)
    scales = far - near
    alike = (scales >= _MIN_SCALE).all() and (scales <= 1 / _MIN_SCALE).all()
    upright = max(abs(warp[0, 1]), abs(warp[1, 0])) <= _MAX_SKEW
    common = np.prod(np.maximum(0, np.minimum(far, 1) - np.maximum(near, 0)))
    return bool(alike and upright and common >= _MIN_OVERLAP * min(1, np.prod(scales)))


def _within(warp: np.ndarray) -> bool:
    """Whether one frame is inside the other."""
    near, far = frame_corners(warp)
    inside = (near >= -_OVERHANG).all() and (far <= 1 + _OVERHANG).all()
    around = (near <= _OVERHANG).all() and (far >= 1 - _OVERHANG).all()
    return bool(inside or around)


def _evidence(one: np.ndarray, other: np.ndarray, weight: np.ndarray) -> _Evidence:
    """Correlate the details of two registered pictures (h, w), patch by patch, where `weight` is 1."""
    share = _patches(weight)
    both, energy, other_energy = _products(_band(one) * weight, _band(other) * weight)
    strength = np.sqrt(np.maximum(energy, other_energy) / np.maximum(share, 1e-6)) * (share > _MIN_VISIBLE)
    detailed, faint = strength > _FAINT, (strength <= _FAINT) & (share > _MIN_VISIBLE)
    if not detailed.any():
        return _Evidence(0.0, 0.0, False, False, 0.0, 0.0)
    correlation = both[detailed] / np.sqrt(np.maximum(energy * other_energy, 1e-6))[detailed]
    visible = np.count_nonzero(share > _MIN_VISIBLE)
    comparable = np.minimum(energy, other_energy)[detailed] > _FAINT**2 * share[detailed]
    score = min(1.0, float(np.average(correlation, weights=strength[detailed])))
    spread = float(strength.sum() ** 2 / (strength.size * (strength**2).sum()))
    grain = (weight * (picture - cv2.GaussianBlur(picture, (0, 0), _GRAIN_SIGMA)) for picture in (one, other))
    both, energy, other_energy = (products[faint] for products in _products(*grain))
    least, most = sorted([energy.sum(), other_energy.sum()])
    measurable, area = faint.mean() >= _MIN_FAINT_SHARE, share[faint].sum()
    grainy = measurable and most >= _MIN_GRAIN**2 * area and least >= _SIMILAR_GRAIN**2 * most
    same = both >= _SURE_GRAIN * np.sqrt(np.maximum(energy * other_energy, 1e-6))
    return _Evidence(
        score=score,
        spread=spread,
        grain_differs=bool(grainy and both.sum() < _SAME_GRAIN * np.sqrt(least * most)),
        grain_agrees=bool(measurable and most >= _FAINT_GRAIN**2 * area and same.mean() >= 0.5),
        agreeing=np.count_nonzero(comparable & (correlation >= _AGREEING)) / visible,
        comparable=np.count_nonzero(comparable) / visible,
    )


def _products(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _patches(one * other), _patches(one * one), _patches(other * other)


def _patches(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, _PATCHES, interpolation=cv2.INTER_AREA)


def _band(picture: np.ndarray) -> np.ndarray:
    fine, coarse = (cv2.GaussianBlur(picture, (0, 0), max(0.6, sigma * _side(picture))) for sigma in _BAND)
    return fine - coarse


def _side(picture: np.ndarray) -> float:
    """Return the side of a picture relative to the fine size; below 1 for small pictures."""
    return float(np.sqrt(picture.size)) / FINE_SIDE


def _missing(warp: np.ndarray) -> float:
    """Return the share of a side that one of the frames lacks at its most different border."""
    near, far = frame_corners(warp)
    return float(max(abs(near).max(), abs(far - 1).max()))


def _kind(one: CopyFeatures, other: CopyFeatures, orientation: int, warp: np.ndarray) -> str:
    if _missing(warp) > _CROPPED:
        return "cropped"
    if orientation:
        return "mirrored" if orientation >= 4 else "turned"
    return "re-encoded" if one.shape == other.shape else "resized"
