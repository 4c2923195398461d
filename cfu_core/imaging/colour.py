"""Correction of illumination and colour, so that pictures from different days are comparable."""

import numpy as np

from cfu_core.imaging.background import background_surface

STAIN_PERCENTILE = 99.0  # the strength of a stain in an image, excluding the few darkest pixels
# haematoxylin, eosin, DAB in scikit-image's units: medians of 60 Giemsa-stained smears of Acevedo et al. (2020)
STAIN_STRENGTH = (0.145, 0.085, 0.040)
STAIN_GAIN = (1 / 3, 3.0)  # limits, so that the noise of an unstained image is not amplified


def flatten_background(image: np.ndarray) -> np.ndarray:
    """Correct uneven illumination: divide by the smooth background, and keep its mean colour.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, bright field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB. Values above 255 are clipped to 255.

    See Also
    --------
    cfu_core.imaging.background.background_surface : How the background is estimated.
    """
    surface = np.maximum(background_surface(image.astype(np.float32)), 1.0)
    return _as_bytes(image * (surface.mean(axis=(0, 1)) / surface))


def neutralise_background(image: np.ndarray) -> np.ndarray:
    """White-balance on the empty background: its mean colour becomes grey of the same brightness.

    Each channel is multiplied by one factor, the same for all pixels.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, bright field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB. Values above 255 are clipped to 255.

    See Also
    --------
    cfu_core.imaging.background.background_surface : How the background is estimated.
    """
    background = np.maximum(background_surface(image.astype(np.float32)).mean(axis=(0, 1)), 1.0)
    return _as_bytes(image * (background.mean() / background))


def normalise_stain(image: np.ndarray) -> np.ndarray:
    """Scale haematoxylin, eosin and DAB to fixed strengths, by colour deconvolution (Ruifrok and Johnston, 2001).

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, bright field.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Notes
    -----
    The stains are separated by `skimage.color.rgb2hed`. The strength of a stain is the 99th percentile of its amount in
    the image. It is scaled to `STAIN_STRENGTH`, by a factor of at least 1/3 and at most 3 (`STAIN_GAIN`). The method is
    meant for stained cells; it does not improve images of unstained or benzidine-stained colonies.

    References
    ----------
    A. C. Ruifrok, D. A. Johnston, "Quantification of histochemical staining by color deconvolution", Analytical and
    Quantitative Cytology and Histology 23 (2001), 291-299.

    A. Acevedo, A. Merino, S. Alférez, Á. Molina, L. Boldú, J. Rodellar, "A dataset of microscopic peripheral blood cell
    images for development of automatic recognition systems", Data in Brief 30 (2020), 105474. The source of
    `STAIN_STRENGTH`.
    """
    from skimage.color import hed2rgb, rgb2hed  # late: slow to import

    stains = rgb2hed(image)
    strength = np.percentile(stains, STAIN_PERCENTILE, axis=(0, 1))
    gain = np.clip(np.array(STAIN_STRENGTH) / np.maximum(strength, 1e-6), *STAIN_GAIN)
    return _as_bytes(hed2rgb(stains * gain) * 255)


def _as_bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)
