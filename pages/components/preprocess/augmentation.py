"""The augmentation panel: the settings, and samples from the code that training uses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.augmentation import Augmentation, sample_matrices, warp
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.recipe import Recipe, resize
from pages.components import cached
from pages.components.address import in_url, linked_value, set_value

COUNT = 12
PAPER = Augmentation()


def chosen_augmentation() -> Augmentation:
    """Return the augmentation that is set on the Preprocess page."""
    kept = {name: st.session_state.get(f"{key}_kept", default) for name, (key, default) in _KEYS.items()}
    return Augmentation(reflect=kept["reflect"], rotation=kept["rotation"], translation=kept["translation"])


_KEYS = {
    "reflect": ("aug_reflect", PAPER.reflect),
    "rotation": ("aug_angle", PAPER.rotation),
    "translation": ("aug_shift", PAPER.translation),
}
_ALLOWED: dict[str, Callable[[Any], bool]] = {
    "aug_reflect": lambda value: isinstance(value, bool),
    "aug_angle": lambda value: 0 <= value <= 180,
    "aug_shift": lambda value: 0 <= value <= 0.5,
}


def restored_augmentation() -> Augmentation:
    """Return the augmentation on a page without its widgets; the settings are in that page's URL too."""
    for key, default in _KEYS.values():
        linked_value(key, default, _ALLOWED[key])
    return chosen_augmentation()


def describe_augmentation(settings: Augmentation) -> str:
    """Return a short description of an augmentation."""
    parts = ["reflection"] if settings.reflect else []
    if settings.rotation:
        parts.append("any rotation" if settings.rotation == 180 else f"rotation up to {settings.rotation:g}°")
    if settings.translation:
        parts.append(f"shifts up to {settings.translation:.0%} of the side")
    return ", ".join(parts) or "none"


def augmentation_sheet(data: Dataset, row: int, recipe: Recipe) -> None:
    """Show the settings and samples of one augmented image."""
    st.caption(
        "The paper names reflection, rotation and translation, but not their ranges; the defaults are ours. Training "
        "uses these settings and draws new random values in each epoch."
    )
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        with in_url("aug_reflect", PAPER.reflect, _ALLOWED["aug_reflect"]):
            st.toggle("Reflection", key="aug_reflect")
        with in_url("aug_angle", PAPER.rotation, _ALLOWED["aug_angle"]):
            st.slider("Largest angle", 0.0, 180.0, step=5.0, key="aug_angle", format="%g°", width=220)
        with in_url("aug_shift", PAPER.translation, _ALLOWED["aug_shift"]):
            st.slider("Largest shift", 0.0, 0.5, step=0.01, key="aug_shift", format="percent", width=220)
        st.button("Reset", icon=":material/restart_alt:", on_click=_reset, help="Reset all three to the defaults")
        with in_url("aug_draw", 0, lambda value: 0 <= value < 10_000):
            seed = st.number_input(
                "Preview number", 0, 9_999, key="aug_draw", help="Each number shows other random samples.", width=140
            )
    settings = chosen_augmentation()
    try:
        picture = resize(cached.enhanced(data, row, recipe).image, recipe.size)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    with st.grid(6, min_column_width=110, gap="small"):
        for number, matrix in enumerate(sample_matrices(settings, COUNT, np.random.default_rng(seed))):
            st.image(encode_jpeg(warp(picture, matrix)), width="stretch", alt=f"Sample {number + 1}")
    st.caption(f"{recipe.size} × {recipe.size} pixels. Augmentation: {describe_augmentation(settings)}.")


def _reset() -> None:
    for key, default in _KEYS.values():
        set_value(key, default, default)
