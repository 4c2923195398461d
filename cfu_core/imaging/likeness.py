"""Whether one picture is a copy of another: the same, turned, mirrored, scaled, or a part of it.

Coarse to fine: the middle of one picture is looked for in the other, in eight orientations and at several scales; the
best fit is refined to a fraction of a pixel; then colours, and details patch by patch, must agree.

References
----------
G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization",
IEEE Trans. Pattern Analysis and Machine Intelligence 30 (2008), 1858-1865.
"""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.signature import opponent

_COARSE, _MEDIUM, _FINE = 40, 72, 144  # pixels: sides of the squares whose area a picture is reduced to
_UNEVEN = 0.15  # share of a side: what varies over more is the light, not the scene
_SCALES = (1.0, 0.84, 0.92, 1.09, 1.19)  # at which the middle is looked for
_RIM = 0.16  # share of a side that is left out around the middle
_TRIED = 3  # orientations that are looked at closely
_COARSE_LIKENESS = 0.85
_SAME_LIKENESS = 0.02  # orientations that differ by less may be told apart only by details
_ITERATIONS = 30
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
_FAINT = 0.75  # grey levels: patches with less detail than this say nothing
_LIKENESS = 0.8  # real copies: 0.88 and more; different cells of one smear: up to 0.5
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
        Height and width in pixels, before the picture was reduced.
    colours : ndarray of float32, shape (h, w, 3)
        Lightness and opponent colours, coarse.
    scaled : tuple of ndarray of float32
        The lightness of `colours` at each scale at which the middle is looked for.
    fine : ndarray of float32, shape (h, w)
        Lightness with its details.
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


class _Fit(NamedTuple):
    likeness: float
    orientation: int
    warp: np.ndarray  # (3, 3): from the turned second picture to the first; both frames reach from 0 to 1


def prepare(image: np.ndarray, *, shape: tuple[int, int] | None = None) -> Picture:
    """Make a picture ready for `compare`.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB; about 256 pixels a side are enough.
    shape : tuple of int, optional
        Height and width of the image that this is a reduced picture of.
    """
    shape, (height, width) = shape or image.shape[:2], image.shape[:2]
    colours = cv2.GaussianBlur(opponent(image, _COARSE), (0, 0), 1.0)
    light = _flattened(colours[..., 0])
    return Picture(
        content=hashlib.blake2b(f"{shape} {image.shape} ".encode() + image.tobytes(), digest_size=16).digest(),
        shape=shape,
        colours=colours,
        scaled=tuple(cv2.resize(light, None, fx=scale, fy=scale) for scale in _SCALES),
        fine=_flattened(opponent(image, min(_FINE, float(np.sqrt(height * width))))[..., 0]),
    )


def compare(one: Picture, other: Picture) -> Likeness | None:
    """Whether one of two pictures is a copy of the other, or of a part of it.

    Pictures without details, blank ones above all, are copies only where they are identical: there is nothing to
    tell them apart by. Two photographs of one scene count as copies where they show most of the same frame and are
    rich in detail.

    Returns
    -------
    Likeness or None
        None where they are not copies.
    """
    if one.content == other.content:
        return Likeness("identical", 1.0)
    fits = _fits(one, other)
    likely = [fit for fit in fits if fit.likeness >= max(_COARSE_LIKENESS, fits[0].likeness - _SAME_LIKENESS)]
    found = [likeness for fit in likely if (likeness := _closely(one, other, fit))]
    return max(found, key=lambda likeness: likeness.score, default=None)


def _flattened(light: np.ndarray) -> np.ndarray:
    """Without what varies over a large part of the frame: light that falls off tells nothing of the scene."""
    light = np.ascontiguousarray(light)
    return light - cv2.GaussianBlur(light, (0, 0), _UNEVEN * float(np.sqrt(light.size)))


def _fits(one: Picture, other: Picture) -> list[_Fit]:
    """Where the middle of `other` lies in `one`, the best of a few orientations first."""
    middles = []
    for orientation in range(8):
        turned = _turned(other.scaled[0], orientation)
        middles.append((_sought(one.scaled[0], turned), orientation, turned))
    middles.sort(key=lambda middle: -middle[0][0])
    fits = []
    for first, orientation, turned in middles[:_TRIED]:
        places = [first, *(_sought(scaled, turned) for scaled in one.scaled[1:])]
        likeness, warp = max(places, key=lambda place: place[0])
        fits.append(_Fit(likeness, orientation, warp))
    return sorted(fits, key=lambda fit: -fit.likeness)


def _sought(scene: np.ndarray, picture: np.ndarray) -> tuple[float, np.ndarray]:
    """How well the middle of `picture` is found in `scene`, and the warp from the one frame to the other."""
    height, width = picture.shape
    left, top = round(_RIM * width), round(_RIM * height)
    middle = picture[top : height - top, left : width - left]
    if middle.shape[0] > scene.shape[0] or middle.shape[1] > scene.shape[1] or np.ptp(middle) < _FAINT:
        return 0.0, np.eye(3)
    _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(scene, middle, cv2.TM_CCOEFF_NORMED))
    shift = np.array([[1, 0, x - left], [0, 1, y - top], [0, 0, 1.0]])
    return likeness, _unit(scene) @ shift @ np.linalg.inv(_unit(picture))


def _closely(one: Picture, other: Picture, fit: _Fit) -> Likeness | None:
    """What becomes of a coarse fit when it is refined and looked at in detail."""
    turned = _turned(other.colours, fit.orientation)
    first, second = _equalled(one.fine, _turned(other.fine, fit.orientation))
    coarse = one.scaled[0], _turned(other.scaled[0], fit.orientation)
    warp, started = fit.warp, False
    for scene, picture in (coarse, _equalled(first, second, _MEDIUM), (first, second)):
        correlation, refined = _refined(warp, scene, picture)
        if started and correlation < _ALIGNED:
            return None
        warp, started = refined if _overlapping(refined) else warp, correlation > 0
    if not _overlapping(warp) or _colour_difference(one.colours, turned, warp) > _COLOUR_DIFFERENCE:
        return None
    seen, here = _warped(first, second, warp)
    border = max(2, round(_BORDER * _side(second)))
    inner = cv2.erode(here, None, iterations=border, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    evidence = _evidence(seen, second, inner.astype(np.float32))
    # chance makes plain pictures alike: a disc is like any other. Then the frames and the grain must agree too
    plain = evidence.spread < _RICH and (not _within(warp) or evidence.grain_differs)
    if plain or evidence.score < _LIKENESS:
        return None
    return Likeness(_kind(one, other, fit.orientation, warp), evidence.score)


def _refined(warp: np.ndarray, scene: np.ndarray, picture: np.ndarray) -> tuple[float, np.ndarray]:
    """How well two pictures correlate at best, and the warp that makes them; 0 where none is found nearby."""
    to_scene, to_picture = _unit(scene), _unit(picture)
    start = (np.linalg.inv(to_scene) @ warp @ to_picture)[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ITERATIONS, 1e-5)
    try:
        correlation, found = cv2.findTransformECC(picture, scene, start, cv2.MOTION_AFFINE, stop, None, 3)
    except cv2.error:  # it says so when it does not converge
        return 0.0, warp
    return correlation, to_scene @ np.vstack([found, [0, 0, 1]]) @ np.linalg.inv(to_picture)


def _overlapping(warp: np.ndarray) -> bool:
    """Whether two frames have most in common, and are of like size and upright."""
    near, far = _corners(warp)
    common = np.prod(np.minimum(far, 1) - np.maximum(near, 0))
    scales = far - near
    alike = (scales >= _SMALLEST_FRAME).all() and (scales <= 1 / _SMALLEST_FRAME).all()
    upright = max(abs(warp[0, 1]), abs(warp[1, 0])) <= _SKEW
    return bool(alike and upright and common >= _OVERLAP * min(1, np.prod(scales)))


def _within(warp: np.ndarray) -> bool:
    """Whether one frame lies within the other."""
    near, far = _corners(warp)
    inside = (near >= -_OVERHANG).all() and (far <= 1 + _OVERHANG).all()
    around = (near <= _OVERHANG).all() and (far >= 1 - _OVERHANG).all()
    return bool(inside or around)


def _corners(warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last corner (x, y) of the second frame, as seen in the first; skew left out."""
    middle = (warp @ [0.5, 0.5, 1])[:2]
    half = np.diag(warp)[:2] / 2
    return middle - half, middle + half


def _colour_difference(one: np.ndarray, other: np.ndarray, warp: np.ndarray) -> float:
    seen, here = _warped(one, other, warp)
    return float(np.sqrt(np.mean((seen - other)[here > 0] ** 2))) if here.any() else np.inf


def _evidence(one: np.ndarray, other: np.ndarray, weight: np.ndarray) -> _Evidence:
    """How well two aligned pictures (h, w) agree where `weight` is 1, patch by patch."""
    share = _patches(weight)
    both, energy, other_energy = _products(_band(one) * weight, _band(other) * weight)
    strength = np.sqrt(np.maximum(energy, other_energy) / np.maximum(share, 1e-6)) * (share > 0.3)
    told, faint = (share > 0.3) & (strength > _FAINT), (share > 0.3) & (strength <= _FAINT)
    if not told.any():
        return _Evidence(0.0, 0.0, False)
    correlation = both[told] / np.sqrt(np.maximum(energy * other_energy, 1e-6))[told]
    score = min(1.0, float(np.average(correlation, weights=strength[told])))
    spread = float(strength.sum() ** 2 / (strength.size * (strength**2).sum()))
    grain = (picture - cv2.GaussianBlur(picture, (0, 0), _GRAIN) for picture in (one, other))
    both, energy, other_energy = (total[faint].sum() for total in _products(*(weight * part for part in grain)))
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
    near, far = _corners(warp)
    if max(abs(near).max(), abs(far - 1).max()) > _CROPPED:
        return "cropped"
    if orientation:
        return "mirrored" if orientation >= 4 else "turned"
    return "re-encoded" if one.shape == other.shape else "resized"


def _warped(scene: np.ndarray, picture: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`scene` as seen in the frame of `picture`, and a mask of where it is seen at all."""
    height, width = picture.shape[:2]
    pixels = (np.linalg.inv(_unit(scene)) @ warp @ _unit(picture))[:2]
    seen = cv2.warpAffine(
        scene, pixels, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    whole = np.ones(scene.shape[:2], np.uint8)
    here = cv2.warpAffine(whole, pixels, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return seen, here


def _unit(picture: np.ndarray) -> np.ndarray:
    """From the pixels of a picture to a frame that reaches from 0 to 1."""
    height, width = picture.shape[:2]
    return np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1]])


def _equalled(one: np.ndarray, other: np.ndarray, side: float = _FINE) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures reduced to the area of the smaller one, at most `side` x `side` pixels."""
    area = min(one.size, other.size, side**2)
    return _reduced(one, area), _reduced(other, area)


def _reduced(picture: np.ndarray, area: float) -> np.ndarray:
    scale = float(np.sqrt(area / picture.size))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 0.95 else picture


def _turned(picture: np.ndarray, orientation: int) -> np.ndarray:
    """One of the eight orientations; 0 leaves it as it is, from 4 on it is mirrored."""
    turned = np.rot90(picture, orientation % 4)
    return np.ascontiguousarray(turned[:, ::-1] if orientation >= 4 else turned)
