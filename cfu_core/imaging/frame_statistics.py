"""Statistics of a frame that say little about its colony: colour and noise around it, mean colour, extreme samples.

If they differ between classes, a network can learn the classes without looking at colonies.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

BOX_MARGIN = 0.1  # of the longer side of the colony's box, added on each side: the halo of a colony is no background
MINIMUM_BORDER = 0.05  # share of the frame outside the box; if less is left, the edge of the frame is used
EDGE_SHARE = 1 / 16  # of the shorter side of the frame, as the width of that edge
GREY_SPREAD = 2  # levels between the channels of a pixel, up to which it has no colour
COLOURED_PIXELS = 1e-3  # share of pixels with colour, from which an image is coloured
OUTLIERS = 1e-4  # share of the samples at each end that do not count, such as hot pixels
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


class FrameStatistics(NamedTuple):
    """Statistics of one frame, from `frame_statistics`; colours are CIE LAB.

    Attributes
    ----------
    mean_a, mean_b : float
        Mean a* and b* of all pixels; both are 0 for grey.
    border_lightness : float (0 to 100)
        L* of the border, which is the frame outside the box of the colony: the mean of the middle half of its pixels.
    border_a, border_b : float
        a* and b* of the border, averaged in the same way.
    border_lightness_spread, border_a_spread, border_b_spread : float (0 or more)
        Standard deviations of L*, a* and b* of all pixels of the border.
    border_noise : float (0 or more)
        Standard deviation of the noise of L* in the border [1]_.
    coloured : float
        1 if at least 0.1 % of the pixels have a colour, otherwise 0.

    References
    ----------
    .. [1] J. Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding 64 (1996) 300-302,
       doi:10.1006/cviu.1996.0060
    """

    mean_a: float
    mean_b: float
    border_lightness: float
    border_a: float
    border_b: float
    border_lightness_spread: float
    border_a_spread: float
    border_b_spread: float
    border_noise: float
    coloured: float


def frame_statistics(image: np.ndarray, box: Sequence[float] | None = None) -> FrameStatistics:
    """Measure colour and noise of a frame and of its border.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB. Noise depends on the scale, so images should be shrunk to the same size first.
    box : sequence of float, optional
        Left, top, right and bottom of the colony in pixels of `image`. Without it, and if it nearly fills the frame,
        the border is the edge of the frame.

    Returns
    -------
    FrameStatistics
        All values are finite.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    border = _border(image.shape[0], image.shape[1], box)
    lightness, a, b = (_middle_mean(lab, channel, border) for channel in range(3))
    _, mean_a, mean_b, _ = cv2.mean(lab)
    spread = cv2.meanStdDev(lab, mask=border)[1].ravel()
    red, green, blue = cv2.split(image)
    channels_apart = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    coloured = np.count_nonzero(channels_apart > GREY_SPREAD)
    return FrameStatistics(
        mean_a=mean_a - 128,
        mean_b=mean_b - 128,
        border_lightness=lightness * 100 / 255,
        border_a=a - 128,
        border_b=b - 128,
        border_lightness_spread=float(spread[0]) * 100 / 255,
        border_a_spread=float(spread[1]),
        border_b_spread=float(spread[2]),
        border_noise=_noise(cv2.extractChannel(lab, 0), border) * 100 / 255,
        coloured=float(coloured >= COLOURED_PIXELS * border.size),
    )


def extreme_samples(image: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest sample of an image of 8 bits, without one in 10,000 at each end.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
    """
    counts = sum(cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel() for channel in range(3))
    shares = np.cumsum(counts, dtype=np.float64) / image.size
    low = int(np.searchsorted(shares, OUTLIERS, side="right"))
    high = int(np.searchsorted(shares, 1 - OUTLIERS))
    return float(low), float(min(high, 255))


def _border(height: int, width: int, box: Sequence[float] | None) -> np.ndarray:
    """Return a mask of uint8, (H, W), that is 1 in the pixels around the colony."""
    border = np.ones((height, width), np.uint8)
    if box is not None:
        left, top, right, bottom = box
        margin = BOX_MARGIN * max(right - left, bottom - top)
        rows = slice(max(0, int(top - margin)), max(0, int(np.ceil(bottom + margin))))
        border[rows, max(0, int(left - margin)) : max(0, int(np.ceil(right + margin)))] = 0
        if border.mean() >= MINIMUM_BORDER:
            return border
    edge = max(1, round(EDGE_SHARE * min(height, width)))
    border[:] = 1
    border[edge : height - edge, edge : width - edge] = 0
    return border


def _middle_mean(lab: np.ndarray, channel: int, border: np.ndarray) -> float:
    """Return the mean of the middle half of the values in the border, which other cells and dirt hardly change."""
    counts = cv2.calcHist([lab], [channel], border, [256], [0, 256]).ravel().astype(np.float64)
    quarter = counts.sum() / 4
    kept = np.diff(np.clip(np.cumsum(counts), quarter, 3 * quarter), prepend=quarter)
    return float(kept @ np.arange(256) / kept.sum())


def _noise(lightness: np.ndarray, border: np.ndarray) -> float:
    response = np.abs(cv2.filter2D(lightness, cv2.CV_32F, _NOISE_KERNEL))
    return float(np.sqrt(np.pi / 2) / 6 * cv2.mean(response, border)[0])
