"""Any runs in one table: what they were asked for, what came out, and what tells them apart."""

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from pandas.io.formats.style import Styler

from cfu_core.evaluation.paper_tables import distinguishes
from cfu_core.runs.run import Run
from cfu_core.runs.settings_table import RESULTS, differing_settings, settings_table
from pages.components import charts
from pages.components.address import in_url
from pages.components.downloads import with_download

OF_RECIPE = ("Clip limit", "Tiles", "Preprocessing")
LONGEST = 22  # characters beside an axis


def settings_and_results(runs: Sequence[Run]) -> None:
    """Opened on demand: a table with the columns a person chooses, and settings drawn against the accuracy."""
    if len(runs) < 2:
        return
    opened = st.expander("Settings side by side", icon=":material/tune:", key="specs", on_change="rerun")
    if not opened.open:
        return
    with opened:
        table = settings_table(runs)
        told = differing_settings(table)
        choices = [name for name in table if name != "Name"]
        usual = [*RESULTS, *told]
        with in_url("columns", usual, lambda values: set(values) <= set(choices)):
            shown = st.multiselect("Columns", choices, key="columns")
        marked = [name for name in shown if name in told]
        first = table.iloc[0]
        with_download(_marked(table[["Name", *shown]], marked, first), "settings", file=table)
        said = f"They differ in: {', '.join(told).lower()}." if told else "Nothing but chance tells them apart."
        st.caption(
            f"{said} Marked: what is not as in “{first['Name']}”. Click a column's head to sort; the glass above the "
            "table searches it."
        )
        if told:
            _in_ink()
            charts.show(
                _parallel(table, told),
                key="parallel",
                alt="Settings of every run against its accuracy",
                height=380,
                margin={"l": 110, "r": 60, "t": 56, "b": 24},  # for what is written over and beside the axes
            )
            st.caption("Each line is a run. Drag along an axis to keep only the runs that pass through there.")


def _marked(table: pd.DataFrame, marked: Sequence[str], first: pd.Series) -> Styler:
    """Cells of the settings that differ from the first run's in colour."""
    colour = f"background-color: {charts.theme().accent}33"

    def of_column(column: pd.Series) -> list[str]:
        if column.name not in marked:
            return [""] * len(column)
        return [colour if str(value) != str(first[column.name]) else "" for value in column]

    digits = dict.fromkeys(table.select_dtypes("number").columns, "{:g}")
    digits |= {name: "{:.1f}" if name == "Seconds" else "{:.4f}" for name in RESULTS if name in digits}
    return table.style.apply(of_column).format(digits, na_rep="")


def _parallel(table: pd.DataFrame, columns: Sequence[str]) -> go.Figure:
    """Every run as a line over its settings, ending at its accuracy.

    The recipe has an axis only where the network and the images do not tell it already.
    """
    told = ["Network", "Images"]
    for name in OF_RECIPE:
        if distinguishes(table, name, told):
            told.append(name)
    axes = [name for name in columns if name in told or name not in OF_RECIPE]
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
            rangefont={"color": "rgba(0, 0, 0, 0)"},  # the ticks say it already
        )
    )


def _in_ink() -> None:
    """Plotly draws the axes black, and an edge around letters, whatever the theme."""
    ink = charts.theme().ink
    st.html(
        f"<style>.parcoords .axis :is(.domain, line) {{stroke: {ink}}}"
        ".parcoords text {text-shadow: none !important}</style>"
    )


def _axis(values: pd.Series, name: str) -> dict[str, Any]:
    """Where the runs lie on a setting's axis: each value a step, in the order of numbers or of letters."""
    numbers = pd.to_numeric(values, errors="coerce")
    ranked = numbers if numbers.isna().equals(values.isna()) else values.astype("string")
    order = sorted(ranked.dropna().unique())
    steps = {value: step for step, value in enumerate(order, int(ranked.isna().any()))}  # without a value: lowest
    texts = [*(["none"] if ranked.isna().any() else []), *(_short(value) for value in order)]
    return {
        "label": name,
        "values": [steps.get(value, 0) for value in ranked],
        "tickvals": list(range(len(texts))),
        "ticktext": texts,
    }


def _short(value: Any) -> str:
    return shorten(value, LONGEST, placeholder="…") if isinstance(value, str) else f"{value:g}"
