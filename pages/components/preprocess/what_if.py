"""The panels that compare settings: clip limits and numbers of tiles, other methods, and their numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.contrast_effect import Effect
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import saved_recipes
from pages.components import cached
from pages.components.current_recipe import use_clahe, use_recipe

CLIPS = (1.0, 2.0, 4.0, 8.0, 16.0)
TILES = (2, 4, 8, 16)
SMALL = 300  # pixels of the longer side of a preview
METHODS: Mapping[str, Mapping[str, Any]] = {
    "No contrast step": {"contrast": "none"},
    "CLAHE": {"contrast": "clahe"},
    "Equalise (global)": {"contrast": "equalise"},
    "Stretch": {"contrast": "stretch"},
    "Gamma": {"contrast": "gamma"},
    "Even out light, then CLAHE": {"contrast": "clahe", "background": "flatten"},
    "Neutral background": {"contrast": "none", "colour": "neutral"},
    "Stain normalised": {"contrast": "none", "colour": "stain"},
}


def clahe_settings(data: Dataset, row: int, recipe: Recipe) -> None:
    """Show clip limits by numbers of tiles, for one image or one image of each class."""
    shown = st.segmented_control(
        "Show", ["This image", "One image of each class"], default="This image", required=True, key="sheet_of"
    )
    rows = [row] if shown == "This image" else first_of_each(data, row)
    st.caption(
        "The clip limit increases to the right, the number of tiles downwards. Press a button to use its setting."
    )
    with st.grid(len(CLIPS), min_column_width=78, gap="xsmall", wrap=False):
        for tiles in TILES:
            for clip in CLIPS:
                _cell(data, rows, replace(recipe, contrast="clahe", clip_limit=clip, tiles=tiles), recipe)


def _cell(data: Dataset, rows: Sequence[int], setting: Recipe, current: Recipe) -> None:
    with st.container(gap="xxsmall"):
        try:
            st.image(_strip(data, rows, setting), width="stretch", alt=setting.summary)
        except CfuError as error:
            st.caption(str(error))
            return
        in_use = current.contrast == "clahe" and (current.clip_limit, current.tiles) == (
            setting.clip_limit,
            setting.tiles,
        )
        st.button(
            f"{setting.clip_limit:g} · {setting.tiles}×{setting.tiles}",
            key=f"take_{setting.clip_limit:g}_{setting.tiles}",
            help=f"Use clip limit {setting.clip_limit:g} and {setting.tiles} × {setting.tiles} tiles",
            type="primary" if in_use else "secondary",
            on_click=use_clahe,
            kwargs={"clip_limit": setting.clip_limit, "tiles": setting.tiles},
            width="stretch",
        )


def _strip(data: Dataset, rows: Sequence[int], recipe: Recipe) -> bytes:
    """Return one picture, or several side by side; CLAHE is applied at full size before the reduction."""
    if len(rows) == 1:
        return cached.small(data, rows[0], recipe, SMALL).picture
    return cached.strip(data, rows, recipe, SMALL // 2)


def first_of_each(data: Dataset, row: int) -> list[int]:
    """Return the rows of the selected image and of the first image of every other class, at most four."""
    labels = data.images["label"]
    first = {label: int(np.flatnonzero(labels == label)[0]) for label in data.classes}
    first[labels.iat[row]] = row
    return list(first.values())[:4]


def other_methods(data: Dataset, row: int, recipe: Recipe) -> None:
    """Show CLAHE, other methods and saved recipes on one image, with numbers."""
    options = {name: replace(recipe, **change) for name, change in METHODS.items()} | saved_recipes()
    chosen = st.pills(
        "Compare",
        list(options),
        selection_mode="multi",
        default=list(METHODS),
        key="methods",
        wrap=True,
        help="Saved recipes are listed too.",
    )
    effects = {}
    with st.grid(4, min_column_width=150, gap="small"):
        for name in chosen:
            with st.container(gap="xxsmall"):
                try:
                    preview = cached.small(data, row, options[name], SMALL)
                except CfuError as error:
                    st.caption(f"{name}: {error}")
                    continue
                st.image(preview.picture, width="stretch", alt=options[name].summary)
                st.button(
                    name,
                    key=f"method_{name}",
                    help=f"Use this recipe: {options[name].summary}",
                    on_click=use_recipe,
                    args=(options[name],),
                    width="stretch",
                )
                effects[name] = preview.effect
    if effects:
        numbers_table(effects)


def numbers_table(effects: Mapping[str, Effect]) -> None:
    """Show a table of contrast measures with a row for each picture."""
    table = pd.DataFrame(
        [
            {
                "Picture": name,
                "RMS contrast": effect.rms_contrast,
                "Local contrast": effect.local_contrast,
                "Entropy (bits)": effect.entropy,
                "Clipped (%)": 100 * effect.clipped,
            }
            for name, effect in effects.items()
        ]
    )
    number = partial(st.column_config.NumberColumn, format="%.2f")
    columns = {
        "RMS contrast": number(help="Standard deviation of the lightness L*", width=96),
        "Local contrast": number(help="Mean standard deviation of the lightness L* in small windows", width=100),
        "Entropy (bits)": number(width=94),
        "Clipped (%)": number(help="Pixels that are black or white", width=82),
    }
    st.dataframe(table, hide_index=True, column_config=columns)
