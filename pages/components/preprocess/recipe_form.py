"""The recipe of the Preprocess page: its steps as widgets in the URL, presets, and recipes under a name."""

from functools import partial

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.imaging.contrast import PRESETS
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import (
    LONGEST_NAME,
    delete_recipe,
    recipe_from_json,
    recipe_json,
    save_recipe,
    saved_recipes,
)
from cfu_core.settings import setting
from pages.components.saved_items import keep_button, listed
from pages.components.state import in_url, keep, linked

START = Recipe.preprocessed()
#: Settings of a recipe and their keys in the URL.
KEYS = {name: name for name in ("background", "colour", "crop", "margin", "contrast", "tiles", "gamma")}
KEYS["clip_limit"] = "clip"
LIVE = ("clip_limit", "tiles", "gamma")  # on the live view, where they can be dragged
WORDS = {
    "none": "None",
    "flatten": "Even out light",
    "neutral": "Neutral grey",
    "stain": "Stain",
    "clahe": "CLAHE",
    "equalise": "Equalise",
    "stretch": "Stretch",
    "gamma": "Gamma",
}


def use(recipe: Recipe) -> None:
    """Make a recipe the current one, in every widget."""
    for name, key in KEYS.items():
        keep(key, getattr(recipe, name), getattr(START, name))


def use_settings(**changes: float) -> None:
    """Take settings of CLAHE; it is switched on."""
    keep("contrast", "clahe", START.contrast)
    for name, value in changes.items():
        keep(KEYS[name], value, getattr(START, name))


def current() -> Recipe:
    """The recipe as the widgets and the live view have it now, without showing any of them."""
    return Recipe(
        **{
            name: st.session_state.get(key, st.session_state.get(f"{key}_kept", getattr(START, name)))
            for name, key in KEYS.items()
        }
    )


def arrive() -> None:
    """Before the live view is made: what a link says of its sliders, or what was kept, when the page is opened."""
    for name in LIVE:
        declared, default = setting(Recipe, name), getattr(START, name)
        low, high = type(default)(declared.minimum), type(default)(declared.maximum)
        value, arrived = linked(KEYS[name], default, partial(_within, low, high))
        if arrived:
            st.session_state[KEYS[name]] = value


def _within(low: float, high: float, value: float) -> bool:
    return low <= value <= high


def steps() -> Recipe:
    """The steps in their order, a widget each; what the live view sets is taken from there."""
    _choice(1, "background")
    _choice(2, "colour")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with in_url("crop", True, lambda value: True):
            crop = st.toggle("**3** Crop to the colony", key="crop", help=setting(Recipe, "margin").help)
        declared = setting(Recipe, "margin")
        with in_url("margin", START.margin, lambda value: 0 <= value <= 1):
            st.slider(
                "Margin", 0.0, 1.0, step=0.01, key="margin", format="percent", help=declared.help, disabled=not crop
            )
    _choice(4, "contrast")
    recipe = current()
    st.caption(f"Order: {' → '.join([*recipe.steps[:-1], 'resize to the network’s input'])}.")
    return recipe


def _choice(number: int, name: str) -> None:
    declared = setting(Recipe, name)
    with in_url(name, getattr(START, name), declared.choices.__contains__):
        st.pills(  # they wrap where there is little room
            f"**{number}** {declared.label}",
            declared.choices,
            key=name,
            required=True,
            format_func=lambda choice: WORDS[choice],
            help=declared.help,
        )


def presets() -> None:
    """Settings of CLAHE with a name; the honest equivalents of other libraries' defaults."""
    st.caption("Presets of CLAHE")
    with st.container(horizontal=True, gap="xsmall"):
        for preset in PRESETS:
            st.button(
                preset.name,
                key=f"preset_{preset.name}",
                help=f"Clip limit {preset.clip_limit:g}, {preset.tiles} × {preset.tiles} tiles. {preset.note}",
                on_click=use_settings,
                kwargs={"clip_limit": preset.clip_limit, "tiles": preset.tiles},
            )


def book(recipe: Recipe) -> None:
    """Save the current recipe under a name, take a saved one, download and load."""
    found = saved_recipes()
    with st.popover("Recipes", icon=":material/bookmark:"):
        listed(found, noun="recipe", take=use, forget=delete_recipe, about=lambda kept: kept.summary)
        name = st.text_input("Name", key="recipe_name", max_chars=LONGEST_NAME, placeholder="for example: dim plates")
        with st.container(horizontal=True):
            save = partial(save_recipe, name, recipe)
            keep_button("Save", name, noun="recipe", icon=":material/save:", keep=save)
            st.download_button(
                "Download",
                recipe_json(name.strip() or "recipe", recipe),
                file_name=f"{name.strip() or 'recipe'}.json",
                mime="application/json",
                icon=":material/download:",
                on_click="ignore",
            )
        _load()


def _load() -> None:
    """A recipe from a file; it is kept under its name and taken at once."""
    file = st.file_uploader("Load a recipe", type="json", key="recipe_file", max_upload_size=1)
    if file is None or st.session_state.get("recipe_loaded") == file.file_id:
        return
    st.session_state["recipe_loaded"] = file.file_id
    try:
        name, recipe = recipe_from_json(file.getvalue())
        save_recipe(name, recipe)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.session_state["recipe_to_use"] = recipe
    st.rerun()


def take_loaded() -> None:
    """Before any widget is made: take the recipe that was just loaded."""
    if (recipe := st.session_state.pop("recipe_to_use", None)) is not None:
        use(recipe)
