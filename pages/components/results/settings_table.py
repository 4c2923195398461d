"""Settings and results of the compared runs in one table, and a chart of the settings that differ."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from pandas.io.formats.style import Styler

from cfu_core.evaluation.paper_tables import varies_within
from cfu_core.runs.run import Run
from cfu_core.runs.settings_table import RESULTS, differing_settings, settings_table
from pages.components import charts
from pages.components.address import in_url
from pages.components.downloads import with_download
from pages.components.page_layout import escaped

OF_RECIPE = ("Clip limit", "Tiles", "Preprocessing")
MAX_LABEL = 22  # characters of a label at an axis


def settings_and_results(runs: Sequence[Run]) -> None:
    """Show settings and results as a table and a chart, in an expander; computed when it is opened."""
    if len(runs) < 2:
        return
    opened = st.expander("Settings side by side", icon=":material/tune:", key="specs", on_change="rerun")
    if not opened.open:
        return
    with opened:
        table = settings_table(runs)
        differing = differing_settings(table)
        choices = [name for name in table if name != "Name"]
        usual = [*RESULTS, *differing]
        with in_url("columns", usual, lambda values: set(values) <= set(choices)):
            shown = st.multiselect("Columns", choices, key="columns")
        marked = [name for name in shown if name in differing]
        first = table.iloc[0]
        with_download(_highlight(table[["Name", *shown]], marked, first), "settings", file=table)
        summary = (
            f"The runs differ in: {', '.join(differing).lower()}." if differing else "The runs have the same settings."
        )
        st.caption(
            f"{summary} Marked: settings that differ from those of “{escaped(first['Name'])}”. Click the head of a "
            "column to sort by it."
        )
        if differing:
            _style_axes()
            charts.show(
                _parallel_coordinates(table, differing),
                key="parallel",
                alt="Settings and accuracy of each run",
                height=380,
                margin={"l": 110, "r": 60, "t": 56, "b": 24},  # room for the labels above and beside the axes
            )
            st.caption("Each line is a run. Drag along an axis to highlight the runs within that range.")


def _highlight(table: pd.DataFrame, marked: Sequence[str], first: pd.Series) -> Styler:
    """Return the table with the settings that differ from those of the first run in colour."""
    colour = f"background-color: {charts.theme().accent}33"

    def of_column(column: pd.Series) -> list[str]:
        if column.name not in marked:
            return [""] * len(column)
        return [colour if str(value) != str(first[column.name]) else "" for value in column]

    digits = dict.fromkeys(table.select_dtypes("number").columns, "{:g}")
    digits |= {name: "{:.1f}" if name == "Seconds" else "{:.4f}" for name in RESULTS if name in digits}
    return table.style.apply(of_column).format(digits, na_rep="")


def _parallel_coordinates(table: pd.DataFrame, columns: Sequence[str]) -> go.Figure:
    """Draw each run as a line across its settings and its accuracy.

    A setting of the recipe has an axis only if the axes before it do not determine its value.
    """
    shown = ["Network", "Images"]
    for name in OF_RECIPE:
        if varies_within(table, name, shown):
            shown.append(name)
    axes = [name for name in columns if name in shown or name not in OF_RECIPE]
    dimensions = [_axis(table[name], name) for name in axes]
    theme = charts.theme()
    accuracy = 100 * table["Accuracy"]
    dimensions.append({"label": "Accuracy (%)", "values": accuracy, "tickformat": ".0f"})
    return go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": accuracy, "colorscale": [[0, theme.categories[1]], [1, theme.accent]]},
            labelfont={"color": theme.ink, "size": 14},
            tickfont={"color": theme.ink, "size": 13},
            rangefont={"color": "rgba(0, 0, 0, 0)"},  # the ticks show the range already
        )
    )


def _style_axes() -> None:
    """Draw the axes in the colour of the theme's text; Plotly draws them black, with outlined letters."""
    ink = charts.theme().ink
    st.html(
        f"<style>.parcoords .axis :is(.domain, line) {{stroke: {ink}}}"
        ".parcoords text {text-shadow: none !important}</style>"
    )


def _axis(values: pd.Series, name: str) -> dict[str, Any]:
    """Return the axis of a setting: its distinct values, sorted and evenly spaced."""
    numbers = pd.to_numeric(values, errors="coerce")
    ranked = numbers if numbers.isna().equals(values.isna()) else values.astype("string")
    order = sorted(ranked.dropna().unique())
    steps = {value: step for step, value in enumerate(order, int(ranked.isna().any()))}  # runs without a value are at 0
    texts = [*(["none"] if ranked.isna().any() else []), *(_short(value) for value in order)]
    return {
        "label": name,
        "values": [steps.get(value, 0) for value in ranked],
        "tickvals": list(range(len(texts))),
        "ticktext": texts,
    }


def _short(value: Any) -> str:
    """Return a value as a short text."""
    return shorten(value, MAX_LABEL, placeholder="…") if isinstance(value, str) else f"{value:g}"
