"""Measures and histograms that show the effect of contrast enhancement on a picture."""

from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.contrast import BINS, clip_limit_in_pixels, tiles_that_fit
from cfu_core.imaging.measures import measure

WINDOWS = 16  # local contrast is taken in windows of a sixteenth of the longer side


class Effect(NamedTuple):
    """Measures of one picture that contrast enhancement changes.

    Attributes
    ----------
    rms_contrast : float (0 to 50)
        Standard deviation of L* over the whole picture.
    local_contrast : float (0 to 50)
        Mean standard deviation of L* in small windows, from `local_contrast`.
    entropy : float (0 to 8)
        Entropy of the histogram of lightness in 256 bins, in bits.
    clipped : float (0 to 1)
        Fraction of pixels with L* of at most 2 (almost black) or at least 98 (almost white).
    """

    rms_contrast: float
    local_contrast: float
    entropy: float
    clipped: float


def effect(image: np.ndarray) -> Effect:
    """Compute contrast, entropy and clipping of one picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB. Call the function before and after contrast enhancement to see the effect.

    Returns
    -------
    Effect
        The local contrast is measured at the picture's own size, the other values at a longer side of at most
        `cfu_core.imaging.measures.MEASURING_SIDE` pixels.
    """
    measures = measure(image)
    return Effect(
        measures.contrast, local_contrast(image), measures.entropy, measures.underexposed + measures.overexposed
    )


def local_contrast(image: np.ndarray) -> float:
    """Compute the standard deviation of L* in a square window around each pixel, averaged over all pixels.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    float
        In units of L* (0 to 100); 0 for a constant image. The side of the window is a sixteenth of the longer side of
        the image, at least 3 pixels.
    """
    light = lightness(image).astype(np.float32) * (100 / 255)
    side = max(3, max(light.shape) // WINDOWS)
    mean = cv2.blur(light, (side, side))
    square = cv2.blur(light * light, (side, side))
    return float(np.sqrt(np.maximum(square - mean * mean, 0)).mean())


def lightness(image: np.ndarray) -> np.ndarray:
    """Convert an image to the lightness of CIE LAB.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        L* scaled to 0 (black) to 255 (white); not C-contiguous.
    """
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0]


def histogram(image: np.ndarray) -> np.ndarray:
    """Compute the histogram of the lightness of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of float64, shape (256,)
        Relative frequency of each lightness from 0 (black) to 255 (white), as from `lightness`; the sum is 1.
    """
    light = lightness(image)
    return np.bincount(light.ravel(), minlength=BINS) / light.size


def above_clip(image: np.ndarray, *, clip_limit: float, tiles: int) -> float:
    """Compute the fraction of pixels that CLAHE clips from the histograms of tiles and redistributes over all bins.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, before CLAHE.
    clip_limit : float
        As OpenCV defines it: the bins of a tile's histogram are clipped at this multiple of the mean bin. Must be
        greater than 0.
    tiles : int
        Number of tiles along each side, at least 1; no more are used than fit, by `tiles_that_fit`.

    Returns
    -------
    float
        0 (no bin of any tile exceeds the limit) to 1. Pixels with which OpenCV pads the image are counted too.
    """
    light = lightness(image)
    tiles = tiles_that_fit(light.shape, tiles)
    height, width = tile_size(light.shape, tiles)
    pads = (0, height * tiles - light.shape[0], 0, width * tiles - light.shape[1])
    light = cv2.copyMakeBorder(light, *pads, borderType=cv2.BORDER_REFLECT_101)
    number = np.repeat(np.arange(tiles), height)[:, None] * tiles + np.repeat(np.arange(tiles), width)[None]
    counts = np.bincount((number * BINS + light).ravel(), minlength=tiles * tiles * BINS)
    return float(np.maximum(counts - clip_limit_in_pixels(clip_limit, height * width), 0).sum() / light.size)


def tile_size(shape: tuple[int, ...], tiles: int) -> tuple[int, int]:
    """Compute the size of a tile of OpenCV's CLAHE.

    Parameters
    ----------
    shape : tuple
        Starts with the height and width of the picture.
    tiles : int
        Number of tiles along each side, at least 1; no more are used than fit, by `tiles_that_fit`.

    Returns
    -------
    tuple of int
        Height and width in pixels. OpenCV pads the picture if either side is not a multiple of `tiles`.
    """
    height, width = shape[:2]
    tiles = tiles_that_fit(shape, tiles)
    if height % tiles == 0 and width % tiles == 0:
        return height // tiles, width // tiles
    # OpenCV then pads each side by tiles - (side % tiles), even a side that is a multiple of tiles
    return height // tiles + 1, width // tiles + 1
