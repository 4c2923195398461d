"""Registration of two pictures: the orientation, scale and shift at which one fits into the other.

The method goes from coarse to fine. Template matching finds the middle of one picture in the other; the best fits are
then refined to a fraction of a pixel. A fit is a warp between the two frames in coordinates from 0 to 1, so that it
is valid at any resolution.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

#: Scales of the scene that are searched for the middle of a picture; most copies have the first.
SCALES = (1.0, 0.84, 0.92, 1.09, 1.19)
_RIM = 0.16  # share of a side that is excluded around the middle
_TRIED = 3  # orientations that are searched at all scales
_FLAT = 0.75  # grey levels; a picture with a smaller range gives no evidence
_ITERATIONS = 30


class Fit(NamedTuple):
    """The position of a picture in a scene.

    Attributes
    ----------
    correlation : float
        Correlation coefficient of the middle of the picture with the scene, -1 to 1; 0 if the middle is larger than the
        scene or almost constant.
    orientation : int
        0 to 7; the argument of `orient` that brings the picture into the orientation of the scene.
    warp : ndarray of float, shape (3, 3)
        From the frame of the oriented picture to that of the scene, in homogeneous coordinates (x, y, 1) from 0 to 1.
    """

    correlation: float
    orientation: int
    warp: np.ndarray


def coarse_fits(scenes: Sequence[np.ndarray], picture: np.ndarray) -> list[Fit]:
    """Find where the middle of a picture fits into a scene, in its most likely orientations.

    Parameters
    ----------
    scenes : sequence of ndarray of float32, shape (h, w)
        Lightness of the scene at each of `SCALES`.
    picture : ndarray of float32, shape (h, w)
        Lightness of the picture, at the resolution of the first scene.

    Returns
    -------
    list of Fit
        Three fits, in descending order of correlation: one for each of the orientations with the highest correlation at
        the first scale. Only these are searched at all scales.
    """
    turned = [orient(picture, orientation) for orientation in range(8)]
    middles = [_middle(one) for one in turned]
    if np.ptp(middles[0]) < _FLAT:
        return [Fit(0.0, orientation, np.eye(3)) for orientation in range(_TRIED)]
    first = [_found(scenes[0], middle) for middle in middles]
    fits = []
    for orientation in sorted(range(8), key=lambda orientation: -first[orientation][0])[:_TRIED]:
        places = [first[orientation], *(_found(scene, middles[orientation]) for scene in scenes[1:])]
        scale = max(range(len(scenes)), key=lambda scale: places[scale][0])
        correlation, place = places[scale]
        warp = np.eye(3) if place is None else _warp(scenes[scale], turned[orientation], place)
        fits.append(Fit(correlation, orientation, warp))
    return sorted(fits, key=lambda fit: -fit.correlation)


def refine(warp: np.ndarray, scene: np.ndarray, picture: np.ndarray) -> tuple[float, np.ndarray]:
    """Refine a warp to a maximum of the correlation of two pictures (Evangelidis and Psarakis, 2008).

    Parameters
    ----------
    warp : ndarray of float, shape (3, 3)
        From the frame of `picture` to that of `scene`, as in `Fit`.
    scene, picture : ndarray of float32, shape (h, w)
        Lightness, at about the same resolution; the picture in the orientation of the scene.

    Returns
    -------
    correlation : float
        Correlation coefficient with the refined warp, at most 1; 0 if the refinement does not converge.
    warp : ndarray of float, shape (3, 3)
        The refined warp, an affine map; `warp` itself if the refinement does not converge.

    References
    ----------
    G. Evangelidis, E. Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization",
    IEEE Transactions on Pattern Analysis and Machine Intelligence 30 (2008), 1858-1865.
    """
    to_scene, to_picture = _unit(scene), _unit(picture)
    start = (np.linalg.inv(to_scene) @ warp @ to_picture)[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ITERATIONS, 1e-5)
    whole = np.ones(scene.shape, np.uint8)
    try:
        correlation, found = cv2.findTransformECC(picture, scene, start, cv2.MOTION_AFFINE, stop, whole, 3)
    except cv2.error:  # raised if the iteration does not converge
        return 0.0, warp
    return correlation, to_scene @ np.vstack([found, [0, 0, 1]]) @ np.linalg.inv(to_picture)


def warp_scene(scene: np.ndarray, picture: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resample a scene in the frame of a picture.

    Parameters
    ----------
    scene, picture : ndarray of float32, shape (h, w) or (h, w, 3)
        The two may differ in size. Only the size of `picture` is used.
    warp : ndarray of float, shape (3, 3)
        From the frame of `picture` to that of `scene`, as in `Fit`.

    Returns
    -------
    seen : ndarray of float32, shape (h, w) or (h, w, 3)
        The scene in the frame of `picture`: with the height and width of `picture`, and the channels of `scene`. Beyond
        the border of the scene its outermost pixels are repeated.
    visible : ndarray of uint8, shape (h, w)
        1 for pixels inside the scene, 0 for pixels outside.
    """
    height, width = picture.shape[:2]
    pixels = (np.linalg.inv(_unit(scene)) @ warp @ _unit(picture))[:2]
    seen = cv2.warpAffine(
        scene, pixels, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    whole = np.ones(scene.shape[:2], np.uint8)
    visible = cv2.warpAffine(whole, pixels, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return seen, visible


def frame_corners(warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last corner of the picture's frame in the frame of the scene, ignoring skew.

    Parameters
    ----------
    warp : ndarray of float, shape (3, 3)
        From the frame of the picture to that of the scene, as in `Fit`.

    Returns
    -------
    tuple of ndarray of float, shape (2,)
        Top left and bottom right corner as (x, y). Coordinates from 0 to 1 are inside the scene; values below 0 or
        above 1 are outside.
    """
    middle = (warp @ [0.5, 0.5, 1])[:2]
    half = np.diag(warp)[:2] / 2
    return middle - half, middle + half


def orient(picture: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate a picture by multiples of 90 degrees, and mirror it.

    Parameters
    ----------
    picture : ndarray, shape (h, w) or (h, w, C)
        Any dtype.
    orientation : int
        0 to 3: number of quarter turns anticlockwise. 4 to 7: 0 to 3 quarter turns, then a mirroring left to right.

    Returns
    -------
    ndarray, shape (h, w, ...) or (w, h, ...)
        C-contiguous, with the dtype of `picture`; h and w are exchanged after an odd number of quarter turns. It may be
        a view of `picture` if `orientation` is 0.
    """
    turned = np.rot90(picture, orientation % 4)
    return np.ascontiguousarray(turned[:, ::-1] if orientation >= 4 else turned)


def shrink_to_area(picture: np.ndarray, area: float) -> np.ndarray:
    """Shrink a picture to about `area` pixels, if it has clearly more.

    Parameters
    ----------
    picture : ndarray of float32, shape (h, w)
        One channel.
    area : float
        Height times width of the result, in pixels.

    Returns
    -------
    ndarray of float32, two-dimensional
        With the aspect ratio of `picture`. `picture` itself, not a copy, if its sides would shrink by less than 5 %.
    """
    scale = float(np.sqrt(area / picture.size))
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 0.95 else picture


def _middle(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    left, top = round(_RIM * width), round(_RIM * height)
    return picture[top : height - top, left : width - left]


def _found(scene: np.ndarray, middle: np.ndarray) -> tuple[float, Sequence[int] | None]:
    """Correlation of the middle of a picture with its best place (x, y) in `scene`; no place if it is larger."""
    if middle.shape[0] > scene.shape[0] or middle.shape[1] > scene.shape[1]:
        return 0.0, None
    _, correlation, _, place = cv2.minMaxLoc(cv2.matchTemplate(scene, middle, cv2.TM_CCOEFF_NORMED))
    return correlation, place


def _warp(scene: np.ndarray, picture: np.ndarray, place: Sequence[int]) -> np.ndarray:
    """Warp of a picture whose middle is at this place in `scene`."""
    height, width = picture.shape
    left, top = round(_RIM * width), round(_RIM * height)
    shift = np.array([[1, 0, place[0] - left], [0, 1, place[1] - top], [0, 0, 1.0]])
    return _unit(scene) @ shift @ np.linalg.inv(_unit(picture))


def _unit(picture: np.ndarray) -> np.ndarray:
    """Matrix from the pixels of a picture to coordinates from 0 to 1."""
    height, width = picture.shape[:2]
    return np.array([[1 / width, 0, 0.5 / width], [0, 1 / height, 0.5 / height], [0, 0, 1]])
