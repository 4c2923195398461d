"""Detection of the colony in a frame, and cropping to a square around it.

The colony is the compact structure that differs most from the rest of the frame. Its core is a connected region of the
coarse map of `saliency`, the best over several thresholds. If the core is part of one solid object in a frame with many
other objects, such as a stained cell among red blood cells, the colony is the `outline` of this object. Otherwise cells
around the core belong to the colony up to the distance at which they are no denser than cells elsewhere in the frame
(`colony_extent`). The detection works at a reduced size, so its time depends little on the resolution of the camera.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.colony_extent import colony_extent
from cfu_core.imaging.outline import crowding, outline
from cfu_core.imaging.regions import Region, best_region
from cfu_core.imaging.saliency import saliency

WORKING_SIDE = 256  # pixels of the longer side at which the colony is detected
MIN_CROWDING = 0.1  # share of the frame that differs from the background in a frame with other objects
MIN_SOLIDITY = 0.85  # of a solid object; an object of less solidity consists of cells that lie apart
MIN_SIGNAL = 6.0  # grey levels: smallest maximum of the saliency that counts as a colony
HALF_CONTRAST = 20.0  # grey levels: contrast at which the factor of the confidence is one half


class Box(NamedTuple):
    """A rectangle in pixels of an image.

    Attributes
    ----------
    left, top : int
        First column and first row.
    right, bottom : int
        Column and row after the last ones, so that the width is ``right - left``.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Number of columns, ``right - left``."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Number of rows, ``bottom - top``."""
        return self.bottom - self.top


class Colony(NamedTuple):
    """A detected colony.

    Attributes
    ----------
    box : Box
        Bounding box of the cells in pixels of the image, within its borders.
    confidence : float (0 to 1)
        Rank for review, not a probability: low if another structure is similar, or if the edge is uncertain.
        `locate_colony` explains it.
    """

    box: Box
    confidence: float


def locate_colony(image: np.ndarray) -> Colony | None:
    """Detect the colony: the structure that differs most from the rest of the frame.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    Colony or None
        None if nothing differs clearly from the background, or no structure that covers 0.2 to 80 % of the frame
        differs clearly from the rest. Also None if the shorter side has less than 8 pixels after the longer side is
        reduced to `WORKING_SIDE`.

    Notes
    -----
    The confidence is a product of factors. For a solid object among others they are the lead over the next largest
    object of the same colours and the agreement of both passes of `outline`. Otherwise they are the contrast to the
    rest of the frame, the lead over the next largest structure, and the agreement between the core and the colony with
    its outlying cells. The confidence is lower if the border of the frame cuts the structure, and if the box covers
    less than 2 % or more than 60 % of the frame. It serves to rank images for review and is not a probability.
    """
    height, width = image.shape[:2]
    if min(height, width) * min(1.0, WORKING_SIDE / max(height, width)) < 8:
        return None
    small = _reduced(image)
    coarse, fine, difference = saliency(small)
    ground = float(np.quantile(coarse[::2, ::2], 0.25))
    signal = float(coarse.max()) - ground
    if signal < MIN_SIGNAL:
        return None
    region = best_region(np.clip((coarse - ground) * (255 / signal), 0, 255).astype(np.uint8))
    if region is None:
        return None
    mask, certainty = _extent(region, fine, difference)
    if not mask.any():
        return None
    found = _bounds(mask)
    share = found.width * found.height / mask.size
    complete = 1 / (1 + region.cut / 2)
    usual_size = min(1.0, share / 0.02) * min(1.0, (1 - share) / 0.4)
    return Colony(_enlarged(found, width / mask.shape[1], height / mask.shape[0]), certainty * complete * usual_size)


def square_around(box: Box, margin: float) -> Box:
    """Return the square around the centre of a box, with a margin.

    Parameters
    ----------
    box : Box
        In pixels.
    margin : float
        Added on each side, as a fraction of the longer side of `box`.

    Returns
    -------
    Box
        A square with sides of at least 1 pixel. It may extend beyond the image, even to negative coordinates; `crop_to`
        fills that part.
    """
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    left = round((box.left + box.right - side) / 2)
    top = round((box.top + box.bottom - side) / 2)
    return Box(left, top, left + side, top + side)


def crop_to(image: np.ndarray, box: Box) -> np.ndarray:
    """Crop an image to a box; beyond its borders the image is reflected.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, C)
        Two or more channels; an image of one channel must have the shape (H, W).
    box : Box
        In pixels of `image`. It may extend beyond the borders, but must overlap the image.

    Returns
    -------
    ndarray of uint8, shape (box.height, box.width, C)
        C-contiguous. It may be a view of `image` if the box is inside the image.

    Raises
    ------
    ValueError
        The box does not overlap the image.
    """
    height, width = image.shape[:2]
    if box.right <= 0 or box.bottom <= 0 or box.left >= width or box.top >= height:
        raise ValueError(f"{box} is outside an image of {width} x {height} pixels")
    inner = image[max(0, box.top) : min(height, box.bottom), max(0, box.left) : min(width, box.right)]
    pads = (max(0, -box.top), max(0, box.bottom - height), max(0, -box.left), max(0, box.right - width))
    if not any(pads):
        return np.ascontiguousarray(inner)
    mirrored = cv2.copyMakeBorder(image, *pads, borderType=cv2.BORDER_REFLECT_101)
    top, left = box.top + pads[0], box.left + pads[2]
    return np.ascontiguousarray(mirrored[top : top + box.height, left : left + box.width])


def _reduced(image: np.ndarray) -> np.ndarray:
    """Shrink the longer side of an image to at most `WORKING_SIDE` pixels."""
    while max(image.shape[:2]) >= 4 * WORKING_SIDE:  # halving is by far the fastest way to average
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    scale = WORKING_SIDE / max(image.shape[:2])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image


def _bounds(mask: np.ndarray) -> Box:
    """Find the bounding box of a mask."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _enlarged(box: Box, sx: float, sy: float) -> Box:
    """Scale a box by `sx` and `sy`, rounding outwards."""
    return Box(
        int(box.left * sx), int(box.top * sy), math.ceil(box.right * sx - 1e-6), math.ceil(box.bottom * sy - 1e-6)
    )


def _extent(region: Region, fine: np.ndarray, difference: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the pixels of the colony around its core, and how certain they are (0 to 1)."""
    core = region.mask()
    if crowding(np.zeros_like(core), difference) >= MIN_CROWDING:
        single = outline(core, cv2.resize(fine, core.shape[::-1], interpolation=cv2.INTER_AREA), difference)
        if single.solidity >= MIN_SOLIDITY and crowding(single.mask, difference) >= MIN_CROWDING:
            return single.mask, (1 - single.competition) * single.stability
    enlarged = cv2.resize(core.astype(np.uint8), fine.shape[::-1], interpolation=cv2.INTER_NEAREST)
    mask, contrast = colony_extent(enlarged, fine)
    agreement = _agreement(_bounds(enlarged), _bounds(mask)) if mask.any() else 0.0
    return mask, contrast / (contrast + HALF_CONTRAST) * (1 - region.competition) * agreement


def _agreement(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = max(0, min(one.right, other.right) - max(one.left, other.left))
    height = max(0, min(one.bottom, other.bottom) - max(one.top, other.top))
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)
