"""The Preprocess page: set the recipe on one image and see the result at once."""

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.recipe import resize
from cfu_core.models.registry import ARCHITECTURES
from pages.components import cached, editing
from pages.components.address import in_url
from pages.components.current_recipe import DRAGGED, restore
from pages.components.dataset_choice import chosen_dataset, split_seed
from pages.components.image_choice import choose_image
from pages.components.job_requests import prepare_for_all, survey_progress
from pages.components.page_layout import header, panel
from pages.components.preprocess import recipe_form
from pages.components.preprocess.accuracy import estimate_panel
from pages.components.preprocess.augmentation import augmentation_sheet
from pages.components.preprocess.crop import box_legend, contact_sheet, crop_editor
from pages.components.preprocess.live_view import choose_before, live_view, numbers_panel
from pages.components.preprocess.what_if import clahe_settings, other_methods

SIZES = sorted({architecture.input_size for architecture in ARCHITECTURES.values()})

header("Preprocess", "Crop to the colony and enhance the contrast. The picture is updated while you drag a slider.")
data = chosen_dataset()
editing.show_message()
recipe_form.use_loaded()
restore(DRAGGED)

row = choose_image(data)
with st.grid(5, min_column_width=150, gap="small") as screen:
    with screen.cell(column_span=2):
        recipe = recipe_form.steps()
        recipe_form.presets()
        recipe_form.saved_recipes_menu(recipe)
    with screen.cell(column_span=3):
        choose_before()
        live_view(data, row, recipe)


def crops() -> None:
    """Show the colony box of the image and those of its class."""
    view = cached.view(data, split_seed())
    survey_progress(data, view.survey)
    box_legend()
    with st.grid(2, min_column_width=340, gap="medium") as columns:
        with columns.cell():
            crop_editor(view, row)
        with columns.cell():
            contact_sheet(view, data.images["label"].iat[row], recipe.margin)


def whole_dataset() -> None:
    """Show the network's input, and prepare all images of the dataset."""
    with in_url("side", SIZES[0], SIZES.__contains__):
        chosen = st.segmented_control(
            "Size", SIZES, key="side", required=True, format_func=lambda s: f"{s} × {s} pixels"
        )
    side = chosen or SIZES[0]
    st.caption("For " + ", ".join(a.label for a in ARCHITECTURES.values() if a.input_size == side))
    try:
        network_input = encode_jpeg(resize(cached.enhanced(data, row, recipe).image, side))
        st.image(network_input, caption=f"Network input, {side} × {side} pixels", width=side, alt="Network input")
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
    prepare_for_all(data, recipe.at(side))


PANELS = {
    "Numbers": lambda: numbers_panel(data, row, recipe),
    "What if": lambda: clahe_settings(data, row, recipe),
    "Other methods": lambda: other_methods(data, row, recipe),
    "The crop": crops,
    "Augmentation": lambda: augmentation_sheet(data, row, recipe),
    "Accuracy": lambda: estimate_panel(data, recipe),
    "Whole dataset": whole_dataset,
}
PANELS[panel("preprocess_panel", list(PANELS))]()
