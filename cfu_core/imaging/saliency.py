"""Saliency maps: difference of each pixel from the smooth background in colour, and texture."""

from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.background import background_surface

COARSE_SIGMA = 1 / 96  # of the longer side: merges the cells of a colony
FINE_SIGMA = 1.0  # pixels: keeps cells separate
COMMON_SHARE = 0.95  # of the pixels: those nearest to the background define the usual colours
MIN_SPREAD = 3.0  # grey levels: smallest standard deviation of the usual colours


class Saliency(NamedTuple):
    """Saliency of an image at two scales, in grey levels; 0 for background.

    Attributes
    ----------
    coarse : ndarray of float32, shape (round(h / 2), round(w / 2))
        Saliency of the surroundings of each pixel, from which the colony is detected. Each side has at least 1 pixel.
    fine : ndarray of float32, shape (h, w)
        Saliency of each pixel, lower for colours that are frequent in this image. It determines the edge of the colony.
    difference : ndarray of float32, shape (round(h / 2), round(w / 2), 3)
        Difference of each pixel from the background in CIE LAB as OpenCV scales it, with its sign.
    """

    coarse: np.ndarray
    fine: np.ndarray
    difference: np.ndarray


def saliency(image: np.ndarray) -> Saliency:
    """Compute how much each pixel differs from the background.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w, 3)
        RGB at a reduced size; the time grows with the number of pixels.

    Returns
    -------
    Saliency
        The coarse map and the difference at half the size of the image, and the fine map at its size.

    Notes
    -----
    Both maps of saliency are the sum of the difference from `background_surface` in CIE LAB and of the local standard
    deviation of the lightness. The fine map uses the Mahalanobis distance (Reed and Yu, 1990), so that the frequent
    colour of red blood cells has a low saliency; the coarse map uses the Euclidean distance.

    References
    ----------
    I. S. Reed, X. Yu, "Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral distribution",
    IEEE Transactions on Acoustics, Speech and Signal Processing 38 (1990), 1760-1770.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    difference = lab - background_surface(lab)
    lightness = cv2.extractChannel(lab, 0)
    length = _length(difference)
    fine = cv2.GaussianBlur(_unusual(difference, length), (0, 0), FINE_SIGMA)
    fine += _texture(lightness, lightness * lightness, FINE_SIGMA)
    sigma = COARSE_SIGMA * max(image.shape[:2]) / 2
    coarse = _halved(length) + _texture(_halved(lightness), _halved(lightness * lightness), sigma)
    return Saliency(cv2.GaussianBlur(coarse, (0, 0), sigma), fine, _halved(difference))


def _halved(values: np.ndarray) -> np.ndarray:
    size = (max(1, round(values.shape[1] / 2)), max(1, round(values.shape[0] / 2)))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)


def _length(difference: np.ndarray) -> np.ndarray:
    return cv2.sqrt(cv2.transform(difference * difference, np.ones((1, 3), np.float32)))


def _texture(lightness: np.ndarray, square: np.ndarray, sigma: float) -> np.ndarray:
    """Local standard deviation, from the lightness and its square."""
    mean = cv2.GaussianBlur(lightness, (0, 0), sigma)
    return np.sqrt(np.maximum(cv2.GaussianBlur(square, (0, 0), sigma) - mean * mean, 0))


def _unusual(difference: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Mahalanobis length of the difference (Reed and Yu, 1990), low for the colour of ubiquitous red blood cells."""
    sample, lengths = difference[::3, ::3], length[::3, ::3]
    common = sample[lengths <= np.quantile(lengths, COMMON_SHARE)]
    spread = common.T @ common / len(common) + MIN_SPREAD**2 * np.eye(3, dtype=np.float32)
    whiten = np.linalg.cholesky(np.linalg.inv(spread)).T * MIN_SPREAD
    return _length(cv2.transform(difference, whiten.astype(np.float32)))
