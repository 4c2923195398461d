"""Features by which copies are detected: coarse colours, and lightness at several scales."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np

from cfu_core.imaging.frame_structure import frame_structure
from cfu_core.imaging.registration import SCALES
from cfu_core.imaging.signature import opponent

COARSE_SIDE = 40  # pixels; the coarse features have the area of a square of this side
FINE_SIDE = 144  # pixels; the fine features have at most the area of a square of this side
_ILLUMINATION_SIDE = 40  # pixels; the illumination is computed with the area of a square of this side
_ILLUMINATION_SIGMA = 0.15  # of the side; variations that are wider come from the illumination, not from the scene


@dataclass(frozen=True, eq=False)
class CopyFeatures:
    """Features of one picture, from `copy_features`.

    Attributes
    ----------
    content : bytes
        Digest (BLAKE2b, 16 bytes) of the size and the pixels; equal only for identical pictures.
    shape : tuple of int
        Height and width of the picture in pixels.
    colours : ndarray of float32, shape (h, w, 3)
        Coarse lightness and opponent colours, from `cfu_core.imaging.signature.opponent`, in grey levels. The area is
        about that of a square of `COARSE_SIDE` pixels.
    structure : ndarray of float32, shape (STRUCTURE_LENGTH,)
        From `cfu_core.imaging.frame_structure.frame_structure`.
    scaled : tuple of ndarray of float32, shape (h, w)
        Coarse lightness without uneven illumination, in grey levels around 0, at each of
        `cfu_core.imaging.registration.SCALES`.
    fine : ndarray of float32, shape (h, w)
        Fine lightness without uneven illumination, in grey levels around 0. The area is at most that of a square of
        `FINE_SIDE` pixels.
    """

    content: bytes
    shape: tuple[int, int]
    colours: np.ndarray
    structure: np.ndarray
    scaled: tuple[np.ndarray, ...]
    fine: np.ndarray


def copy_features(image: np.ndarray) -> CopyFeatures:
    """Compute the features of a picture that `detect_copy` compares.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB. A reduced version of about 256 pixels a side is enough, if all pictures are reduced in the same way: the
        digest and the kinds ``identical``, ``re-encoded`` and ``resized`` depend on the size that is given here.

    Returns
    -------
    CopyFeatures
        At most about 140 kB of arrays, for pictures of any size.
    """
    height, width = image.shape[:2]
    colours = cv2.GaussianBlur(opponent(image, COARSE_SIDE), (0, 0), 1.0)
    light = _without_illumination(colours[..., 0])
    return CopyFeatures(
        content=hashlib.blake2b(f"{height} x {width} ".encode() + image.tobytes(), digest_size=16).digest(),
        shape=(height, width),
        colours=colours,
        structure=frame_structure(colours[..., 0]),
        scaled=tuple(cv2.resize(light, None, fx=scale, fy=scale) for scale in SCALES),
        fine=_without_illumination(opponent(image, min(FINE_SIDE, float(np.sqrt(height * width))))[..., 0]),
    )


def _without_illumination(light: np.ndarray) -> np.ndarray:
    light = np.ascontiguousarray(light)
    height, width = light.shape
    scale = min(1.0, _ILLUMINATION_SIDE / float(np.sqrt(light.size)))  # wide variations need few pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    wide = cv2.resize(light, size, interpolation=cv2.INTER_AREA) if scale < 1 else light
    wide = cv2.GaussianBlur(wide, (0, 0), _ILLUMINATION_SIGMA * float(np.sqrt(wide.size)))
    return light - (cv2.resize(wide, (width, height), interpolation=cv2.INTER_CUBIC) if scale < 1 else wide)
