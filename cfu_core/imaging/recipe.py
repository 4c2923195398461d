"""Preprocessing recipes: the steps from a decoded image to the input of a network.

All images pass through this module on their way to a network: in training, in classification and in exported bundles.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import cv2
import numpy as np

from cfu_core.errors import RecipeError
from cfu_core.imaging.colour import flatten_background, neutralise_background, normalise_stain
from cfu_core.imaging.contrast import adjust_gamma, clahe, equalise, stretch, tiles_that_fit
from cfu_core.imaging.cropping import Box, crop_to, locate_colony, square_around
from cfu_core.settings import declare, validate

VERSION = 3  # increase it whenever the same recipe gives other pixels, so that old caches are not used

#: The step and its value with which a setting has an effect, by setting.
_EFFECTIVE_WITH = {
    "margin": ("crop", True),
    "clip_limit": ("contrast", "clahe"),
    "tiles": ("contrast", "clahe"),
    "gamma": ("contrast", "gamma"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Preprocessing steps and their settings: background, colour, crop, contrast and resize, in this order.

    Attributes
    ----------
    background : {"none", "flatten"}
        ``flatten`` corrects uneven illumination of the whole frame, by `flatten_background`.
    colour : {"none", "neutral", "stain"}
        ``neutral`` makes the background grey, by `neutralise_background`; ``stain`` scales each stain to a fixed
        strength, by `normalise_stain`.
    crop : bool
        Crop to a square around the colony. An image in which no colony is found is not cropped.
    margin : float (0 to 1)
        Added around the colony on each side, as a fraction of its longer side. Without effect if `crop` is False.
    contrast : {"none", "clahe", "equalise", "stretch", "gamma"}
        How the lightness is changed: ``clahe`` by contrast-limited adaptive histogram equalisation, ``equalise`` by
        equalisation of the whole image's histogram, ``stretch`` by scaling its 1st to 99th percentiles to the full
        range, ``gamma`` by gamma correction.
    clip_limit : float (0.1 to 40)
        Clip limit of CLAHE, as OpenCV defines it. Without effect for other methods.
    tiles : int (1 to 64)
        Number of tiles of CLAHE along each side. An image whose shorter side has fewer pixels has as many tiles as this
        side has pixels. Without effect for other methods.
    gamma : float (0.2 to 5)
        Exponent of gamma correction. Without effect for other methods.
    size : int (16 to 2048)
        Side of the square input of the network, in pixels. An image that is not square is resized without preserving
        its aspect ratio, as is usual for image classification.

    Raises
    ------
    RecipeError
        A value is not one of the choices, is outside its range, or has the wrong type; `size` and `tiles` must be
        whole numbers of type int.

    Notes
    -----
    Illumination and colour are estimated on the whole frame, which shows enough background. Contrast enhancement
    depends on scale, so it is applied to the crop at its full size, before the resize.
    """

    background: str = declare(
        "none",
        "Background",
        "Uneven illumination can be corrected: the image is divided by its smooth background.",
        choices=("none", "flatten"),
    )
    colour: str = declare(
        "none",
        "Colour",
        "Images taken on different days differ in tint. Neutral makes the empty background grey; stain scales "
        "haematoxylin, eosin and DAB to fixed strengths.",
        choices=("none", "neutral", "stain"),
    )
    crop: bool = False
    margin: float = declare(
        0.05,
        "Margin",
        "Space around the colony on each side, as a share of its longer side. The paper calls it a thin margin.",
        minimum=0.0,
        maximum=1.0,
        step=0.01,
    )
    contrast: str = declare(
        "none",
        "Contrast",
        "How the lightness is changed; hues are preserved. The paper uses CLAHE; the others are for comparison.",
        choices=("none", "clahe", "equalise", "stretch", "gamma"),
    )
    clip_limit: float = declare(
        2.0,
        "Clip limit",
        "How much CLAHE may amplify contrast: the highest bin of a tile's histogram as a multiple of the mean "
        "bin (OpenCV's definition). Small values change little; large values also amplify noise.",
        minimum=0.1,
        maximum=40.0,
        step=0.1,
    )
    tiles: int = declare(
        8,
        "Tiles per side",
        "CLAHE equalises each tile of a grid separately. More tiles increase local contrast, and noise. "
        "An image has at most as many as its shorter side has pixels.",
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
        for f in fields(self):
            if isinstance(f.default, float):  # JSON may write 2.0 as 2; equal recipes must have the same digest
                object.__setattr__(self, f.name, float(getattr(self, f.name)))

    @classmethod
    def original(cls, size: int = 224) -> "Recipe":
        """Return the recipe of the paper's original images, which are only resized.

        Parameters
        ----------
        size : int
            Side of the network's input in pixels, 16 to 2048.

        Returns
        -------
        Recipe
            With the defaults of all other settings.

        Raises
        ------
        RecipeError
            `size` is outside its range, or is not an int.
        """
        return cls(size=size)

    @classmethod
    def preprocessed(cls, size: int = 224, *, clip_limit: float = 2.0, tiles: int = 8) -> "Recipe":
        """Return the recipe of the paper's preprocessed images: crop to the colony with a thin margin, then CLAHE.

        Parameters
        ----------
        size : int
            Side of the network's input in pixels, 16 to 2048.
        clip_limit : float
            Clip limit of CLAHE, as OpenCV defines it, 0.1 to 40. The paper does not state it.
        tiles : int
            Number of tiles of CLAHE along each side, 1 to 64. The paper does not state it.

        Returns
        -------
        Recipe
            With a margin of 0.05.

        Raises
        ------
        RecipeError
            A value is outside its range, or has the wrong type.
        """
        return cls(crop=True, contrast="clahe", clip_limit=clip_limit, tiles=tiles, size=size)

    @property
    def kind(self) -> str:
        """The paper's name for images of these steps, ``original`` or ``preprocessed``; ``custom`` for other steps.

        Only the steps are compared: margin, clip limit and tiles may have any value.
        """
        if self.background == self.colour == "none":
            if not self.crop and self.contrast == "none":
                return "original"
            if self.crop and self.contrast == "clahe":
                return "preprocessed"
        return "custom"

    @property
    def steps(self) -> list[str]:
        """One phrase for each step that the recipe takes, in order, such as "crop (margin 5%)"; the resize is last."""
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
        """The phrases of `steps` in one line, separated by arrows."""
        return " → ".join(self.steps)

    def at(self, size: int) -> "Recipe":
        """Return a recipe with the same settings, but for a network with another input size.

        Parameters
        ----------
        size : int
            Side of the network's input in pixels, 16 to 2048.

        Raises
        ------
        RecipeError
            `size` is outside its range, or is not an int.
        """
        return replace(self, size=size)

    @property
    def digest(self) -> str:
        """Key of the caches: twelve hexadecimal digits, from `VERSION` and all settings that have an effect.

        Recipes that differ only in settings without effect, such as the margin without a crop, have the same digest.
        """
        effective = asdict(self)
        for name, (step, needed) in _EFFECTIVE_WITH.items():
            if effective[step] != needed:
                del effective[name]
        text = json.dumps({"version": VERSION, **effective}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Return all fields by name, as JSON values; `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Recipe":
        """Rebuild a recipe from the output of `to_dict`.

        Parameters
        ----------
        value : dict
            Settings by name; missing ones have their defaults. The key ``clahe`` (a bool) of earlier versions is read
            as ``contrast``.

        Returns
        -------
        Recipe
            Equal to the one from which `to_dict` was called.

        Raises
        ------
        RecipeError
            A key is unknown, or a value is not allowed.
        """
        if "clahe" in value:  # written before CLAHE was one of several methods
            value = {**value, "contrast": "clahe" if value["clahe"] else "none"}
            del value["clahe"]
        unknown = set(value) - {f.name for f in fields(cls)}
        if unknown:
            raise RecipeError(
                f"The recipe has unknown settings: {', '.join(sorted(unknown))}.",
                f"The known settings are: {', '.join(f.name for f in fields(cls))}.",
            )
        return cls(**value)


class Enhanced(NamedTuple):
    """An image after all steps except the resize.

    Attributes
    ----------
    image : ndarray of uint8, shape (h, w, 3)
        RGB.
    colony : Box or None
        The box that was given or detected, in pixels of the input. None without a crop, or if no colony was detected.
    frame : Box
        The square of the input to which the image was cropped; it may extend beyond the input. The whole input if the
        image was not cropped.
    tiles : int or None
        Number of tiles of CLAHE along each side: less than in the recipe if the image, after the crop, has fewer pixels
        along its shorter side. None for other methods.
    """

    image: np.ndarray
    colony: Box | None
    frame: Box
    tiles: int | None


def enhance(image: np.ndarray, recipe: Recipe, box: Box | None = None) -> Enhanced:
    """Apply all steps except the resize.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    recipe : Recipe
        Its size is not used.
    box : Box, optional
        The colony in pixels of `image`, if a user or a manifest has marked it. With the margin of the recipe it must
        overlap the image. By default the colony is detected, after the steps for background and colour. Without effect
        if the recipe does not crop.

    Returns
    -------
    Enhanced
        Its image has the size of the crop, or of `image` without a crop. It may be `image` itself or a view of it if
        the recipe has no step for background, colour or contrast.

    Raises
    ------
    ValueError
        The recipe crops, and `box` with the margin does not overlap the image.
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
    tiles = tiles_that_fit(image.shape, recipe.tiles) if recipe.contrast == "clahe" else None
    return Enhanced(adjust_contrast(image, recipe), colony, frame, tiles)


def adjust_contrast(image: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Apply only the contrast step, the last one of `enhance`.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB, after the other steps.
    recipe : Recipe
        Only `contrast` and its settings are used.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB; `image` itself, not a copy, if `contrast` is ``none``. CLAHE uses as many tiles as fit, by
        `tiles_that_fit`.
    """
    if recipe.contrast == "clahe":
        return clahe(image, clip_limit=recipe.clip_limit, tiles=tiles_that_fit(image.shape, recipe.tiles))
    if recipe.contrast == "gamma":
        return adjust_gamma(image, gamma=recipe.gamma)
    if recipe.contrast == "equalise":
        return equalise(image)
    return stretch(image) if recipe.contrast == "stretch" else image


def _located(image: np.ndarray) -> Box | None:
    found = locate_colony(image)
    return found.box if found else None


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to a square, by averaging areas if it shrinks and by bilinear interpolation otherwise.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        Any three channels. The aspect ratio is not preserved.
    size : int
        Side of the result in pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
        With the same order of channels. Areas are averaged if `size` is smaller than the shorter side of `image`.
    """
    shrinks = size < min(image.shape[:2])
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def apply(recipe: Recipe, image: np.ndarray, box: Box | None = None) -> np.ndarray:
    """Preprocess an image for a network: apply all steps of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Steps and size of the result.
    image : ndarray of uint8, shape (H, W, 3)
        RGB, as `cfu_core.imaging.reading.decode` returns it.
    box : Box, optional
        The colony in pixels of `image`, if it has been marked. With the margin of the recipe it must overlap the image.
        By default the colony is detected. Without effect if the recipe does not crop.

    Returns
    -------
    ndarray of uint8, shape (recipe.size, recipe.size, 3)
        RGB, 0 to 255; not yet normalised for the network.

    Raises
    ------
    ValueError
        The recipe crops, and `box` with the margin does not overlap the image.
    """
    return resize(enhance(image, recipe, box).image, recipe.size)
