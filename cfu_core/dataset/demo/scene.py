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
        Factor by which all absorbances are multiplied; it stands for the condenser aperture and the stain.
    flare : float
        Fraction of the light that reaches even the darkest pixel.
    glow : float
        Strength of the wide bright halo around dark objects.
    blur : float
        Standard deviation of the Gaussian blur of the whole frame in pixels.
    noise : float
        Strength of the sensor noise in grey levels (0 to 255), approximately its standard deviation.
    magnification : float
        Factor by which the pixels per micrometre are multiplied.
    stray_cells, debris, defocused_objects : int
        Number of objects of each kind.
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
    """Draw the conditions of a frame at random.

    Parameters
    ----------
    dish : numpy.random.Generator
        Random numbers of the dish, which determine most of the variation. A generator with the same seed for each image
        of a dish makes these images similar.
    image : numpy.random.Generator
        Random numbers of the image, which add a little variation. The state of both generators advances.
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
