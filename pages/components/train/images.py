"""Choice of the images to train on: original, or preprocessed by the current or a saved recipe."""

import streamlit as st

from cfu_core.imaging.published_recipe import recipe_departures
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import saved_recipes
from pages.components.address import in_url
from pages.components.current_recipe import CHOICE, CURRENT, recipe_text, restore
from pages.components.page_layout import escaped

ORIGINAL = "original"
SAVED = "saved: "  # prefix of the options for saved recipes, so that no name equals another option


def choose_images() -> tuple[Recipe, Recipe]:
    """Show the choice of the images, with a description of the recipe.

    Returns
    -------
    chosen : Recipe
        Without the input size of a network.
    preprocessed : Recipe
        Recipe of the preprocessed images in the paper's protocol: the chosen one, or the current recipe if the
        original images are chosen.
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
            format_func=lambda option: (
                {CURRENT: "as on Preprocess now"}.get(option) or escaped(option.removeprefix(SAVED))
            ),
            help="Original: resized only. As on Preprocess now: the recipe that the Preprocess page shows. Recipes "
            "saved there are listed as well.",
        )
    chosen = options[choice or CURRENT]
    st.caption(f"Recipe: {recipe_text(chosen)}.")
    return chosen, current if choice == ORIGINAL else chosen


def protocol_note(preprocessed: Recipe) -> str:
    """Return a description of the preprocessed images of the paper's protocol, and how they differ from the paper."""
    if preprocessed.kind == ORIGINAL:
        return (
            "The paper compares original with preprocessed images, but no step is on. Switch on the crop or the "
            "contrast step on the Preprocess page."
        )
    departures = recipe_departures(preprocessed)
    if not departures:
        return "Preprocessed images: crop and CLAHE, as in the paper."
    return (
        f"Preprocessed images: {recipe_text(preprocessed)}. This differs from the paper (crop with a thin margin, then "
        f"CLAHE): {'; '.join(departures)}."
    )
