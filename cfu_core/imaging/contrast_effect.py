"""What a change of contrast did to a picture, in numbers and as histograms."""

from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.contrast import BINS, clip_limit_in_pixels
from cfu_core.imaging.measures import measure

WINDOWS = 16  # local contrast is taken in windows of a sixteenth of the longer side


class Effect(NamedTuple):
    """One picture in numbers.

    `rms_contrast` and `local_contrast` in L* (0 to 100), `entropy` in bits, `clipped` the share of pixels (0 to 1) that
    are black or white or nearly so.
    """

    rms_contrast: float
    local_contrast: float
    entropy: float
    clipped: float


def effect(image: np.ndarray) -> Effect:
    """The numbers of one picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    """
    measures = measure(image)
    return Effect(
        measures.contrast, local_contrast(image), measures.entropy, measures.underexposed + measures.overexposed
    )


def local_contrast(image: np.ndarray) -> float:
    """Mean over all pixels of the standard deviation of L* in a square window around each.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    float
        L*, from 0; the window is a sixteenth of the longer side.
    """
    light = lightness(image).astype(np.float32) * (100 / 255)
    side = max(3, max(light.shape) // WINDOWS)
    mean = cv2.blur(light, (side, side))
    square = cv2.blur(light * light, (side, side))
    return float(np.sqrt(np.maximum(square - mean * mean, 0)).mean())


def lightness(image: np.ndarray) -> np.ndarray:
    """L of CIE LAB in 8 bits, (H, W), 0 to 255."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0]


def histogram(image: np.ndarray) -> np.ndarray:
    """Share of pixels at each lightness; 256 floats that add up to 1."""
    light = lightness(image)
    return np.bincount(light.ravel(), minlength=BINS) / light.size


def above_clip(image: np.ndarray, *, clip_limit: float, tiles: int) -> float:
    """The share of pixels (0 to 1) that CLAHE finds above the clip limit of their tile and spreads over all bins.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, before CLAHE.
    clip_limit : float
        OpenCV's.
    tiles : int
        Along each side, at most the shorter side.
    """
    light = lightness(image)
    height, width = tile_size(light.shape, tiles)
    pads = (0, height * tiles - light.shape[0], 0, width * tiles - light.shape[1])
    light = cv2.copyMakeBorder(light, *pads, borderType=cv2.BORDER_REFLECT_101)
    number = np.repeat(np.arange(tiles), height)[:, None] * tiles + np.repeat(np.arange(tiles), width)[None]
    counts = np.bincount((number * BINS + light).ravel(), minlength=tiles * tiles * BINS)
    return float(np.maximum(counts - clip_limit_in_pixels(clip_limit, height * width), 0).sum() / light.size)


def tile_size(shape: tuple[int, ...], tiles: int) -> tuple[int, int]:
    """Height and width of a tile in pixels: OpenCV pads both sides where either does not divide evenly.

    Parameters
    ----------
    shape : tuple
        Height and width of the picture first.
    """
    height, width = shape[:2]
    if height % tiles == 0 and width % tiles == 0:
        return height // tiles, width // tiles
    # OpenCV adds tiles - (side % tiles) to each side, also to the one that would divide evenly
    return height // tiles + 1, width // tiles + 1
