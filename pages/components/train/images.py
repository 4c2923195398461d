"""Which images a network is trained on: the original ones, the recipe of this visit, or a saved recipe."""

import streamlit as st

from cfu_core.imaging.published_recipe import recipe_departures
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import saved_recipes
from pages.components.address import in_url
from pages.components.current_recipe import CHOICE, CURRENT, restore, sentence

ORIGINAL = "original"
SAVED = "saved: "  # begins the choices of saved recipes, so that no name is taken for another choice


def choose_images() -> tuple[Recipe, Recipe]:
    """Choose the images, and show the recipe that they are made by.

    Returns
    -------
    chosen : Recipe
        At no network's size yet.
    preprocessed : Recipe
        What the paper's protocol takes as its preprocessed images: the chosen recipe, or the one of this visit where
        the original images are chosen.
    """
    current = restore()
    options = {ORIGINAL: Recipe.original(), CURRENT: current} | {
        SAVED + name: recipe for name, recipe in saved_recipes().items()
    }
    with in_url(CHOICE, CURRENT, options.__contains__):
        choice = st.segmented_control(
            "Images",
            list(options),
            required=True,
            key=CHOICE,
            format_func=lambda option: {CURRENT: "as on Preprocess now"}.get(option, option.removeprefix(SAVED)),
            help="Original: resized only. As on Preprocess now: the recipe that the Preprocess page shows. Recipes "
            "that you save there are listed as well.",
        )
    chosen = options[choice or CURRENT]
    st.caption(f"Recipe: {sentence(chosen)}.")
    return chosen, current if choice == ORIGINAL else chosen


def protocol_note(preprocessed: Recipe) -> str:
    """Return what the paper's protocol would train on, and where that departs from the paper."""
    if preprocessed.kind == ORIGINAL:
        return (
            "The paper compares original with preprocessed images, but no step is on. Switch on the crop or the "
            "contrast step on the Preprocess page."
        )
    departures = recipe_departures(preprocessed)
    if not departures:
        return "Preprocessed images: crop and CLAHE, as in the paper."
    return (
        f"Preprocessed images: {sentence(preprocessed)}. This departs from the paper (crop with a thin margin, then "
        f"CLAHE): {'; '.join(departures)}."
    )
