"""The live view of one image before and after the contrast step, and the numbers panel."""

from dataclasses import replace

import numpy as np
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.contrast import (
    BINS,
    clip_limit_in_pixels,
    matlab_clip_limit,
    scikit_image_clip_limit,
)
from cfu_core.imaging.contrast_effect import above_clip, tile_size
from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import setting
from pages.components import cached, charts
from pages.components.address import in_url, store_value
from pages.components.browser.live import Control, dragging, live, live_jpeg, live_values
from pages.components.current_recipe import KEYS, START
from pages.components.preprocess import lightness_chart
from pages.components.preprocess.what_if import numbers_table

LIVE = "live"
BEFORE, UNTOUCHED, PREVIOUS = "before", "Untouched image", "Previous step"
SIDE = 1024  # pixels of the longer side at which pictures are sent
SLIDERS = {"clahe": ("clip_limit", "tiles"), "gamma": ("gamma",)}
LOGARITHMIC = ("clip_limit", "gamma")  # the lowest tenth of their range has the strongest effect


@st.fragment
def live_view(data: Dataset, row: int, recipe: Recipe) -> None:
    """Show the sliders and the pictures; only this runs again during a drag, and the whole page after it."""
    names = SLIDERS.get(recipe.contrast, ())
    controls = [
        Control.of(KEYS[name], setting(Recipe, name), getattr(START, name), logarithmic=name in LOGARITHMIC)
        for name in names
    ]
    values = live_values(LIVE, controls)
    current = replace(recipe, **{name: values[KEYS[name]] for name in names})
    try:
        after = cached.contrasted(data, row, current)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    height, width = after.shape[:2]
    live(
        controls,
        values,
        before=_before(data, row, recipe),
        after=live_jpeg(LIVE, after, most=SIDE),
        size=(width, height),
        tiles=current.tiles if current.contrast == "clahe" else None,
        caption_before="Untouched" if untouched() else "Before this step",
        caption_after="After",
        key=LIVE,
    )
    if not dragging(LIVE):
        for name in names:
            store_value(KEYS[name], values[KEYS[name]], getattr(START, name))
        if current != recipe:
            st.rerun()


def choose_before() -> None:
    """Choose what the result is compared with."""
    with in_url(BEFORE, UNTOUCHED, (UNTOUCHED, PREVIOUS).__contains__):
        st.segmented_control(
            "Compare with",
            [UNTOUCHED, PREVIOUS],
            key=BEFORE,
            required=True,
            help="The untouched image is cropped to the same square as the result. The previous step is the image "
            "after all steps before the contrast step.",
        )


def untouched() -> bool:
    """Return whether the result is compared with the untouched image."""
    return st.session_state.get(BEFORE, UNTOUCHED) != PREVIOUS


def _before(data: Dataset, row: int, recipe: Recipe) -> bytes:
    """Return the picture that the result is compared with, as JPEG from the cache."""
    if untouched():
        return cached.untouched(data, row, recipe, SIDE)
    return cached.small(data, row, replace(recipe, contrast="none"), SIDE).picture


def numbers_panel(data: Dataset, row: int, recipe: Recipe) -> None:
    """Show the lightness histogram and contrast measures before and after, and the effect of the clip limit."""
    try:
        plain = replace(recipe, contrast="none")
        previous = cached.enhanced(data, row, plain)
        before = cached.lightness(data, row, plain, untouched=untouched())
        after = cached.lightness(data, row, recipe)
    except CfuError:
        return  # the live view shows the error
    if recipe.crop and previous.colony is None:
        st.warning("No colony was found in this image, so the whole image is used.", icon=":material/crop_free:")
    clip = recipe.clip_limit / BINS if recipe.contrast == "clahe" else None
    charts.show(
        lightness_chart.lightness(before.histogram, after.histogram, clip),
        key="histogram",
        alt="Histogram and cumulative curve of lightness before and after",
        height=340,
    )
    name = "Untouched" if untouched() else PREVIOUS
    numbers_table({name: before.effect, "Result": after.effect})
    if recipe.contrast == "clahe":
        _clipping(previous.image, recipe)


def _clipping(image: np.ndarray, recipe: Recipe) -> None:
    share = above_clip(image, clip_limit=recipe.clip_limit, tiles=recipe.tiles)
    height, width = tile_size(image.shape, recipe.tiles)
    cut = clip_limit_in_pixels(recipe.clip_limit, width * height)
    st.caption(
        f"Tiles of {width} × {height} pixels; each tile's histogram is clipped at {cut} of {width * height} pixels. "
        f"{share:.1%} of the pixels are above the limit and are redistributed over all grey levels. The same clip "
        f"limit in scikit-image: {scikit_image_clip_limit(recipe.clip_limit):.4f}; "
        f"in MATLAB: {matlab_clip_limit(recipe.clip_limit):.4f}."
    )
