"""What a class activation map says of a picture: where it is highest, and the region that it marks."""

import cv2
import numpy as np

from cfu_core.imaging.cropping import Box

#: Of a map's highest value; what lies above belongs to the region (Selvaraju et al. 2017, for localisation).
THRESHOLD = 0.15


def enlarged(heat: np.ndarray, size: int) -> np.ndarray:
    """A map at the size of the network's input.

    Parameters
    ----------
    heat : ndarray of float, shape (h, w)
        0 or more.
    size : int
        In pixels.

    Returns
    -------
    ndarray of float32, shape (size, size)
        From 0 to 1, bilinear; 0 everywhere where the map is.
    """
    large = cv2.resize(np.asarray(heat, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    highest = float(large.max())
    return large / highest if highest > 0 else large


def peak(heat: np.ndarray) -> tuple[float, float] | None:
    """Where a map is highest: column and row from 0 to 1 of the picture's sides; None where it is 0 everywhere.

    The centre of the cell is meant, and of equally high ones the centre of them all.
    """
    if heat.max() <= 0:
        return None
    rows, columns = np.nonzero(heat == heat.max())
    return (float(columns.mean()) + 0.5) / heat.shape[1], (float(rows.mean()) + 0.5) / heat.shape[0]


def region_of_interest(heat: np.ndarray, size: int) -> Box | None:
    """The box around the largest connected part of a map above `THRESHOLD`; None where the map is 0 everywhere.

    Such a box is how Zamani et al. (2022) point out what a network looked at; their threshold is not stated.

    Parameters
    ----------
    heat : ndarray of float, shape (h, w)
    size : int
        Of the network's input, in whose pixels the box is given.
    """
    marked = (enlarged(heat, size) > THRESHOLD).astype(np.uint8)
    count, _, facts, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    if count < 2:
        return None
    left, top, width, height, _ = (int(v) for v in facts[1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())])
    return Box(left, top, left + width, top + height)


def in_frame(point: tuple[float, float], frame: Box) -> tuple[float, float]:
    """A point of the picture that the network saw, from 0 to 1, in pixels of the image that `frame` was cut out of."""
    return (
        frame.left + point[0] * (frame.right - frame.left),
        frame.top + point[1] * (frame.bottom - frame.top),
    )


def inside(point: tuple[float, float], box: Box) -> bool:
    """Whether a point lies in a box, both in pixels of one image."""
    return box.left <= point[0] < box.right and box.top <= point[1] < box.bottom


def share_of_frame(box: Box, frame: Box) -> float:
    """The share of a frame that a box covers: how often a point at random would lie in it."""
    width = max(0, min(box.right, frame.right) - max(box.left, frame.left))
    height = max(0, min(box.bottom, frame.bottom) - max(box.top, frame.top))
    return width * height / ((frame.right - frame.left) * (frame.bottom - frame.top))
