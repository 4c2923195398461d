"""Contrast enhancement: CLAHE and three other methods, and conversions of the clip limit between libraries.

All methods change only L* of CIE LAB, so that hues are preserved.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.errors import RecipeError

BINS = 256
STRETCH_PERCENTILES = (1.0, 99.0)  # values outside become black or white


class Preset(NamedTuple):
    """Named settings of CLAHE.

    Attributes
    ----------
    name : str
        For users: the paper, or the library whose defaults these are.
    clip_limit : float
        As OpenCV defines it: the bins of a tile's histogram are clipped at this multiple of the mean bin.
    tiles : int
        Number of tiles along each side of the image.
    note : str
        Source of the numbers.
    """

    name: str
    clip_limit: float
    tiles: int
    note: str


PRESETS = (
    Preset(
        "Paper (our guess)",
        2.0,
        8,
        "Zamani et al. (2023) state neither clip limit nor tiles; these are mild settings of our own.",
    ),
    Preset(
        "MATLAB",
        3.55,
        8,
        "adapthisteq: ClipLimit 0.01, NumTiles [8 8]. 0.01 is 1 + 255 × 0.01 = 3.55 here, on large tiles. MATLAB's own "
        "Range, bins and colour handling may differ.",
    ),
    Preset(
        "scikit-image",
        2.56,
        8,
        "equalize_adapthist: clip_limit 0.01, kernels of an eighth of the image. 0.01 × 256 = 2.56 here. scikit-image "
        "also stretches to the full range first, and works on V of HSV.",
    ),
    Preset("OpenCV", 40.0, 8, "createCLAHE without arguments: clipLimit 40, 8 × 8 tiles; almost no limit."),
)


def tiles_that_fit(shape: tuple[int, ...], tiles: int) -> int:
    """Return the number of tiles of CLAHE along each side for an image, so that each tile has at least one pixel.

    Parameters
    ----------
    shape : tuple of int
        Starts with the height and width of the image; both are at least 1.
    tiles : int
        Number of tiles along each side in the recipe; at least 1.

    Returns
    -------
    int
        `tiles`, or the number of pixels of the shorter side if that is less.
    """
    return min(tiles, *shape[:2])


def clahe(image: np.ndarray, *, clip_limit: float, tiles: int) -> np.ndarray:
    """Apply contrast-limited adaptive histogram equalisation (Pizer et al., 1987; Zuiderveld, 1994).

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    clip_limit : float
        As OpenCV defines it: the bins of a tile's histogram are clipped at this multiple of the mean bin. Should be
        greater than 0; otherwise nothing is clipped.
    tiles : int
        The image is divided into ``tiles`` x ``tiles`` tiles. Must be at least 1.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB; the input is not changed.

    Raises
    ------
    RecipeError
        `tiles` is less than 1, or greater than the number of pixels of the shorter side. `tiles_that_fit` gives a
        number that is allowed.

    References
    ----------
    S. M. Pizer et al., "Adaptive histogram equalization and its variations", Computer Vision, Graphics, and Image
    Processing 39 (1987), 355-368.

    K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV (1994), 474-485.
    """
    height, width = image.shape[:2]
    if not 1 <= tiles <= min(height, width):
        raise RecipeError(
            f"{tiles} x {tiles} tiles do not fit into an image of {width} x {height} pixels.",
            "A tile must be at least one pixel wide and high.",
            f"Choose 1 to {min(height, width)} tiles, or larger images.",
        )
    equaliser = cv2.createCLAHE(clipLimit=float(clip_limit), tileGridSize=(tiles, tiles))
    return _on_lightness(image, equaliser.apply)


def equalise(image: np.ndarray) -> np.ndarray:
    """Equalise the histogram of the lightness of the whole image, by `skimage.exposure.equalize_hist`.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB. The lightness of an image of constant lightness does not change.
    """
    from skimage import exposure  # late, here and below: half a second that most pages save

    # an image of constant lightness would become white, since its cumulative histogram is 1
    return _on_lightness(image, lambda light: light if np.ptp(light) == 0 else exposure.equalize_hist(light) * 255)


def stretch(image: np.ndarray) -> np.ndarray:
    """Stretch the lightness between its 1st and 99th percentiles to the full range.

    `skimage.exposure.rescale_intensity` is used.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB. Pixels below the 1st percentile become black, pixels above the 99th become white. If both percentiles are
        equal, the lightness does not change.
    """
    from skimage import exposure

    def full_range(light: np.ndarray) -> np.ndarray:
        low, high = np.percentile(light, STRETCH_PERCENTILES)
        return light if high == low else exposure.rescale_intensity(light, (low, high), (0.0, 255.0))

    return _on_lightness(image, full_range)


def adjust_gamma(image: np.ndarray, *, gamma: float) -> np.ndarray:
    """Apply gamma correction to the lightness, by `skimage.exposure.adjust_gamma`.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    gamma : float
        Exponent of the lightness on a scale from 0 to 1; greater than 0. Values below 1 brighten the dark parts; values
        above 1 darken them.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ValueError
        `gamma` is negative.
    """
    from skimage import exposure

    return _on_lightness(image, lambda light: exposure.adjust_gamma(light, gamma))


def _on_lightness(image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply `change` to the lightness of an image, (H, W), 0 to 255."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    light = change(np.ascontiguousarray(lab[..., 0]))
    lab[..., 0] = light if light.dtype == np.uint8 else np.rint(light)  # rounding uint8 would double the time
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def clip_limit_in_pixels(clip_limit: float, tile_area: int) -> int:
    """Convert OpenCV's clip limit to the number of pixels at which a histogram bin of a tile is clipped.

    Parameters
    ----------
    clip_limit : float
        As OpenCV defines it: a multiple of the mean bin.
    tile_area : int
        Number of pixels of one tile.

    Returns
    -------
    int
        ``clip_limit * tile_area / 256``, rounded down; at least 1.
    """
    return max(1, int(clip_limit * tile_area / BINS))


def scikit_image_clip_limit(clip_limit: float) -> float:
    """Convert OpenCV's clip limit to ``clip_limit`` of `skimage.exposure.equalize_adapthist`.

    Parameters
    ----------
    clip_limit : float
        As OpenCV defines it.

    Returns
    -------
    float
        ``clip_limit / 256``, the limit that clips the histogram at the same height.

    Notes
    -----
    In a tile of ``A`` pixels scikit-image clips at ``max(1, int(c * A))`` pixels, OpenCV at
    ``max(1, int(c * A / 256))``.
    """
    return clip_limit / BINS


def matlab_clip_limit(clip_limit: float) -> float:
    """Convert OpenCV's clip limit to ``ClipLimit`` of MATLAB's ``adapthisteq``.

    Parameters
    ----------
    clip_limit : float
        As OpenCV defines it.

    Returns
    -------
    float
        ``(clip_limit - 1) / 255``, restricted to 0 to 1: the limit that clips the histogram at about the same height.

    Notes
    -----
    In a tile of ``A`` pixels MATLAB clips at ``m + c (A - m)`` with ``m = A / 256``. Its ``c = 0`` already allows the
    mean bin, so OpenCV's limits below 1 have no equivalent and are converted to 0.
    """
    return min(1.0, max(0.0, (clip_limit - 1) / (BINS - 1)))
