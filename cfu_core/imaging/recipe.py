"""A recipe: how a decoded image becomes what a network sees. There is no other way in."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import cv2
import numpy as np

from cfu_core.errors import RecipeError
from cfu_core.imaging.contrast import clahe
from cfu_core.imaging.cropping import Box, cut, find_colony, square_around
from cfu_core.settings import check, declare

VERSION = 1  # raised whenever the same recipe would give other pixels: old caches are then not used


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Crop, then CLAHE, then resize; frozen, validated, JSON both ways.

    CLAHE depends on scale, so it works on the crop at its full size, before the resize.

    Parameters
    ----------
    crop : bool
        Cut a square around the colony; the whole image where none is found.
    margin : float
        Room around the colony on each side, as a fraction of its longer side.
    clahe : bool
        Equalise the lightness locally.
    clip_limit : float
        OpenCV's clip limit.
    tiles : int
        Tiles along each side.
    size : int
        Side of the square that the network sees, in pixels. A frame that is not square is squeezed,
        as the common resize of the field does.
    """

    crop: bool = False
    margin: float = declare(
        0.05,
        "Margin",
        "Room left around the colony, as a share of its longer side. The paper calls it a thin margin.",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
    )
    clahe: bool = False
    clip_limit: float = declare(
        2.0,
        "Clip limit",
        "How far CLAHE may amplify contrast: the highest bin of a tile's histogram as a multiple of the mean "
        "bin (OpenCV's meaning). Small values change little; large values also amplify noise.",
        minimum=0.1,
        maximum=40.0,
        step=0.1,
    )
    tiles: int = declare(
        8,
        "Tiles per side",
        "CLAHE equalises each tile of a grid by itself. More tiles: more local, and more noise.",
        minimum=1,
        maximum=64,
        step=1,
    )
    size: int = declare(224, "Side of the network's input", "In pixels.", minimum=16, maximum=2048, step=1)

    def __post_init__(self) -> None:
        if not isinstance(self.crop, bool) or not isinstance(self.clahe, bool):
            raise RecipeError(f"crop is {self.crop!r}, clahe is {self.clahe!r}.", "Each must be true or false.")
        check(self, RecipeError)

    @classmethod
    def original(cls, size: int = 224) -> "Recipe":
        """The paper's plain images: resize only."""
        return cls(size=size)

    @classmethod
    def preprocessed(cls, size: int = 224, *, clip_limit: float = 2.0, tiles: int = 8) -> "Recipe":
        """The paper's preprocessed images: cropped to the colony with a thin margin, then CLAHE."""
        return cls(crop=True, clahe=True, clip_limit=clip_limit, tiles=tiles, size=size)

    @property
    def images(self) -> str:
        """The paper's word for this kind of images, or ``custom``."""
        if not self.crop and not self.clahe:
            return "original"
        return "preprocessed" if self.crop and self.clahe else "custom"

    @property
    def summary(self) -> str:
        """The steps in words, for people."""
        steps = [f"crop (margin {self.margin:.0%})"] if self.crop else []
        if self.clahe:
            steps.append(f"CLAHE (clip {self.clip_limit:g}, {self.tiles} × {self.tiles} tiles)")
        return " → ".join([*steps, f"resize to {self.size} × {self.size}"])

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that key every cache; settings of a step that is off do not count."""
        effective = asdict(self)
        if not self.crop:
            del effective["margin"]
        if not self.clahe:
            del effective["clip_limit"], effective["tiles"]
        text = json.dumps({"version": VERSION, **effective}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Recipe":
        """The recipe that `to_dict` described.

        Raises
        ------
        RecipeError
            A field is unknown or out of bounds.
        """
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise RecipeError(
                f"The recipe has unknown settings: {', '.join(sorted(unknown))}.",
                f"Known are: {', '.join(f.name for f in fields(cls))}.",
            )
        return cls(**value)


class Enhanced(NamedTuple):
    """An image after crop and CLAHE, before the resize.

    `colony` is the box that was found, None where none was looked for or found; `frame` is what was cut.
    """

    image: np.ndarray
    colony: Box | None
    frame: Box


def enhance(image: np.ndarray, recipe: Recipe) -> Enhanced:
    """Crop and CLAHE, at the image's own scale.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    recipe : Recipe

    Returns
    -------
    Enhanced
        With an RGB image of uint8.

    Raises
    ------
    RecipeError
        The image is smaller than the grid of tiles.
    """
    frame = Box(0, 0, image.shape[1], image.shape[0])
    colony = find_colony(image) if recipe.crop else None
    if colony is not None:
        frame = square_around(colony, recipe.margin)
        image = cut(image, frame)
    if recipe.clahe:
        image = clahe(image, clip_limit=recipe.clip_limit, tiles=recipe.tiles)
    return Enhanced(image, colony, frame)


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """`image` as a square of `size` pixels; areas are averaged when it shrinks."""
    shrinks = size < min(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def apply(recipe: Recipe, image: np.ndarray) -> np.ndarray:
    """What the network sees.

    Parameters
    ----------
    recipe : Recipe
    image : ndarray of uint8, shape (H, W, 3)
        RGB, as `cfu_core.imaging.reading` gives it.

    Returns
    -------
    ndarray of uint8, shape (recipe.size, recipe.size, 3)
    """
    return resize(enhance(image, recipe).image, recipe.size)
