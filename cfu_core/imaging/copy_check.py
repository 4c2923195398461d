"""Whether one picture is a copy of another: the same, turned, mirrored, scaled, or a part of it.

The pictures are laid upon each other; then their colours, and their details patch by patch, must agree.
"""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.registration import SCALES, Fit, corners, oriented, reduced, refined, rough_fits, warped
from cfu_core.imaging.signature import opponent

_COARSE, _MEDIUM, _FINE = 40, 72, 144  # pixels: sides of the squares whose area a picture is reduced to
_UNEVEN = 0.15  # share of a side: what varies over more is the light, not the scene
_COARSE_LIKENESS = 0.85  # copies reach 0.9 and more, half of those cropped by 20 % 0.97; different cells 0.5 to 0.95
_SAME_LIKENESS = 0.02  # orientations that differ by less may be told apart only by details
_ALIGNED = 0.8  # correlation after a second refinement; copies reach 0.83 and more, different cells mostly less
_SMALLEST_FRAME = 0.75  # share of a side that a crop keeps: 20 % is cut off, and something lost to rounding
_OVERLAP = 0.8  # share of the smaller frame that both frames show
_OVERHANG = 0.0125  # share of a side by which a crop may seem to reach beyond the original
_SKEW = 0.03  # a copy is neither sheared nor turned by an odd angle
_CROPPED = 0.02  # share of a side that is missing somewhere from what is called cropped
_COLOUR_DIFFERENCE = 10.0  # grey levels, root mean square, at the coarse size
_BAND = (1.0, 4.0)  # pixels at the fine size: details between these scales are compared
_BORDER = 5  # pixels at the fine size along the border of what both show: filters have too little to go by there
_PATCHES = (6, 6)
_SEEN = 0.3  # share of a patch that both show, at least
_FAINT = 0.75  # grey levels: patches with less detail than this say nothing
_LIKENESS = 0.8  # copies: 0.9 and more; second photographs of one cell: 0.81 to 0.93; different cells: up to 0.5
_RICH = 0.6  # spread of the details in a picture that is not plain; smears 0.58 to 0.96, drawn shapes up to 0.4
_GRAIN = 2.0  # pixels at the fine size: what is finer is grain, where there are no details
_GRAIN_SEEN = 0.15  # share of patches that show nothing else
_GRAINY = 0.9  # grey levels; finer grain may come from the file format
_AS_GRAINY = 0.6  # strength of the weaker grain by the stronger; re-encoding takes grain away
_SAME_GRAIN = 0.15  # correlation; grain of two exposures: 0, of copies: mostly above 0.4


class Likeness(NamedTuple):
    """How a picture is a copy of another.

    Parameters
    ----------
    kind : str
        ``identical``, ``re-encoded``, ``resized``, ``turned``, ``mirrored`` or ``cropped``: the last of these that
        applies; what is cropped may be mirrored and resized too.
    score : float
        How well the details agree, up to 1.
    """

    kind: str
    score: float


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture made ready for comparisons, by `prepare`.

    Parameters
    ----------
    content : bytes
        Digest of size and pixels.
    shape : tuple of int
        Height and width in pixels.
    colours : ndarray of float32, shape (h, w, 3)
        Lightness and opponent colours, coarse.
    scaled : tuple of ndarray of float32, shape (h, w)
        Coarse lightness, uneven light removed, at each of `SCALES`.
    fine : ndarray of float32, shape (h, w)
        Lightness with its details, uneven light removed.
    """

    content: bytes
    shape: tuple[int, int]
    colours: np.ndarray
    scaled: tuple[np.ndarray, ...]
    fine: np.ndarray


class _Evidence(NamedTuple):
    score: float
    spread: float  # share of the patches that would hold all details if each held as much
    grain_differs: bool


def prepare(image: np.ndarray) -> Picture:
    """Make a picture ready for `compare`.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB; about 256 pixels a side are enough.
    """
    height, width = image.shape[:2]
    colours = cv2.GaussianBlur(opponent(image, _COARSE), (0, 0), 1.0)
    light = _evened(colours[..., 0])
    return Picture(
        content=hashlib.blake2b(f"{height} x {width} ".encode() + image.tobytes(), digest_size=16).digest(),
        shape=(height, width),
        colours=colours,
        scaled=tuple(cv2.resize(light, None, fx=scale, fy=scale) for scale in SCALES),
        fine=_evened(opponent(image, min(_FINE, float(np.sqrt(height * width))))[..., 0]),
    )


def compare(one: Picture, other: Picture) -> Likeness | None:
    """Whether one of two pictures is a copy of the other, or of a part of it.

    Pictures without details, blank ones above all, are copies only where they are identical: there is nothing to
    tell them apart by. Two photographs of one scene count as copies where they show most of the same frame and are
    rich in details.

    Returns
    -------
    Likeness or None
        None where they are not copies.
    """
    if one.content == other.content:
        return Likeness("identical", 1.0)
    fits = rough_fits(one.scaled, other.scaled[0])
    likely = [fit for fit in fits if fit.likeness >= max(_COARSE_LIKENESS, fits[0].likeness - _SAME_LIKENESS)]
    found = [likeness for fit in likely if (likeness := _closely(one, other, fit))]
    return max(found, key=lambda likeness: likeness.score, default=None)


def _evened(light: np.ndarray) -> np.ndarray:
    light = np.ascontiguousarray(light)
    return light - cv2.GaussianBlur(light, (0, 0), _UNEVEN * float(np.sqrt(light.size)))


def _closely(one: Picture, other: Picture, fit: Fit) -> Likeness | None:
    """What becomes of a rough fit when it is refined and looked at in detail."""
    second = oriented(other.fine, fit.orientation)
    area = min(one.fine.size, second.size)
    first, second = reduced(one.fine, area), reduced(second, area)
    warp = _aligned(one, other, fit, first, second)
    colours = oriented(other.colours, fit.orientation)
    if warp is None or _colour_difference(one.colours, colours, warp) > _COLOUR_DIFFERENCE:
        return None
    seen, here = warped(first, second, warp)
    border = max(2, round(_BORDER * _side(second)))
    frame = cv2.copyMakeBorder(here, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(frame, np.ones([2 * border + 1] * 2, np.uint8))[border:-border, border:-border]
    evidence = _evidence(seen, second, inner.astype(np.float32))
    # chance makes plain pictures alike: a disc is like any other. Then the frames and the grain must agree too
    plain = evidence.spread < _RICH and (not _within(warp) or evidence.grain_differs)
    if plain or evidence.score < _LIKENESS:
        return None
    return Likeness(_kind(one, other, fit.orientation, warp), evidence.score)


def _aligned(one: Picture, other: Picture, fit: Fit, first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """The warp of a fit, refined at three resolutions; None as soon as it cannot be that of a copy."""
    area = min(first.size, _MEDIUM**2)
    levels = (
        (one.scaled[0], oriented(other.scaled[0], fit.orientation)),
        (reduced(first, area), reduced(second, area)),
        (first, second),
    )
    warp, started = fit.warp, False
    for scene, picture in levels:
        correlation, nearby = refined(warp, scene, picture)
        if started and correlation < _ALIGNED:
            return None
        warp, started = nearby if _overlapping(nearby) else warp, correlation > 0
    return warp if _overlapping(warp) else None


def _overlapping(warp: np.ndarray) -> bool:
    """Whether two frames have most in common, and are of like size and upright."""
    near, far = corners(warp)
    scales = far - near
    alike = (scales >= _SMALLEST_FRAME).all() and (scales <= 1 / _SMALLEST_FRAME).all()
    upright = max(abs(warp[0, 1]), abs(warp[1, 0])) <= _SKEW
    common = np.prod(np.maximum(0, np.minimum(far, 1) - np.maximum(near, 0)))
    return bool(alike and upright and common >= _OVERLAP * min(1, np.prod(scales)))


def _within(warp: np.ndarray) -> bool:
    """Whether one frame lies within the other."""
    near, far = corners(warp)
    inside = (near >= -_OVERHANG).all() and (far <= 1 + _OVERHANG).all()
    around = (near <= _OVERHANG).all() and (far >= 1 - _OVERHANG).all()
    return bool(inside or around)


def _colour_difference(one: np.ndarray, other: np.ndarray, warp: np.ndarray) -> float:
    seen, here = warped(one, other, warp)
    return float(np.sqrt(np.mean((seen - other)[here > 0] ** 2))) if here.any() else np.inf


def _evidence(one: np.ndarray, other: np.ndarray, weight: np.ndarray) -> _Evidence:
    """How well two pictures (h, w) that lie upon each other agree where `weight` is 1, patch by patch."""
    share = _patches(weight)
    both, energy, other_energy = _products(_band(one) * weight, _band(other) * weight)
    strength = np.sqrt(np.maximum(energy, other_energy) / np.maximum(share, 1e-6)) * (share > _SEEN)
    told, faint = strength > _FAINT, (strength <= _FAINT) & (share > _SEEN)
    if not told.any():
        return _Evidence(0.0, 0.0, False)
    correlation = both[told] / np.sqrt(np.maximum(energy * other_energy, 1e-6))[told]
    score = min(1.0, float(np.average(correlation, weights=strength[told])))
    spread = float(strength.sum() ** 2 / (strength.size * (strength**2).sum()))
    grain = (weight * (picture - cv2.GaussianBlur(picture, (0, 0), _GRAIN)) for picture in (one, other))
    both, energy, other_energy = (total[faint].sum() for total in _products(*grain))
    least, most = sorted([energy, other_energy])
    grainy = faint.mean() >= _GRAIN_SEEN and most >= _GRAINY**2 * share[faint].sum() and least >= _AS_GRAINY**2 * most
    return _Evidence(score, spread, bool(grainy and both < _SAME_GRAIN * np.sqrt(least * most)))


def _products(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _patches(one * other), _patches(one * one), _patches(other * other)


def _patches(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, _PATCHES, interpolation=cv2.INTER_AREA)


def _band(picture: np.ndarray) -> np.ndarray:
    fine, coarse = (cv2.GaussianBlur(picture, (0, 0), max(0.6, sigma * _side(picture))) for sigma in _BAND)
    return fine - coarse


def _side(picture: np.ndarray) -> float:
    """The side of a picture in units of the fine size; small pictures stay smaller."""
    return float(np.sqrt(picture.size)) / _FINE


def _kind(one: Picture, other: Picture, orientation: int, warp: np.ndarray) -> str:
    near, far = corners(warp)
    if max(abs(near).max(), abs(far - 1).max()) > _CROPPED:
        return "cropped"
    if orientation:
        return "mirrored" if orientation >= 4 else "turned"
    return "re-encoded" if one.shape == other.shape else "resized"
