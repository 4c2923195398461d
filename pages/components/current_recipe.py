"""The recipe of this visit: set on Preprocess, used on Train, and kept in the address of both pages."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import setting
from pages.components.address import keep, linked

START = Recipe.preprocessed()
#: Settings of a recipe, and their keys in the session and in the address.
KEYS = {name: name for name in ("background", "colour", "crop", "margin", "contrast", "tiles", "gamma")}
KEYS["clip_limit"] = "clip"
DRAGGED = ("clip_limit", "tiles", "gamma")  # set on the live view, not by a widget of Streamlit's
#: Train's choice of images, and the choice that stands for the recipe of this visit.
CHOICE, CURRENT = "train_images", "current"
_LAST = "recipe_last_shown"


def current_recipe() -> Recipe:
    """Return the recipe as the widgets and the live view have it now."""
    return Recipe(
        **{
            name: st.session_state.get(key, st.session_state.get(f"{key}_kept", getattr(START, name)))
            for name, key in KEYS.items()
        }
    )


def use_recipe(recipe: Recipe) -> None:
    """Make a recipe the current one, in every widget."""
    for name, key in KEYS.items():
        keep(key, getattr(recipe, name), getattr(START, name))


def use_clahe(**settings: float) -> None:
    """Switch CLAHE on with these settings."""
    keep("contrast", "clahe", START.contrast)
    for name, value in settings.items():
        keep(KEYS[name], value, getattr(START, name))


def restore(names: tuple[str, ...] = tuple(KEYS)) -> Recipe:
    """Take settings from the address, or from earlier in the visit, when the page is opened.

    Parameters
    ----------
    names : tuple of str
        The settings that no widget of this page restores by itself.
    """
    for name in names:
        value, arrived = linked(KEYS[name], getattr(START, name), allowed(name))
        if arrived:
            st.session_state[KEYS[name]] = value
    return current_recipe()


def allowed(name: str) -> Callable[[Any], bool]:
    """Return a function that tells whether a value of a setting makes sense; an address may hold anything."""
    if name == "crop":
        return lambda value: isinstance(value, bool)
    declared = setting(Recipe, name)
    if declared.choices:
        return declared.choices.__contains__
    assert declared.minimum is not None
    assert declared.maximum is not None
    return partial(_within, declared.minimum, declared.maximum)


def _within(low: float, high: float, value: float) -> bool:
    return low <= value <= high


def note_changes(recipe: Recipe) -> None:
    """Choose the current recipe on Train as well, once it was changed on Preprocess."""
    if st.session_state.get(_LAST, recipe) != recipe:
        keep(CHOICE, CURRENT, CURRENT)
    st.session_state[_LAST] = recipe


def sentence(recipe: Recipe) -> str:
    """Return the steps of a recipe in one line, the same on every page; each network has its own size."""
    return " → ".join([*recipe.steps[:-1], "resize to the network’s input"])
