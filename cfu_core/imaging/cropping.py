"""Find the colony in a frame, and cut a square around it.

The colony is the compact structure that stands out most from everything else in the frame. Its core is a connected
region of the coarse map of `saliency`, the best over several thresholds. Cells around the core belong to it as far
out as they are denser than the cells that lie about everywhere. Works at a reduced size, so the cost hardly depends
on the camera.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from cfu_core.imaging.colony_extent import colony_extent
from cfu_core.imaging.regions import Region, best_region
from cfu_core.imaging.saliency import saliency

WORKING_SIDE = 256  # pixels of the long side at which the colony is looked for
MIN_SIGNAL = 6.0  # grey levels by which it stands out at its strongest place
HALF_CONTRAST = 20.0  # grey levels of contrast that give half the confidence


class Box(NamedTuple):
    """A rectangle in pixels; `right` and `bottom` are the first column and row outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


class Colony(NamedTuple):
    """Where the colony is, and how sure that is."""

    box: Box
    """Tight around the cells, within the image."""
    confidence: float
    """0 to 1: how strongly it stands out, and how little else could have been meant."""


def locate_colony(image: np.ndarray) -> Colony | None:
    """The structure that stands out most.

    The confidence is a product: of contrast against the rest of the frame; of the lead over the next heaviest
    structure; of the agreement between the core and the whole with its outlying cells; and it falls where the
    border of the frame cuts the structure, and where the box is tiny or nearly the whole frame. It ranks images
    for a second look and is no probability.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    Colony or None
        None where nothing stands out from the background.
    """
    height, width = image.shape[:2]
    if min(height, width) * min(1.0, WORKING_SIDE / max(height, width)) < 8:
        return None
    small = _reduced(image)
    coarse, fine = saliency(small)
    ground = float(np.quantile(coarse[::2, ::2], 0.25))
    signal = float(coarse.max()) - ground
    if signal < MIN_SIGNAL:
        return None
    region = best_region(np.clip((coarse - ground) * (255 / signal), 0, 255).astype(np.uint8))
    if region is None:
        return None
    core = cv2.resize(region.mask().astype(np.uint8), fine.shape[::-1], interpolation=cv2.INTER_NEAREST)
    mask, contrast = colony_extent(core, fine)
    if not mask.any():
        return None
    found = _bounds(mask)
    share = found.width * found.height / mask.size
    return Colony(
        _enlarged(found, width / small.shape[1], height / small.shape[0]),
        _confidence(region, contrast=contrast, agreement=_agreement(_bounds(core), found), share=share),
    )


def square_around(box: Box, margin: float) -> Box:
    """The square with the centre of `box` whose side is its longer side plus `margin` of that on each side.

    It may reach beyond the image; `crop_to` pads it.
    """
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    left = round((box.left + box.right - side) / 2)
    top = round((box.top + box.bottom - side) / 2)
    return Box(left, top, left + side, top + side)


def crop_to(image: np.ndarray, box: Box) -> np.ndarray:
    """The part of `image` inside `box`; what lies outside the image is mirrored at its border.

    Parameters
    ----------
    image : ndarray, shape (H, W, C)
    box : Box
        Must overlap the image.

    Returns
    -------
    ndarray, shape (box.height, box.width, C)
    """
    height, width = image.shape[:2]
    if box.right <= 0 or box.bottom <= 0 or box.left >= width or box.top >= height:
        raise ValueError(f"{box} lies outside an image of {width} x {height} pixels")
    inner = image[max(0, box.top) : min(height, box.bottom), max(0, box.left) : min(width, box.right)]
    pads = (max(0, -box.top), max(0, box.bottom - height), max(0, -box.left), max(0, box.right - width))
    if not any(pads):
        return np.ascontiguousarray(inner)
    mirrored = cv2.copyMakeBorder(image, *pads, borderType=cv2.BORDER_REFLECT_101)
    top, left = box.top + pads[0], box.left + pads[2]
    return np.ascontiguousarray(mirrored[top : top + box.height, left : left + box.width])


def _reduced(image: np.ndarray) -> np.ndarray:
    """The image with a long side of at most `WORKING_SIDE` pixels."""
    while max(image.shape[:2]) >= 4 * WORKING_SIDE:  # halves are by far the fastest average
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(image[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    scale = WORKING_SIDE / max(image.shape[:2])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image


def _bounds(mask: np.ndarray) -> Box:
    """The box around what is not 0."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _enlarged(box: Box, sx: float, sy: float) -> Box:
    """The box in pixels of the image, which is `sx` and `sy` times as large as the one it was found in."""
    return Box(
        int(box.left * sx), int(box.top * sy), math.ceil(box.right * sx - 1e-6), math.ceil(box.bottom * sy - 1e-6)
    )


def _confidence(region: Region, *, contrast: float, agreement: float, share: float) -> float:
    """From the core, its contrast in grey levels, its agreement with the whole (0 to 1), and the share of the box."""
    stands_out = contrast / (contrast + HALF_CONTRAST)
    alone = 1 - region.competition
    whole = 1 / (1 + region.cut / 2)
    usual_size = min(1.0, share / 0.02) * min(1.0, (1 - share) / 0.4)
    return stands_out * alone * whole * usual_size * agreement


def _agreement(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = max(0, min(one.right, other.right) - max(one.left, other.left))
    height = max(0, min(one.bottom, other.bottom) - max(one.top, other.top))
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)
