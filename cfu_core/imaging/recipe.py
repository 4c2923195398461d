"""A recipe: how a decoded image becomes what a network sees. There is no other way in."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import cv2
import numpy as np

from cfu_core.errors import RecipeError
from cfu_core.imaging.colour import flatten_background, neutralise_background, normalise_stain
from cfu_core.imaging.contrast import adjust_gamma, clahe, equalise, stretch
from cfu_core.imaging.cropping import Box, crop_to, locate_colony, square_around
from cfu_core.settings import declare, validate

VERSION = 2  # raised whenever the same recipe would give other pixels: old caches are then not used

#: Settings that count only while a step is on: (step, what it must be) by setting.
_BELONGS = {
    "margin": ("crop", True),
    "clip_limit": ("contrast", "clahe"),
    "tiles": ("contrast", "clahe"),
    "gamma": ("contrast", "gamma"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Background, colour, crop, contrast, resize, in this order; frozen, validated, JSON both ways.

    Light and colour are judged on the whole frame, which shows enough background. The contrast depends on scale, so
    it works on the crop at its full size, before the resize.

    Parameters
    ----------
    background : {"none", "flatten"}
        ``flatten`` evens out the light of the whole frame.
    colour : {"none", "neutral", "stain"}
        ``neutral`` makes the background grey, ``stain`` brings stains to one strength.
    crop : bool
        Cut a square around the colony; the whole image where none is found.
    margin : float
        Room around the colony on each side, as a fraction of its longer side.
    contrast : {"none", "clahe", "equalise", "stretch", "gamma"}
        What is done to the lightness.
    clip_limit : float
        Of CLAHE, in OpenCV's meaning.
    tiles : int
        Of CLAHE, along each side.
    gamma : float
        Of gamma correction.
    size : int
        Side of the square that the network sees, in pixels. A frame that is not square is squeezed,
        as the common resize of the field does.
    """

    background: str = declare(
        "none",
        "Background",
        "Uneven light can be evened out: the image is divided by its smooth background.",
        choices=("none", "flatten"),
    )
    colour: str = declare(
        "none",
        "Colour",
        "Pictures taken on different days differ in tint. Neutral makes the empty background grey; stain brings "
        "haematoxylin, eosin and DAB to one strength.",
        choices=("none", "neutral", "stain"),
    )
    crop: bool = False
    margin: float = declare(
        0.05,
        "Margin",
        "Room left around the colony, as a share of its longer side. The paper calls it a thin margin.",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
    )
    contrast: str = declare(
        "none",
        "Contrast",
        "What is done to the lightness; hues stay. CLAHE is the paper's; the others are for comparison.",
        choices=("none", "clahe", "equalise", "stretch", "gamma"),
    )
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
    gamma: float = declare(
        0.7,
        "Gamma",
        "Below 1 the dark parts become brighter, above 1 darker; 1 changes nothing.",
        minimum=0.2,
        maximum=5.0,
        step=0.05,
    )
    size: int = declare(224, "Side of the network's input", "In pixels.", minimum=16, maximum=2048, step=1)

    def __post_init__(self) -> None:
        if not isinstance(self.crop, bool):
            raise RecipeError(f"crop is {self.crop!r}.", "It must be true or false.")
        validate(self, RecipeError)

    @classmethod
    def original(cls, size: int = 224) -> "Recipe":
        """The paper's plain images: resize only."""
        return cls(size=size)

    @classmethod
    def preprocessed(cls, size: int = 224, *, clip_limit: float = 2.0, tiles: int = 8) -> "Recipe":
        """The paper's preprocessed images: cropped to the colony with a thin margin, then CLAHE."""
        return cls(crop=True, contrast="clahe", clip_limit=clip_limit, tiles=tiles, size=size)

    @property
    def kind(self) -> str:
        """The paper's name for such images, ``original`` or ``preprocessed``; ``custom`` for any other steps."""
        if self.background == self.colour == "none":
            if not self.crop and self.contrast == "none":
                return "original"
            if self.crop and self.contrast == "clahe":
                return "preprocessed"
        return "custom"

    @property
    def steps(self) -> list[str]:
        """The steps in words and in their order, for people."""
        words = {
            ("background", "flatten"): "even out the light",
            ("colour", "neutral"): "neutral background",
            ("colour", "stain"): "stain normalisation",
            ("crop", True): f"crop (margin {self.margin:.0%})",
            ("contrast", "clahe"): f"CLAHE (clip {self.clip_limit:g}, {self.tiles} × {self.tiles} tiles)",
            ("contrast", "equalise"): "histogram equalisation",
            ("contrast", "stretch"): "contrast stretching",
            ("contrast", "gamma"): f"gamma {self.gamma:g}",
        }
        taken = [text for (name, value), text in words.items() if getattr(self, name) == value]
        return [*taken, f"resize to {self.size} × {self.size}"]

    @property
    def summary(self) -> str:
        """The steps in one line."""
        return " → ".join(self.steps)

    def at(self, size: int) -> "Recipe":
        """The same steps for a network with another input size."""
        return replace(self, size=size)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that key every cache; settings of a step that is off do not count."""
        effective = asdict(self)
        for name, (step, needed) in _BELONGS.items():
            if effective[step] != needed:
                del effective[name]
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
        if "clahe" in value:  # as recipes were written before CLAHE had rivals
            value = {**value, "contrast": "clahe" if value["clahe"] else "none"}
            del value["clahe"]
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise RecipeError(
                f"The recipe has unknown settings: {', '.join(sorted(unknown))}.",
                f"Known are: {', '.join(f.name for f in fields(cls))}.",
            )
        return cls(**value)


class Enhanced(NamedTuple):
    """An image after all steps but the resize.

    `colony` is the box that was given or found, None where none was looked for or found; `frame` is what was cut.
    """

    image: np.ndarray
    colony: Box | None
    frame: Box


def enhance(image: np.ndarray, recipe: Recipe, box: Box | None = None) -> Enhanced:
    """All steps but the resize, at the image's own scale.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    recipe : Recipe
    box : Box, optional
        The colony, where a person or a manifest marked it; then nothing is searched.

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
    colony = None
    if recipe.background == "flatten":
        image = flatten_background(image)
    if recipe.colour != "none":
        image = neutralise_background(image) if recipe.colour == "neutral" else normalise_stain(image)
    if recipe.crop:
        colony = box or _located(image)
        if colony is not None:
            frame = square_around(colony, recipe.margin)
            image = crop_to(image, frame)
    return Enhanced(adjust_contrast(image, recipe), colony, frame)


def adjust_contrast(image: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The recipe's step of contrast alone; the last of `enhance`.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, after the other steps.
    recipe : Recipe

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    RecipeError
        The image is smaller than the grid of tiles.
    """
    if recipe.contrast == "clahe":
        return clahe(image, clip_limit=recipe.clip_limit, tiles=recipe.tiles)
    if recipe.contrast == "gamma":
        return adjust_gamma(image, gamma=recipe.gamma)
    if recipe.contrast == "equalise":
        return equalise(image)
    return stretch(image) if recipe.contrast == "stretch" else image


def _located(image: np.ndarray) -> Box | None:
    found = locate_colony(image)
    return found.box if found else None


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """`image` as a square of `size` pixels; areas are averaged when it shrinks."""
    shrinks = size < min(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def apply(recipe: Recipe, image: np.ndarray, box: Box | None = None) -> np.ndarray:
    """What the network sees.

    Parameters
    ----------
    recipe : Recipe
    image : ndarray of uint8, shape (H, W, 3)
        RGB, as `cfu_core.imaging.reading` gives it.
    box : Box, optional
        The colony, where it was marked.

    Returns
    -------
    ndarray of uint8, shape (recipe.size, recipe.size, 3)
    """
    return resize(enhance(image, recipe, box).image, recipe.size)
