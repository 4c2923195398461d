"""The panels beside the grid: charts of the dataset, in which a selection filters the grid."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cfu_core.dataset.audit.filtering import Filter, lasso_from_outline
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import PARTITIONS, Split, check_split, check_trainable
from cfu_core.errors import CfuError
from cfu_core.evaluation.paper_tables import nonempty_columns, table_2
from cfu_core.imaging.measures import MEASURES
from cfu_core.wording import class_name, plural
from pages.components import cached, charts
from pages.components.address import in_url, url_choice
from pages.components.browser.hover import hover_picture, hovered_point
from pages.components.cached import View
from pages.components.dataset_choice import split_seed_input
from pages.components.explore import panel_charts
from pages.components.explore.filters import FILTER, SIZES, set_filter, widget_key
from pages.components.page_layout import escaped

MAX_DOTS = 20_000  # on the map; more are slow to draw and cannot be distinguished


def _on_selection(key: str, read: Callable[[Any], Filter | None]) -> None:
    """Set the filter from a selection in a chart; an empty selection changes nothing."""
    found = read(st.session_state[key].selection)
    if found is not None:
        set_filter(found)


def split_panel(data: Dataset, split: Split) -> None:
    """Show the images per class and partition as a chart and a table, and the split seed."""
    if data.unlabelled:
        st.info(
            f"{plural(data.unlabelled, 'image has', 'images have')} no class yet. Turn on Label by "
            "keys above the grid, enter the names of the classes, and press a number to give a class.",
            icon=":material/label:",
        )
    if not split.counts:
        return
    key = widget_key("class_counts")

    def filter_from_bars(selection: Any) -> Filter | None:
        # the totals above the bars are a curve of their own
        points = [p for p in selection.points if p["curve_number"] < len(PARTITIONS)]
        bars = [(p["x"], PARTITIONS[p["curve_number"]]) for p in points]
        if not bars:
            return None
        classes, partitions = zip(*bars, strict=True)
        return st.session_state[FILTER].changed(
            classes=tuple(dict.fromkeys(classes)), partitions=tuple(dict.fromkeys(partitions))
        )

    charts.show(
        panel_charts.class_counts(split.counts),
        key=key,
        alt="Images per class and partition",
        on_select=lambda: _on_selection(key, filter_from_bars),
        selection_mode="points",
    )
    counts = table_2(split.counts)
    narrow = {"Training": "Train", "Validation": "Val", "Test": "Test", "Total": "Total"}
    widths = {name: st.column_config.NumberColumn(label, width=46) for name, label in narrow.items()}
    widths["Class"] = st.column_config.TextColumn(width=160)
    # the published numbers are on the Results page, where there is room for them
    shown = [name for name in nonempty_columns(counts) if name not in ("Published", "Difference")]
    st.dataframe(counts, hide_index=True, column_config=widths, column_order=shown)
    if "Published" in nonempty_columns(counts):
        rows = counts[counts["Published"].astype(str) != ""]
        published = "; ".join(
            f"{escaped(name)} {printed}" for name, printed in zip(rows["Class"], rows["Published"], strict=True)
        )
        st.caption(f"Published, training / validation / test: {published}.")
    split_seed_input()
    st.caption(split.nearness)
    try:
        check_trainable(data.counts)
        check_split(split)
    except CfuError as error:
        st.warning(f"No network can be trained on this dataset. {error}", icon=":material/warning:")


def measures_panel(table: pd.DataFrame, chosen: Filter) -> None:
    """Show the histogram of a measure, and a slider that filters by a range of it."""
    names = {name: facts.label for name, facts in MEASURES.items()} | SIZES
    measure = url_choice("Measure", list(names), key="measure", names=lambda n: names[n], default="sharpness")
    values = table[measure].to_numpy(float) if measure in table else np.empty(0)
    finite = values[np.isfinite(values)]
    if not measure or not len(finite):
        st.info("Not measured yet.", icon=":material/hourglass:")
        return
    facts = MEASURES.get(measure)
    unit = facts.unit if facts else {"pixels": "pixels", "size_bytes": "bytes"}[measure]
    if facts:
        st.caption(facts.help)
    key = widget_key(f"histogram_{measure}")

    def filter_from_range(selection: Any) -> Filter | None:
        if not selection.box:
            return None
        low, high = sorted(selection.box[0]["x"])
        return st.session_state[FILTER].with_range(measure, (low, high))

    labels = sorted(table["label"].unique())
    by_class = {class_name(label): values[(table["label"] == label).to_numpy()] for label in labels}
    limits = chosen.ranges.get(measure)
    charts.show(
        panel_charts.measure_histogram(by_class, name=names[measure], unit=unit, limits=limits),
        key=key,
        alt=f"Histogram of {names[measure].lower()} by class",
        on_select=lambda: _on_selection(key, filter_from_range),
        selection_mode="box",
    )
    _range_slider(measure, names[measure], (float(finite.min()), float(finite.max())), limits)


def _range_slider(measure: str, label: str, whole: tuple[float, float], limits: tuple[float, float] | None) -> None:
    """Show a slider for the range, which can be used from the keyboard."""
    if whole[0] == whole[1]:
        st.caption(f"Every image has the same value, {whole[0]:.4g}.")
        return
    key = widget_key(f"range_{measure}")
    low, high = limits or whole
    shown = (min(max(low, whole[0]), whole[1]), max(min(high, whole[1]), whole[0]))

    def set_range() -> None:
        new = st.session_state[key]
        now = None if new == whole else new
        st.session_state[FILTER] = st.session_state[FILTER].with_range(measure, now)

    step = (whole[1] - whole[0]) / 200
    st.slider(f"{label}: from, to", *whole, shown, step=step, format="%.4g", key=key, on_change=set_range)


def map_panel(view: View, chosen: Filter, passes: np.ndarray) -> None:
    """Show the map of similar images."""
    table, survey = view.table, view.survey
    points = table[["map_x", "map_y"]].to_numpy(float)
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(placed) < 3:
        st.info("The map is drawn after the images have been measured.", icon=":material/hourglass:")
        return
    if len(placed) > MAX_DOTS:
        placed = np.sort(np.random.default_rng(0).choice(placed, MAX_DOTS, replace=False))
    with in_url("map_color", "label", lambda value: value in ("label", "partition")):
        by = st.segmented_control(
            "Colour by",
            ["label", "partition"],
            key="map_color",
            required=True,
            format_func=lambda c: {"label": "Class", "partition": "Partition"}[c],
        )
    values = table[by].to_numpy(str)[placed]
    order = list(PARTITIONS) if by == "partition" else sorted(set(values))
    groups = {
        charts.PARTITION_NAMES.get(name, class_name(name)): placed[values == name]
        for name in order
        if (values == name).any()
    }
    key = widget_key("map")

    def filter_from_outline(selection: Any) -> Filter | None:
        if selection.lasso:
            drawn = selection.lasso[0]
            return st.session_state[FILTER].changed(lasso=lasso_from_outline(drawn["x"], drawn["y"]))
        if selection.box:
            (x0, x1), (y0, y1) = selection.box[0]["x"], selection.box[0]["y"]
            return st.session_state[FILTER].changed(lasso=lasso_from_outline([x0, x1, x1, x0], [y0, y0, y1, y1]))
        return None

    texts = table["path"].to_numpy(str)
    charts.show(
        panel_charts.image_map(points, groups, texts, passes, chosen.lasso),
        key=key,
        alt="Map of the images; similar images are close to each other",
        height=460,
        on_select=lambda: _on_selection(key, filter_from_outline),
        selection_mode=("lasso", "box"),
    )
    _thumbnail_at_pointer(view, key)
    more = (
        f" {MAX_DOTS:,} of the images are drawn; an outline selects all images inside it."
        if len(placed) == MAX_DOTS
        else ""
    )
    st.caption(
        f"{survey.map_source}.{more} Images close to each other are similar; directions and long distances have no "
        "meaning."
    )


@st.fragment
def _thumbnail_at_pointer(view: View, chart: str) -> None:
    """Show the thumbnail of the image at the pointer on the map."""
    key = f"hover_{chart}"
    point, picture, caption = hovered_point(key), b"", ""
    rows = np.flatnonzero(view.table["path"] == point)
    if len(rows):
        caption = f"{class_name(view.table['label'].iat[rows[0]])} · {PurePosixPath(point).name}"
        with suppress(CfuError):  # an image that cannot be read has no thumbnail; the audit lists it
            picture = cached.thumbnail(view.data, int(rows[0]))
    hover_picture(chart=chart, key=key, point=point, picture=picture, caption=caption)
