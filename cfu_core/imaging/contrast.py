"""CLAHE on the lightness of an image, and what its clip limit means in three libraries.

References
----------
K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV (1994), 474-485.
"""

import cv2
import numpy as np

from cfu_core.errors import RecipeError

BINS = 256


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
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    equaliser = cv2.createCLAHE(clipLimit=float(clip_limit), tileGridSize=(tiles, tiles))
    lab[..., 0] = equaliser.apply(np.ascontiguousarray(lab[..., 0]))
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)


def clip_in_pixels(clip_limit: float, tile_area: int) -> int:
    """OpenCV's clip limit as the number of pixels at which a bin of a tile is cut.

    Parameters
    ----------
    clip_limit : float
        OpenCV's clip limit.
    tile_area : int
        Pixels of one tile.
    """
    return max(1, int(clip_limit * tile_area / BINS))


def as_scikit_image(clip_limit: float) -> float:
    """The ``clip_limit`` of `skimage.exposure.equalize_adapthist` that cuts at the same height.

    scikit-image cuts at ``max(1, int(c * A))`` pixels of a tile of ``A`` pixels, OpenCV at
    ``max(1, int(c * A / 256))``.
    """
    return clip_limit / BINS


def as_matlab(clip_limit: float) -> float:
    """The ``ClipLimit`` of MATLAB's ``adapthisteq`` that cuts at about the same height, within 0 to 1.

    MATLAB cuts at ``m + c (A - m)`` with ``m = A / 256``, so that c = 0 already allows the mean bin:
    limits below OpenCV's 1 have no equivalent and give 0.
    """
    return min(1.0, max(0.0, (clip_limit - 1) / (BINS - 1)))


def from_scikit_image(clip_limit: float) -> float:
    """OpenCV's clip limit for a ``clip_limit`` of scikit-image; its default 0.01 gives 2.56."""
    return clip_limit * BINS


def from_matlab(clip_limit: float) -> float:
    """OpenCV's clip limit for a ``ClipLimit`` of MATLAB's ``adapthisteq``; MATLAB's default 0.01 gives 3.55."""
    return 1 + (BINS - 1) * clip_limit
