"""The current recipe of the session: set on Preprocess, used on Train, and in the URL of both pages."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import setting
from pages.components.address import linked_value, set_value

START = Recipe.preprocessed()
#: Settings of a recipe, and their keys in the session and in the URL.
KEYS = {name: name for name in ("background", "colour", "crop", "margin", "contrast", "tiles", "gamma")}
KEYS["clip_limit"] = "clip"
DRAGGED = ("clip_limit", "tiles", "gamma")  # set in the live view, not by a widget of Streamlit
#: The key of the choice of images on Train, and its value for the current recipe.
CHOICE, CURRENT = "train_images", "current"
_LAST = "recipe_last_shown"


def current_recipe() -> Recipe:
    """Return the recipe that the widgets and the live view show."""
    return Recipe(
        **{
            name: st.session_state.get(key, st.session_state.get(f"{key}_kept", getattr(START, name)))
            for name, key in KEYS.items()
        }
    )


def use_recipe(recipe: Recipe) -> None:
    """Make a recipe the current one and set all widgets to it."""
    for name, key in KEYS.items():
        set_value(key, getattr(recipe, name), getattr(START, name))


def use_clahe(**settings: float) -> None:
    """Choose CLAHE with these settings as the contrast step."""
    set_value("contrast", "clahe", START.contrast)
    for name, value in settings.items():
        set_value(KEYS[name], value, getattr(START, name))


def restore(names: tuple[str, ...] = tuple(KEYS)) -> Recipe:
    """Restore settings from the URL, or from earlier in the session, when the page is opened; return the recipe.

    Parameters
    ----------
    names : tuple of str
        Settings for which this page has no widget that restores them.
    """
    for name in names:
        value, arrived = linked_value(KEYS[name], getattr(START, name), allowed(name))
        if arrived:
            st.session_state[KEYS[name]] = value
    return current_recipe()


def allowed(name: str) -> Callable[[Any], bool]:
    """Return a function that checks whether a value of a setting is valid; a URL may contain anything."""
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
    """Select the current recipe on Train too if it has changed since the last run of the page."""
    if st.session_state.get(_LAST, recipe) != recipe:
        set_value(CHOICE, CURRENT, CURRENT)
    st.session_state[_LAST] = recipe


def recipe_text(recipe: Recipe) -> str:
    """Return the steps of a recipe in one line; the size is omitted, since it depends on the network."""
    return " → ".join([*recipe.steps[:-1], "resize to the network’s input"])
