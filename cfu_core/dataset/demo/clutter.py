"""Clutter around a colony: stray cells, debris and objects far out of focus."""

import cv2
import numpy as np
from numpy.typing import NDArray

from cfu_core.dataset.demo.canvas import FRAME_HEIGHT, FRAME_WIDTH, MARGIN, Generator, Layer
from cfu_core.dataset.demo.cell_patches import draw_patches, ring, stamp
from cfu_core.dataset.demo.colony_types import STRAY_CELL


def _random_positions(rng: Generator, number: int) -> NDArray[np.float64]:
    """Return positions (number, 3) in and just around the frame; z from -1 to 1."""
    low, high = [-60, -60, -1], [FRAME_WIDTH + 60, FRAME_HEIGHT + 60, 1]
    return rng.uniform(low, high, (number, 3))


def draw_stray_cells(rng: Generator, grey: Layer, number: int) -> None:
    """Add single cells, pairs and small groups that belong to no colony, at all depths.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers; its state advances.
    grey : ndarray of float32
        Layer of absorbance from `cfu_core.dataset.demo.canvas.empty_layer`, which is changed in place.
    number : int
        Number of single cells, 0 or more; half as many cells are added beside these.
    """
    positions = _random_positions(rng, number)
    scale = rng.uniform(1.8, 3.6)
    groups = rng.integers(0, max(number, 1), number // 2)
    mates = positions[groups] + np.append(
        rng.normal(0, 9 * scale, (number // 2, 2)), np.zeros((number // 2, 1)), axis=1
    )
    patches = draw_patches(rng, STRAY_CELL, scale, depth=rng.uniform(4, 12))
    stamp(rng, grey, None, np.concatenate([positions, mates]), patches, float(rng.uniform(0.5, 1.3)))


def draw_debris(rng: Generator, grey: Layer, number: int) -> None:
    """Draw specks and, in 30 % of the frames, a fibre.

    They replace the absorbance of what was drawn there before.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers; its state advances.
    grey : ndarray of float32
        Layer of absorbance from `cfu_core.dataset.demo.canvas.empty_layer`, which is changed in place.
    number : int
        Number of specks.
    """
    for x, y, z in _random_positions(rng, number):
        centre = (int(x) + MARGIN, int(y) + MARGIN)
        axes = (int(rng.uniform(2, 8)), int(rng.uniform(1, 5)))
        cv2.ellipse(grey, centre, axes, rng.uniform(0, 180), 0, 360, 0.3 + 0.3 * z, -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        steps = np.cumsum(rng.normal(rng.normal(0, 5, 2), 2.5, (rng.integers(12, 40), 2)), axis=0)
        line = np.rint(steps + _random_positions(rng, 1)[0, :2] + MARGIN).astype(np.int32)
        cv2.polylines(grey, [line], False, rng.uniform(0.15, 0.5), int(rng.integers(2, 5)), cv2.LINE_AA)


def draw_defocused_objects(rng: Generator, grey: Layer, number: int) -> None:
    """Add cells, colonies and bubbles far from the focal plane: wide, soft, bright or dark.

    They are drawn at an eighth of the resolution. A faint random mottle is added to the whole layer, even without any
    object.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers; its state advances.
    grey : ndarray of float32
        Layer of absorbance from `cfu_core.dataset.demo.canvas.empty_layer`, which is changed in place.
    number : int
        Number of objects.
    """
    height, width = grey.shape
    small = np.zeros((height // 8, width // 8), np.float32)
    y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
    for position in (_random_positions(rng, number)[:, :2] + MARGIN) / 8:
        reach = rng.uniform(3, 17)
        rho = np.hypot(x - position[0], (y - position[1]) * rng.uniform(0.7, 1.4)) / reach
        small += rng.normal(0, 0.13) * np.exp(-(rho**2)) + rng.normal(0, 0.05) * ring(rho, 1.3, 0.3)
    mottle = np.asarray(rng.standard_normal(small.shape, dtype=np.float32))
    small += 0.03 * cv2.GaussianBlur(mottle, (0, 0), 2.5)
    grey += cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
