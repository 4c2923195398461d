"""Colonies drawn cell by cell: the arrangement of their cells in space, and their box in the frame."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cfu_core.dataset.demo.canvas import FRAME_HEIGHT, FRAME_WIDTH, Generator, Layer
from cfu_core.dataset.demo.cell_patches import draw_patches, stamp
from cfu_core.dataset.demo.colony_types import ColonyStyle


def draw_colony(
    rng: Generator, grey: Layer, pigment: Layer, style: ColonyStyle, zoom: float
) -> tuple[int, int, int, int]:
    """Draw one colony, cell by cell, at a random position.

    The centres of its cells may extend beyond the left or the right edge of the frame by up to 6 % of their width, and
    beyond the top or the bottom edge by up to 6 % of their height.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers; its state advances.
    grey, pigment : ndarray of float32
        Layers of absorbance and of thickness of pigment from `cfu_core.dataset.demo.canvas.empty_layer`, to which the
        colony is added in place.
    style : ColonyStyle
        Composition of the colony.
    zoom : float
        Factor by which the magnification of the style is multiplied. The longer side of the colony is then limited to
        at least 0.25 of the height of the frame, and at most a random share of it, 0.5 to 0.76.

    Returns
    -------
    tuple of int
        Left, top, right, bottom of the visible part of the colony's cells in pixels of the frame; right and bottom are
        exclusive.
    """
    number = int(np.exp(rng.uniform(*np.log(style.cells))))
    kinds = rng.choice(len(style.looks), size=number, p=[share for share, _ in style.looks])
    radii = np.array([look.radius for _, look in style.looks])[kinds]
    positions = _arrange(rng, style, radii)
    reach = np.ptp(positions[:, :2], axis=0) + 2 * radii.mean()  # (2,) in micrometres
    scale = rng.uniform(*style.magnification) * zoom
    fill = np.array([0.25, rng.uniform(0.5, 0.76)]) * FRAME_HEIGHT  # smallest and largest size of the colony in pixels
    scale = float(np.clip(scale, *fill / reach.max()))
    positions *= scale
    low, high = positions[:, :2].min(axis=0), positions[:, :2].max(axis=0)
    overhang = 0.06 * (high - low)  # how far the colony may extend beyond the frame
    frame = np.array([FRAME_WIDTH, FRAME_HEIGHT])
    positions[:, :2] += rng.uniform(-low - overhang, frame - high + overhang)
    strength = float(np.exp(rng.normal(0, 0.22)))
    tint = rng.uniform(*style.pigment)
    extents = np.zeros(number)
    for index, (_, look) in enumerate(style.looks):
        members = np.flatnonzero(kinds == index)
        patches = draw_patches(rng, look, scale, depth=float(np.ptp(positions[:, 2]) / (2 * scale * look.radius)))
        extents[members] = stamp(rng, grey, pigment, positions[members], patches, strength, tint * look.pigment)
    return _box(positions, extents)


def _arrange(rng: Generator, style: ColonyStyle, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return positions (n, 3) of cells around the origin, in micrometres; z is the depth."""
    number, radius = len(radii), float(radii.mean())
    clusters = int(rng.integers(style.clusters[0], style.clusters[1] + 1))
    which = np.sort(rng.choice(clusters, size=number, p=rng.dirichlet(np.full(clusters, 4.0))))
    packing, flatness, core = (
        rng.uniform(*style.packing),
        rng.uniform(*style.flatness),
        rng.uniform(*style.core),
    )
    positions = np.zeros((number, 3))
    for cluster in range(clusters):
        members = which == cluster
        width = radius * (max(int(members.sum()), 1) / (packing * flatness)) ** (1 / 3)
        centre = rng.normal(0, 1, 2)
        centre *= (0 if cluster == 0 else rng.uniform(0.8, 1.5)) * width * np.sqrt(clusters / 2) / np.hypot(*centre)
        positions[members] = _random_cluster(rng, int(members.sum()), core, rng.uniform(*style.ragged)) * width
        positions[members, 2] *= flatness
        positions[members, :2] += centre
    outside = rng.random(number) < rng.uniform(*style.stragglers)
    positions[outside, :2] *= rng.uniform(1.05, 1.6, (int(outside.sum()), 1))
    return _push_apart(rng, positions, style.spacing * radius, style.evenness)


def _random_cluster(rng: Generator, number: int, core: float, ragged: float) -> NDArray[np.float64]:
    """Return random positions (number, 3) in a unit ball with bays and lobes in its outline."""
    positions = rng.normal(0, 1, (number, 3))
    positions *= rng.random((number, 1)) ** (core / 3) / np.linalg.norm(positions, axis=1, keepdims=True)
    angle = np.arctan2(positions[:, 1], positions[:, 0])
    waves = np.arange(2, 6)
    outline = np.cos(np.outer(angle, waves) + rng.uniform(0, 2 * np.pi, 4)) @ rng.normal(0, ragged, 4) / 2
    positions[:, :2] *= np.clip(1 + outline, 0.5, 1.6)[:, None]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.35)
    along = np.array([np.cos(turn), np.sin(turn)])
    positions[:, :2] += (stretch - 1) * np.outer(positions[:, :2] @ along, along)
    return positions


def _push_apart(rng: Generator, positions: NDArray[np.float64], least: float, rounds: int) -> NDArray[np.float64]:
    """Move cells apart that are closer to each other than `least`, in a number of rounds."""
    for _ in range(rounds):
        pairs = cKDTree(positions).query_pairs(least, output_type="ndarray")
        if not len(pairs):
            break
        first, second = pairs[:, 0], pairs[:, 1]
        gap = positions[first] - positions[second] + rng.normal(0, 1e-6, (len(pairs), 3))
        distance = np.linalg.norm(gap, axis=1, keepdims=True)
        push = 0.3 * (least - distance) * gap / distance
        np.add.at(positions, first, push)
        np.add.at(positions, second, -push)
    return positions


def _box(positions: NDArray[np.float64], extents: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return the smallest box around the visible part of the cells."""
    low, high = positions[:, :2] - extents[:, None], positions[:, :2] + extents[:, None]
    frame = np.array([FRAME_WIDTH, FRAME_HEIGHT])
    shown = ((high > 0) & (low < frame)).all(axis=1)
    left, top = np.floor(low[shown].min(axis=0).clip(0)).astype(int).tolist()
    right, bottom = np.ceil(high[shown].max(axis=0).clip(max=frame)).astype(int).tolist()
    return left, top, right, bottom
