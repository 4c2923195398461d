"""What stands out in a picture: departure from the smooth background in colour, and texture.

References
----------
I. S. Reed, X. Yu, "Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral distribution",
IEEE Transactions on Acoustics, Speech and Signal Processing 38 (1990), 1760-1770: how unusual a colour is.
"""

from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.background import background_surface

COARSE_SIGMA = 1 / 96  # of the longer side: joins the cells of a colony
FINE_SIGMA = 1.0  # pixels: leaves cells apart
COMMON_SHARE = 0.95  # of the pixels that depart least: their colours count as usual
MIN_SPREAD = 3.0  # grey levels by which usual colours vary at least


class Saliency(NamedTuple):
    """Two maps of float32 in grey levels, 0 where nothing stands out."""

    coarse: np.ndarray
    """How much stands out around a pixel; finds the colony. Half the image's size, (h / 2, w / 2) rounded."""
    fine: np.ndarray
    """How unusual the pixel itself is in this image; finds the colony's edge. (h, w)."""


def saliency(image: np.ndarray) -> Saliency:
    """How far each pixel departs from the background.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
        RGB, already small: the time it takes grows with the number of pixels.

    Returns
    -------
    Saliency
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    departure = lab - background_surface(lab)
    lightness = cv2.extractChannel(lab, 0)
    length = _length(departure)
    fine = cv2.GaussianBlur(_unusual(departure, length), (0, 0), FINE_SIGMA)
    fine += _texture(lightness, lightness * lightness, FINE_SIGMA)
    sigma = COARSE_SIGMA * max(image.shape[:2]) / 2
    coarse = _halved(length) + _texture(_halved(lightness), _halved(lightness * lightness), sigma)
    return Saliency(cv2.GaussianBlur(coarse, (0, 0), sigma), fine)


def _halved(values: np.ndarray) -> np.ndarray:
    size = (max(1, round(values.shape[1] / 2)), max(1, round(values.shape[0] / 2)))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _length(departure: np.ndarray) -> np.ndarray:
    return cv2.sqrt(cv2.transform(departure * departure, np.ones((1, 3), np.float32)))


def _texture(lightness: np.ndarray, square: np.ndarray, sigma: float) -> np.ndarray:
    """Standard deviation around each pixel, from the lightness and its square."""
    mean = cv2.GaussianBlur(lightness, (0, 0), sigma)
    return np.sqrt(np.maximum(cv2.GaussianBlur(square, (0, 0), sigma) - mean * mean, 0))


def _unusual(departure: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Mahalanobis length of the departure: red blood cells all around make their own colour count for less."""
    sample, lengths = departure[::3, ::3], length[::3, ::3]
    common = sample[lengths <= np.quantile(lengths, COMMON_SHARE)]
    spread = common.T @ common / len(common) + MIN_SPREAD**2 * np.eye(3, dtype=np.float32)
    whiten = np.linalg.cholesky(np.linalg.inv(spread)).T * MIN_SPREAD
    return _length(cv2.transform(departure, whiten.astype(np.float32)))
