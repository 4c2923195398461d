"""The form for a recipe: a widget for each step, presets, and saved recipes."""

from functools import partial

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.imaging.contrast import PRESETS
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import (
    delete_recipe,
    recipe_from_json,
    recipe_json,
    save_recipe,
    saved_recipes,
)
from cfu_core.settings import MAX_NAME_LENGTH, setting
from pages.components.address import in_url
from pages.components.current_recipe import START, current_recipe, note_changes, recipe_text, use_clahe, use_recipe
from pages.components.saved_items import save_button, saved_items_list

CHOICE_LABELS = {
    "none": "None",
    "flatten": "Even out light",
    "neutral": "Neutral grey",
    "stain": "Stain",
    "clahe": "CLAHE",
    "equalise": "Equalise",
    "stretch": "Stretch",
    "gamma": "Gamma",
}


def steps() -> Recipe:
    """Show a widget for each step in their order; return the recipe. The live view sets its remaining values."""
    _choice(1, "background")
    _choice(2, "colour")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with in_url("crop", True, lambda value: True):
            crop = st.toggle("3 Crop to the colony", key="crop", help=setting(Recipe, "margin").help)
        declared = setting(Recipe, "margin")
        with in_url("margin", START.margin, lambda value: 0 <= value <= 1):
            st.slider(
                "Margin", 0.0, 1.0, step=0.01, key="margin", format="percent", help=declared.help, disabled=not crop
            )
    _choice(4, "contrast")
    recipe = current_recipe()
    st.caption(f"Recipe: {recipe_text(recipe)}.")
    note_changes(recipe)
    return recipe


def _choice(number: int, name: str) -> None:
    declared = setting(Recipe, name)
    with in_url(name, getattr(START, name), declared.choices.__contains__):
        st.pills(
            f"{number} {declared.label}",
            declared.choices,
            key=name,
            required=True,
            wrap=True,  # the column is narrow
            format_func=lambda choice: CHOICE_LABELS[choice],
            help=declared.help,
        )


def presets() -> None:
    """Show a button for each preset of CLAHE; some are equivalent to the defaults of other libraries."""
    st.caption("CLAHE presets")
    with st.container(horizontal=True, gap="xsmall"):
        for preset in PRESETS:
            st.button(
                preset.name,
                key=f"preset_{preset.name}",
                help=f"Clip limit {preset.clip_limit:g}, {preset.tiles} × {preset.tiles} tiles. {preset.note}",
                on_click=use_clahe,
                kwargs={"clip_limit": preset.clip_limit, "tiles": preset.tiles},
            )


def saved_recipes_menu(recipe: Recipe) -> None:
    """Show a menu in which recipes are used, saved, deleted, downloaded and loaded."""
    found = saved_recipes()
    with st.popover("Recipes", icon=":material/bookmark:"):
        saved_items_list(
            found, noun="recipe", on_use=use_recipe, on_delete=delete_recipe, help_text=lambda kept: kept.summary
        )
        name = st.text_input(
            "Name", key="recipe_name", max_chars=MAX_NAME_LENGTH, placeholder="for example: dim plates"
        )
        with st.container(horizontal=True):
            save = partial(save_recipe, name, recipe)
            save_button("Save", name, noun="recipe", icon=":material/save:", on_save=save)
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
    """Load a recipe from a file, save it under its name and make it the current one."""
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


def use_loaded() -> None:
    """Use the recipe that was just loaded; call it before any widget is created."""
    if (recipe := st.session_state.pop("recipe_to_use", None)) is not None:
        use_recipe(recipe)
