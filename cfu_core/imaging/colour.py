"""Bring the light and the colours of pictures taken on different days closer together.

References
----------
A. C. Ruifrok, D. A. Johnston, "Quantification of histochemical staining by color deconvolution", Analytical and
Quantitative Cytology and Histology 23 (2001), 291-299.
"""

import numpy as np

from cfu_core.imaging.background import background_surface

STAIN_PERCENTILE = 99.0  # the strength of a stain in an image, without its few darkest pixels
# haematoxylin, eosin, DAB in scikit-image's units: medians of 60 Giemsa-stained smears of Acevedo et al. (2020)
STAIN_STRENGTH = (0.145, 0.085, 0.040)
STAIN_GAIN = (1 / 3, 3.0)  # an image without a stain must not have its noise blown up into one


def flatten_background(image: np.ndarray) -> np.ndarray:
    """Even out uneven light: divide by the smooth background, keep its mean colour.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, bright field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    surface = np.maximum(background_surface(image.astype(np.float32)), 1.0)
    return _as_bytes(image * (surface.mean(axis=(0, 1)) / surface))


def neutralise_background(image: np.ndarray) -> np.ndarray:
    """White balance on the empty background: its mean colour becomes grey of the same brightness.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, bright field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    background = np.maximum(background_surface(image.astype(np.float32)).mean(axis=(0, 1)), 1.0)
    return _as_bytes(image * (background.mean() / background))


def normalise_stain(image: np.ndarray) -> np.ndarray:
    """Bring the strength of haematoxylin, eosin and DAB to fixed values, by `skimage.color.rgb2hed`.

    Meant for stained cells. Of unstained or benzidine-stained colonies it makes no better picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, bright field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    from skimage.color import hed2rgb, rgb2hed  # late: slow to import

    stains = rgb2hed(image)
    strength = np.percentile(stains, STAIN_PERCENTILE, axis=(0, 1))
    gain = np.clip(np.array(STAIN_STRENGTH) / np.maximum(strength, 1e-6), *STAIN_GAIN)
    return _as_bytes(hed2rgb(stains * gain) * 255)


def _as_bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)
