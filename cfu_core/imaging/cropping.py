"""Find the colony in a frame, and cut a square around it.

The background of a bright-field frame is smooth: a quadratic surface per colour channel follows uneven light.
The colony is where colour departs from that surface and where texture is strong. Works at a reduced size, so
the cost hardly depends on the camera.
"""

from typing import NamedTuple

import cv2
import numpy as np

WORKING_SIDE = 256  # pixels of the long side at which the colony is looked for
BACKGROUND_SIDE = 48  # pixels; six coefficients per channel need no more
MINIMUM_AREA = 0.002  # a colony covers at least this share of the frame
MINIMUM_SIGNAL = 6.0  # grey levels by which it stands out at its strongest place


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


def find_colony(image: np.ndarray) -> Box | None:
    """The box around the most conspicuous connected structure.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    Box or None
        Tight around the structure, within the image; None where nothing stands out from the background.
    """
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    if round(min(height, width) * scale) < 8:
        return None
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    saliency = _saliency(small)
    if saliency.max() < MINIMUM_SIGNAL:
        return None
    component = _strongest_component(saliency)
    if component is None:
        return None
    left, top, w, h = component
    sx, sy = width / small.shape[1], height / small.shape[0]
    return Box(
        max(0, int(left * sx)),
        max(0, int(top * sy)),
        min(width, int(np.ceil((left + w) * sx))),
        min(height, int(np.ceil((top + h) * sy))),
    )


def square_around(box: Box, margin: float) -> Box:
    """The square with the centre of `box` whose side is its longer side plus `margin` of that on each side.

    It may reach beyond the image; `cut` pads it.
    """
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    left = round((box.left + box.right - side) / 2)
    top = round((box.top + box.bottom - side) / 2)
    return Box(left, top, left + side, top + side)


def cut(image: np.ndarray, box: Box) -> np.ndarray:
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


def _saliency(image: np.ndarray) -> np.ndarray:
    """How far each pixel departs from the smooth background, in grey levels, blurred to join cells."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    distance = np.linalg.norm(lab - _background(lab), axis=2)
    lightness = lab[..., 0]
    sigma = max(image.shape[:2]) / 64
    mean = cv2.GaussianBlur(lightness, (0, 0), sigma)
    texture = np.sqrt(np.maximum(cv2.GaussianBlur(lightness**2, (0, 0), sigma) - mean**2, 0))
    return cv2.GaussianBlur(distance + texture, (0, 0), sigma)


def _background(lab: np.ndarray) -> np.ndarray:
    """A quadratic surface per channel, fitted again and again without the pixels that depart from it most."""
    sample = cv2.resize(lab, (BACKGROUND_SIDE, BACKGROUND_SIDE), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    terms = _quadratic_terms(BACKGROUND_SIDE, BACKGROUND_SIDE)
    keep = np.ones(len(sample), bool)
    for _ in range(4):
        kept = terms[keep]
        coefficients = np.linalg.solve(kept.T @ kept, kept.T @ sample[keep])
        residual = np.linalg.norm(sample - terms @ coefficients, axis=1)
        keep = residual <= np.quantile(residual, 0.7)
    return (_quadratic_terms(*lab.shape[:2]) @ coefficients).reshape(lab.shape)


def _quadratic_terms(height: int, width: int) -> np.ndarray:
    """1, x, y, x^2, xy, y^2 at the centre of each pixel, (height * width, 6) float32; x and y run from -1 to 1."""
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * (2 / height) - 1
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) * (2 / width) - 1
    x, y = np.broadcast_arrays(x, y)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _strongest_component(saliency: np.ndarray) -> tuple[int, int, int, int] | None:
    """(left, top, width, height) of the connected region with the largest sum of saliency."""
    levels = np.clip(saliency * (255 / saliency.max()), 0, 255).astype(np.uint8)
    _, mask = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    weight = np.bincount(labels.ravel(), weights=saliency.ravel(), minlength=count)
    weight[0] = 0
    best = int(weight.argmax())
    if stats[best, cv2.CC_STAT_AREA] < MINIMUM_AREA * saliency.size:
        return None
    left, top, w, h = (int(v) for v in stats[best, :4])
    return left, top, w, h
