"""Patches that show single cells.

A patch holds *absorbance*: a translucent body, a dark rim where light is refracted away, a bright ring around it and,
for refractile cells, a bright spot in the middle. Patches add up, so that a thick cluster has a dark core and single
cells show at its edge, as in photographs.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cfu_core.dataset.demo.canvas import MARGIN, Generator, Layer
from cfu_core.dataset.demo.colony_types import CellLook

_PATCHES = 24  # different patches of one kind of cell in one frame


@dataclass(frozen=True)
class CellPatches:
    """Patches of one kind of cell, from the sharpest to the most defocused.

    Attributes
    ----------
    absorbance : ndarray of float32, shape (count, side, side)
        Absorbance (natural logarithm); negative where the cell is brighter than its surroundings.
    body : ndarray of float32, shape (count, side, side)
        Thickness of the cell, 0 to 1, to which its pigment is proportional.
    extents : ndarray of float64, shape (count,)
        Outer radius of the cell in pixels.
    """

    absorbance: Layer
    body: Layer
    extents: NDArray[np.float64]


def draw_patches(rng: Generator, look: CellLook, scale: float, depth: float, count: int = _PATCHES) -> CellPatches:
    """Draw patches of one kind of cell with random sizes and shapes.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers; its state advances.
    look : CellLook
        Appearance of the cells.
    scale : float
        Pixels per micrometre.
    depth : float
        Distance of the last patch from the focal plane in cell radii, which determines its blur.
    count : int, default: 24
        Number of different patches, at least 1.

    Returns
    -------
    CellPatches
        All patches have the same side, an odd number of at most ``2 * MARGIN - 3`` pixels. The outer parts of larger
        cells are missing.
    """
    radii = look.radius * scale * np.clip(rng.normal(1, look.spread, count), 0.6, 1.7)
    half = int(min(np.ceil(1.9 * radii.max() + 4), MARGIN - 2))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    turn = rng.uniform(0, np.pi, count)
    stretch = 1 + np.abs(rng.normal(0, look.elongation, count))
    along = _column(np.cos(turn)) * x + _column(np.sin(turn)) * y
    across = _column(np.cos(turn)) * y - _column(np.sin(turn)) * x
    rho = np.sqrt((along / _column(stretch)) ** 2 + (across * _column(stretch)) ** 2) / _column(radii)
    angle = np.arctan2(across, along)
    for wave in (2, 3, 5):
        rho *= 1 + 0.25 * look.elongation * np.cos(wave * angle + _column(rng.uniform(0, 6, count)))
    body = np.sqrt(np.clip(1 - rho**2, 0, 1))
    grain = rng.standard_normal(rho.shape, dtype=np.float32)
    patches = look.body * body + look.rim * ring(rho, 0.88, 0.13) - look.halo * ring(rho, 1.16, 0.15)
    patches -= _column(rng.uniform(0.4, 1.6, count)) * look.glint * np.exp(-((rho / 0.5) ** 2))
    for index, (patch, level) in enumerate(zip(patches, np.linspace(0, 1, count) ** 1.5, strict=True)):
        fine = 0.11 * radii[index]
        patch += 3.5 * fine * look.grain * cv2.GaussianBlur(grain[index], (0, 0), fine) * body[index]
        blur = 0.09 * radii[index] * depth * level
        if blur > 0.4:
            patch[:] = cv2.GaussianBlur(patch, (0, 0), min(blur, 0.45 * radii[index]))
    return CellPatches(patches.astype(np.float32), body.astype(np.float32), radii * stretch)


def _column(values: NDArray[np.float64]) -> Layer:
    """Reshape values (n,) to (n, 1, 1), so that they broadcast over patches."""
    return values.astype(np.float32)[:, None, None]


def ring(rho: Layer, middle: float, width: float) -> Layer:
    """Return a ring with a Gaussian profile.

    Parameters
    ----------
    rho : ndarray of float32
        Distance of each pixel from the centre, in any unit.
    middle : float
        Radius of the ring in this unit, at which the profile is 1.
    width : float
        Distance from `middle` in this unit at which the profile is 1 / e.

    Returns
    -------
    ndarray of float32
        Values from 0 to 1, with the shape of `rho`.
    """
    return np.exp(-(((rho - middle) / width) ** 2))


def stamp(
    rng: Generator,
    grey: Layer,
    pigment: Layer | None,
    positions: NDArray[np.float64],
    patches: CellPatches,
    strength: float,
    tint: float = 0.0,
) -> NDArray[np.float64]:
    """Add a patch at each position to the layers; positions farther from the focal plane get a more defocused patch.

    A patch that extends beyond a layer is omitted. The strength of each patch varies at random by about 20 %.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers; its state advances.
    grey, pigment : ndarray of float32
        Layers from `cfu_core.dataset.demo.canvas.empty_layer`, which are changed in place. `pigment` may be None; it is
        not changed if `tint` is 0.
    positions : ndarray of float64, shape (n, 3)
        x and y in pixels of the frame, and z, the signed distance from the focal plane in any unit. The farthest
        position gets the most defocused patches, whatever its distance is.
    patches : CellPatches
        The patches to choose from.
    strength, tint : float
        Factors by which the absorbance and the thickness of a patch are multiplied before they are added to `grey` and
        `pigment`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Outer radius of the cell at each position in pixels, also where the patch is omitted.
    """
    count, side, _ = patches.absorbance.shape
    depth = np.abs(positions[:, 2])
    chosen = depth / max(float(depth.max(initial=0)), 1e-6) * count + rng.uniform(-3, 3, len(positions))
    chosen = np.clip(chosen, 0, count - 1).astype(int)
    gains = np.clip(rng.normal(1, 0.2, len(positions)), 0.4, 1.7).astype(np.float32)
    corners = np.rint(positions[:, :2]).astype(int) + MARGIN - side // 2
    height, width = grey.shape
    for (left, top), index, gain in zip(corners, chosen, gains, strict=True):
        if 0 <= left <= width - side and 0 <= top <= height - side:
            window = np.s_[top : top + side, left : left + side]
            grey[window] += (strength * gain) * patches.absorbance[index]
            if pigment is not None and tint > 0:
                pigment[window] += (tint * gain) * patches.body[index]
    return patches.extents[chosen]
