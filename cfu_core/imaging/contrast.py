"""CLAHE on the lightness of an image, its rivals, and what its clip limit means in three libraries.

All of them change L of CIE LAB only, so that hues stay.

References
----------
K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV (1994), 474-485.
"""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.errors import RecipeError

BINS = 256
STRETCH_PERCENTILES = (1.0, 99.0)  # what lies outside becomes black or white


class Preset(NamedTuple):
    """Settings of CLAHE that have a name.

    `clip_limit` is in OpenCV's meaning; `note` says where the numbers come from.
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
        "Zamani et al. (2023) state neither clip limit nor tiles; this is a mild setting of our own in their place.",
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
    Preset("OpenCV", 40.0, 8, "createCLAHE without arguments: clipLimit 40, 8 × 8 tiles: hardly any limit."),
)


def clahe(image: np.ndarray, *, clip_limit: float, tiles: int) -> np.ndarray:
    """Equalise the contrast of each tile, limited, on L of CIE LAB so that hues stay.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    clip_limit : float
        OpenCV's meaning: the highest bin of a tile's histogram, as a multiple of the mean bin. Above 0.
    tiles : int
        The image is divided into ``tiles`` x ``tiles`` tiles.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB; the input is not changed.

    Raises
    ------
    RecipeError
        There are more tiles than pixels along a side.
    """
    height, width = image.shape[:2]
    if tiles > min(height, width):
        raise RecipeError(
            f"{tiles} x {tiles} tiles do not fit into an image of {width} x {height} pixels.",
            "A tile must be at least one pixel wide and high.",
            f"Choose at most {min(height, width)} tiles, or larger images.",
        )
    equaliser = cv2.createCLAHE(clipLimit=float(clip_limit), tileGridSize=(tiles, tiles))
    return _on_lightness(image, equaliser.apply)


def equalise(image: np.ndarray) -> np.ndarray:
    """Global histogram equalisation (`skimage.exposure.equalize_hist`): one curve for the whole image.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    from skimage import exposure  # late, here and below: half a second that most pages do not need

    # of one lightness alone, the cumulative curve is 1 everywhere: it would turn white
    return _on_lightness(image, lambda light: light if np.ptp(light) == 0 else exposure.equalize_hist(light) * 255)


def stretch(image: np.ndarray) -> np.ndarray:
    """Contrast stretching (`skimage.exposure.rescale_intensity`) between the 1st and the 99th percentile.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    from skimage import exposure

    def full_range(light: np.ndarray) -> np.ndarray:
        low, high = np.percentile(light, STRETCH_PERCENTILES)
        return light if high == low else exposure.rescale_intensity(light, (low, high), (0.0, 255.0))

    return _on_lightness(image, full_range)


def adjust_gamma(image: np.ndarray, *, gamma: float) -> np.ndarray:
    """Gamma correction (`skimage.exposure.adjust_gamma`): below 1 brightens the dark parts, above 1 darkens.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    gamma : float
        The exponent of the lightness; above 0.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    from skimage import exposure

    return _on_lightness(image, lambda light: exposure.adjust_gamma(light, gamma))


def _on_lightness(image: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`image` with its lightness, (H, W) from 0 to 255, changed."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    light = change(np.ascontiguousarray(lab[..., 0]))
    lab[..., 0] = light if light.dtype == np.uint8 else np.rint(light)  # rounding bytes would double the time
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def clip_limit_in_pixels(clip_limit: float, tile_area: int) -> int:
    """OpenCV's clip limit as the number of pixels at which a bin of a tile is cut.

    Parameters
    ----------
    clip_limit : float
        OpenCV's clip limit.
    tile_area : int
        Pixels of one tile.
    """
    return max(1, int(clip_limit * tile_area / BINS))


def scikit_image_clip_limit(clip_limit: float) -> float:
    """The ``clip_limit`` of `skimage.exposure.equalize_adapthist` that cuts at the same height.

    scikit-image cuts at ``max(1, int(c * A))`` pixels of a tile of ``A`` pixels, OpenCV at
    ``max(1, int(c * A / 256))``.
    """
    return clip_limit / BINS


def matlab_clip_limit(clip_limit: float) -> float:
    """The ``ClipLimit`` of MATLAB's ``adapthisteq`` that cuts at about the same height, within 0 to 1.

    MATLAB cuts at ``m + c (A - m)`` with ``m = A / 256``, so that c = 0 already allows the mean bin:
    limits below OpenCV's 1 have no equivalent and give 0.
    """
    return min(1.0, max(0.0, (clip_limit - 1) / (BINS - 1)))
