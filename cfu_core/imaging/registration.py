"""Where one picture lies in another: in which of eight orientations, at which scale, and shifted by how much.

Coarse to fine: the middle of one picture is looked for in the other; what fits best is refined to a fraction of a
pixel. A fit is a warp between the two frames, each of which reaches from 0 to 1, so that it serves at any resolution.

References
----------
G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization",
IEEE Trans. Pattern Analysis and Machine Intelligence 30 (2008), 1858-1865.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

#: Scales at which the middle of a picture is looked for; the first is that of most copies.
SCALES = (1.0, 0.84, 0.92, 1.09, 1.19)
_RIM = 0.16  # share of a side that is left out around the middle
_TRIED = 3  # orientations that are looked at in all scales
_FLAT = 0.75  # grey levels; less says nothing
_ITERATIONS = 30


class Fit(NamedTuple):
    """Where a picture seems to lie in a scene.

    Parameters
    ----------
    likeness : float
        Correlation of the picture's middle with the scene.
    orientation : int
        How the picture must be `oriented` first.
    warp : ndarray of float, shape (3, 3)
        From the frame of the oriented picture to that of the scene, in homogeneous coordinates (x, y, 1).
    """

    likeness: float
    orientation: int
    warp: np.ndarray


def rough_fits(scenes: Sequence[np.ndarray], picture: np.ndarray) -> list[Fit]:
    """Where the middle of a picture fits into a scene, in some orientations, the best first.

    Parameters
    ----------
    scenes : sequence of ndarray of float32, shape (h, w)
        Lightness of the scene at each of `SCALES`.
    picture : ndarray of float32, shape (h, w)
        Lightness of the picture, at the resolution of the first scene.
    """
    middles = []
    for orientation in range(8):
        turned = oriented(picture, orientation)
        middles.append((_found(scenes[0], turned), orientation, turned))
    middles.sort(key=lambda middle: -middle[0][0])
    fits = []
    for first, orientation, turned in middles[:_TRIED]:
        places = [first, *(_found(scene, turned) for scene in scenes[1:])]
        likeness, warp = max(places, key=lambda place: place[0])
        fits.append(Fit(likeness, orientation, warp))
    return sorted(fits, key=lambda fit: -fit.likeness)


def refined(warp: np.ndarray, scene: np.ndarray, picture: np.ndarray) -> tuple[float, np.ndarray]:
    """The warp near a given one that makes two pictures correlate best.

    Parameters
    ----------
    warp : ndarray of float, shape (3, 3)
        As in `Fit`.
    scene, picture : ndarray of float32, shape (h, w)
        Lightness, at about the same resolution; the picture oriented.

    Returns
    -------
    correlation : float
        0 where no better warp is found nearby.
    warp : ndarray of float, shape (3, 3)
    """
    to_scene, to_picture = _unit(scene), _unit(picture)
    start = (np.linalg.inv(to_scene) @ warp @ to_picture)[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ITERATIONS, 1e-5)
    all_of_it = np.ones(scene.shape, np.uint8)
    try:
        correlation, found = cv2.findTransformECC(picture, scene, start, cv2.MOTION_AFFINE, stop, all_of_it, 3)
    except cv2.error:  # it says so when it does not converge
        return 0.0, warp
    return correlation, to_scene @ np.vstack([found, [0, 0, 1]]) @ np.linalg.inv(to_picture)


def warped(scene: np.ndarray, picture: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A scene as seen in the frame of a picture.

    Parameters
    ----------
    scene, picture : ndarray of float32, shape (h, w) or (h, w, 3)
    warp : ndarray of float, shape (3, 3)
        As in `Fit`.

    Returns
    -------
    seen : ndarray of float32, shape of `picture`
    here : ndarray of uint8, shape (h, w)
        1 where the scene reaches, else 0.
    """
    height, width = picture.shape[:2]
    pixels = (np.linalg.inv(_unit(scene)) @ warp @ _unit(picture))[:2]
    seen = cv2.warpAffine(
        scene, pixels, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    whole = np.ones(scene.shape[:2], np.uint8)
    here = cv2.warpAffine(whole, pixels, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return seen, here


def corners(warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last corner (x, y) of the picture's frame, as seen in that of the scene; skew left out."""
    middle = (warp @ [0.5, 0.5, 1])[:2]
    half = np.diag(warp)[:2] / 2
    return middle - half, middle + half


def oriented(picture: np.ndarray, orientation: int) -> np.ndarray:
    """A picture in one of eight orientations: 0 leaves it as it is, 1 to 3 turn it, 4 to 7 mirror it too."""
    turned = np.rot90(picture, orientation % 4)
    return np.ascontiguousarray(turned[:, ::-1] if orientation >= 4 else turned)


def reduced(picture: np.ndarray, area: float) -> np.ndarray:
    """A picture (h, w) brought to about `area` pixels, if it has more."""
    scale = float(np.sqrt(area / picture.size))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 0.95 else picture


def _found(scene: np.ndarray, picture: np.ndarray) -> tuple[float, np.ndarray]:
    """How well the middle of `picture` is found in `scene`, and the warp."""
    height, width = picture.shape
    left, top = round(_RIM * width), round(_RIM * height)
    middle = picture[top : height - top, left : width - left]
    if middle.shape[0] > scene.shape[0] or middle.shape[1] > scene.shape[1] or np.ptp(middle) < _FLAT:
        return 0.0, np.eye(3)
    _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(scene, middle, cv2.TM_CCOEFF_NORMED))
    shift = np.array([[1, 0, x - left], [0, 1, y - top], [0, 0, 1.0]])
    return likeness, _unit(scene) @ shift @ np.linalg.inv(_unit(picture))


def _unit(picture: np.ndarray) -> np.ndarray:
    """From the pixels of a picture to a frame that reaches from 0 to 1."""
    height, width = picture.shape[:2]
    return np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1]])
