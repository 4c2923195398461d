"""Peak and region of interest of a class activation map."""

import cv2
import numpy as np

from cfu_core.imaging.cropping import Box

#: Fraction of the map's maximum above which a pixel belongs to the region (Selvaraju et al. 2017, for localisation).
THRESHOLD = 0.15


def resize_map(heat: np.ndarray, size: int) -> np.ndarray:
    """Resize a class activation map to the size of the network's input, and normalise its maximum to 1.

    Parameters
    ----------
    heat : ndarray of float, shape (h, w)
        Class activation map, non-negative.
    size : int
        Side of the network's input in pixels.

    Returns
    -------
    ndarray of float32, shape (size, size)
        Map from 0 to 1, interpolated bilinearly; 0 everywhere if `heat` is 0 everywhere.
    """
    large = cv2.resize(np.asarray(heat, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    highest = float(large.max())
    return large / highest if highest > 0 else large


def peak_position(heat: np.ndarray) -> tuple[float, float] | None:
    """Return the position of the maximum of a class activation map.

    Parameters
    ----------
    heat : ndarray of float, shape (h, w)
        Class activation map, non-negative.

    Returns
    -------
    tuple of (float, float) or None
        Column and row of the centre of the cell with the maximum, as fractions (0 to 1) of the width and height. If
        several cells have the maximum, the mean of their centres, which may be in a cell without the maximum. None if
        the map is 0 everywhere.
    """
    if heat.max() <= 0:
        return None
    rows, columns = np.nonzero(heat == heat.max())
    return (float(columns.mean()) + 0.5) / heat.shape[1], (float(rows.mean()) + 0.5) / heat.shape[0]


def region_of_interest(heat: np.ndarray, size: int) -> Box | None:
    """Return the bounding box of the largest connected region of a class activation map above `THRESHOLD`.

    The map is first resized by `resize_map`. Pixels that touch at a side or a corner are connected. Zamani et al.
    (2022) mark the region that a network used by such a box, but do not state their threshold.

    Parameters
    ----------
    heat : ndarray of float, shape (h, w)
        Class activation map, non-negative.
    size : int
        Side of the network's input in pixels.

    Returns
    -------
    Box or None
        Box in pixels of the network's input; `Box.right` and `Box.bottom` are exclusive. Of regions of equal area, one
        is chosen. None if the map is 0 everywhere.

    References
    ----------
    R. R. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-Based Localization",
    Proc. IEEE ICCV, pp. 618-626, 2017.
    """
    marked = (resize_map(heat, size) > THRESHOLD).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    if count < 2:
        return None
    left, top, width, height, _ = (int(v) for v in stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())])
    return Box(left, top, left + width, top + height)


def to_image_pixels(point: tuple[float, float], frame: Box) -> tuple[float, float]:
    """Convert a point of the network's input to pixels of the image.

    Parameters
    ----------
    point : tuple of (float, float)
        Column and row as fractions (0 to 1) of the input's width and height.
    frame : Box
        Part of the image that the network's input shows, in pixels of the image.

    Returns
    -------
    tuple of (float, float)
        Column and row in pixels of the image.
    """
    return (
        frame.left + point[0] * (frame.right - frame.left),
        frame.top + point[1] * (frame.bottom - frame.top),
    )


def is_inside(point: tuple[float, float], box: Box) -> bool:
    """Return whether a point (column, row) is inside a box, both in pixels of the same image.

    A point on the left or top edge is inside; a point on the right or bottom edge is outside.
    """
    return box.left <= point[0] < box.right and box.top <= point[1] < box.bottom


def share_of_frame(box: Box, frame: Box) -> float:
    """Return the fraction of a frame's area that a box covers, from 0 to 1.

    The fraction equals the probability that a random point of the frame is in the box. Parts of the box outside the
    frame are ignored. Both boxes are in pixels of the same image. The area of the frame must not be 0.
    """
    width = max(0, min(box.right, frame.right) - max(box.left, frame.left))
    height = max(0, min(box.bottom, frame.bottom) - max(box.top, frame.top))
    return width * height / ((frame.right - frame.left) * (frame.bottom - frame.top))
