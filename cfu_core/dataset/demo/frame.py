"""Frames of the demo: a colony in methylcellulose under an inverted bright-field microscope."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfu_core.dataset.demo.canvas import empty_layer
from cfu_core.dataset.demo.clutter import draw_debris, draw_defocused_objects, draw_stray_cells
from cfu_core.dataset.demo.colony import draw_colony
from cfu_core.dataset.demo.colony_types import CFU_TYPES
from cfu_core.dataset.demo.exposure import expose
from cfu_core.dataset.demo.scene import random_scene
from cfu_core.errors import DatasetError

_DISH_STREAM = 1_000_003  # separates the random stream of a dish from that of an image


@dataclass(frozen=True)
class Frame:
    """A drawn frame with the box of its colony.

    Attributes
    ----------
    image : ndarray of uint8, shape (FRAME_HEIGHT, FRAME_WIDTH, 3)
        RGB.
    box : tuple of int
        Left, top, right, bottom of the visible part of the colony's cells in pixels; right and bottom are exclusive.
    """

    image: NDArray[np.uint8]
    box: tuple[int, int, int, int]


def draw_frame(cfu_type: str, *, seed: int, number: int, dish: int = 0) -> Frame:
    """Draw one frame with one colony, stray cells, debris and objects out of focus.

    Parameters
    ----------
    cfu_type : str
        A key of `CFU_TYPES`.
    seed : int
        Seed of the dataset, 0 or more.
    number : int
        Number of the image within its type, 0 or more. Images with different numbers have different colonies.
    dish : int, default: 0
        Number of the dish, 0 or more. Images of one seed and dish have similar light, tint, focus and amounts of
        clutter. With another dish, the colony differs too.

    Returns
    -------
    Frame
        The same arguments always give the same frame.

    Raises
    ------
    DatasetError
        `cfu_type` is not a key of `CFU_TYPES`.
    ValueError
        `seed`, `number` or `dish` is negative.
    """
    style = CFU_TYPES.get(cfu_type)
    if style is None:
        raise unknown_type(cfu_type)
    rng = np.random.default_rng([seed, list(CFU_TYPES).index(cfu_type), number])
    scene = random_scene(np.random.default_rng([seed, _DISH_STREAM, dish]), rng)
    grey, pigment = empty_layer(), empty_layer()
    draw_defocused_objects(rng, grey, scene.defocused_objects)
    draw_stray_cells(rng, grey, scene.stray_cells)
    draw_debris(rng, grey, scene.debris)
    box = draw_colony(rng, grey, pigment, style, scene.magnification)
    return Frame(expose(rng, scene, grey, pigment, box), box)


def unknown_type(cfu_type: str) -> DatasetError:
    """Return the error for a type of colony that is not in `CFU_TYPES`."""
    return DatasetError(
        f"Colonies of type {cfu_type!r} cannot be drawn.",
        f"The types are {', '.join(CFU_TYPES)}.",
        "Choose one of these.",
    )
