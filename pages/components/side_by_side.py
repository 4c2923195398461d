"""Any runs in one table: what they were asked for, what came out, and what tells them apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from pandas.io.formats.style import Styler

from cfu_core.runs.specs import RESULTS, differing, specs_table
from cfu_core.runs.store import Run
from pages.components import charts
from pages.components.downloads import with_download
from pages.components.state import in_url


def settings_and_results(runs: Sequence[Run]) -> None:
    """Opened on demand: a table with the columns a person chooses, and settings drawn against the accuracy."""
    if len(runs) < 2:
        return
    opened = st.expander("Settings side by side", icon=":material/tune:", key="specs", on_change="rerun")
    if not opened.open:
        return
    with opened:
        table = specs_table(runs)
        told = differing(table)
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
            figure = _parallel(table, [*told, "Accuracy"])
            charts.show(figure, key="parallel", alt="Settings of every run against its accuracy", height=380)
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
    """Every run as a line over its settings, ending at its accuracy."""
    dimensions = []
    for name in columns:
        values = pd.to_numeric(table[name], errors="coerce")
        if values.notna().all():
            levels = np.unique(values)
            ticks = {"tickvals": levels, "ticktext": [f"{v:g}" for v in levels]} if len(levels) <= 6 else {}
            dimensions.append({"label": name, "values": values, **ticks})
        else:
            codes, texts = pd.factorize(table[name].astype(str), sort=True)
            dimensions.append({"label": name, "values": codes, "tickvals": list(range(len(texts))), "ticktext": texts})
    theme = charts.theme()
    accuracy = table["Accuracy"]
    figure = go.Figure(
        go.Parcoords(
            dimensions=dimensions,
            line={"color": accuracy, "colorscale": [[0, theme.categories[1]], [1, theme.accent]]},
            labelfont={"color": theme.ink},
            tickfont={"color": theme.ink},
            rangefont={"color": theme.ink},
        )
    )
    figure.update_layout(margin={"l": 90, "r": 60, "t": 50, "b": 20})
    return figure
