"""Conditions of a frame that do not depend on the type of its colony: light, lens, sensor and clutter.

They come from the dish and the image alone, so that no classifier can tell the types apart by them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfu_core.dataset.demo.canvas import Generator


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Conditions of one frame.

    Attributes
    ----------
    light : ndarray of float64, shape (3,)
        Level of the empty field in R, G, B, 0 to 255.
    uneven : float
        Relative depth of the unevenness of the light.
    contrast : float
        Factor on all absorbances, for condenser aperture and stain.
    flare : float
        Share of the light that reaches even the darkest place.
    glow : float
        Strength of the wide bright halo around dark objects.
    blur : float
        Standard deviation of the blur of the whole frame in pixels.
    noise : float
        Standard deviation of the sensor noise, of 255.
    magnification : float
        Factor on the pixels per micrometre.
    stray_cells, debris, defocused_objects : int
        Numbers of objects.
    """

    light: NDArray[np.float64]
    uneven: float
    contrast: float
    flare: float
    glow: float
    blur: float
    noise: float
    magnification: float
    stray_cells: int
    debris: int
    defocused_objects: int


def random_scene(dish: Generator, image: Generator) -> Scene:
    """Return random conditions of a frame.

    Parameters
    ----------
    dish : numpy.random.Generator
        Random stream of the dish, from which most of the variation comes.
    image : numpy.random.Generator
        Random stream of the image, which adds a little.
    """
    level = dish.uniform(140, 215) * image.normal(1, 0.04)
    warmth, green = dish.normal(0.035, 0.035) + image.normal(0, 0.01), dish.normal(0, 0.01)
    return Scene(
        light=np.clip(level, 105, 232) * np.array([1 + warmth, 1 + green, 1 - warmth]),
        uneven=dish.uniform(0.03, 0.13) * image.uniform(0.7, 1.3),
        contrast=float(np.exp(np.clip(dish.normal(0, 0.22) + image.normal(0, 0.14), -0.5, 0.45))),
        flare=dish.uniform(0.04, 0.16),
        glow=dish.uniform(0.05, 0.3),
        blur=dish.uniform(0.7, 1.7) + image.exponential(0.3),
        noise=dish.uniform(1.2, 4.0),
        magnification=dish.uniform(0.88, 1.14) * image.uniform(0.95, 1.05),
        stray_cells=int(dish.gamma(2.0, 9.0) * image.uniform(0.5, 1.5)),
        debris=int(dish.gamma(2.0, 8.0) * image.uniform(0.5, 1.5)),
        defocused_objects=int(image.poisson(dish.uniform(0.3, 2.2))),
    )
