"""Confusion matrices: one with selectable cells, several on the same colour scale, and the difference of two."""

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from plotly.colors import sample_colorscale

from cfu_core.evaluation.confusion_percentages import Reference, confusion_difference, confusion_percentages
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among, shared_training
from cfu_core.wording import plural
from pages.components import charts
from pages.components.charts import theme
from pages.components.page_layout import escaped

MAX_CHARACTERS = 40  # of the class names that fit side by side above a matrix
MAX_MATRICES = 6  # side by side

#: Units of a cell, and the class whose images are 100 % for its colour.
UNITS: dict[str, Reference] = {
    "Counts": "true",
    "% of the true class": "true",
    "% of the predicted class": "predicted",
}


def confusion(
    matrix: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    unit: str,
    chosen: tuple[int, int] | None = None,
    compact: bool = False,
) -> go.Figure:
    """Draw a confusion matrix: rows true, columns predicted, in one of `UNITS`.

    The colour scale is the same in every matrix. The text is large unless `compact`. Each cell has an invisible marker
    with its position in `customdata`, because a heat map does not report clicks. The `chosen` cell has a frame.
    """
    counts, share = np.array(matrix), np.nan_to_num(confusion_percentages(matrix, UNITS[unit]))
    texts = [[f"{v:.0f}%" for v in row] for row in share] if unit != "Counts" else [[str(v) for v in r] for r in counts]
    figure = _matrix(share, texts, classes, limits=(0, 100), scale=charts.colour_scale(), compact=compact)
    of = UNITS[unit]
    places = [(i, j) for i in range(len(classes)) for j in range(len(classes))]
    figure.add_scatter(
        x=[j for _, j in places],
        y=[i for i, _ in places],
        xaxis="x2",
        yaxis="y2",
        mode="markers",
        marker={"size": 60, "opacity": 0, "symbol": "square"},
        selected={"marker": {"opacity": 0}},
        unselected={"marker": {"opacity": 0}},
        customdata=[f"{i}-{j}" for i, j in places],
        text=[
            f"true {classes[i]}<br>predicted {classes[j]}<br>{plural(int(counts[i, j]), 'image')}, "
            f"{share[i, j]:.1f}% of this {of} class"
            for i, j in places
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    ends = [-0.5, len(classes) - 0.5]
    figure.update_layout(
        xaxis2={"overlaying": "x", "range": ends, "visible": False, "fixedrange": True},
        yaxis2={"overlaying": "y", "range": ends[::-1], "visible": False, "fixedrange": True},
        hovermode="closest",
        hoverdistance=-1,
        dragmode=False,
    )
    if chosen:
        row, column = chosen
        figure.add_shape(
            xref="x2",
            yref="y2",
            x0=column - 0.49,
            x1=column + 0.49,
            y0=row - 0.49,
            y1=row + 0.49,
            line={"color": theme().ink, "width": 3},
        )
    return figure


def difference_figure(
    first: Sequence[Sequence[int]], second: Sequence[Sequence[int]], classes: Sequence[str], *, unit: str
) -> go.Figure:
    """Draw the second matrix minus the first, in images or in percentage points."""
    change = confusion_difference(first, second, None if unit == "Counts" else UNITS[unit])
    limit = max(1.0, float(np.abs(change).max())) if unit == "Counts" else 100.0
    texts = [[f"{v:+.0f}" for v in row] for row in change]
    less, more = theme().categories[:2]
    scale = [[0, less], [0.5, theme().background], [1, more]]
    return _matrix(change, texts, classes, limits=(-limit, limit), scale=scale, compact=True)


def confusion_matrix(
    evaluation: Evaluation, *, chosen: tuple[int, int] | None, on_choose: Callable[[str], None]
) -> None:
    """Show a matrix in counts or percentages; a click on a cell calls `on_choose` with its row and column, "0-2"."""
    unit = st.segmented_control("Confusion matrix", list(UNITS), default="Counts", required=True, key="unit")
    figure = confusion(evaluation.confusion, evaluation.classes, unit=unit or "Counts", chosen=chosen)
    charts.show(
        figure,
        key="confusion",
        alt="Confusion matrix; rows: true class, columns: predicted class",
        height=160 + 110 * len(evaluation.classes),
        on_select=lambda: _clicked(on_choose),
        selection_mode="points",
    )


def _clicked(on_choose: Callable[[str], None]) -> None:
    """Report the clicked cell; a second click, which deselects it in the chart, reports it again."""
    points = st.session_state["confusion"].selection.points
    if points:
        st.session_state["confusion_clicked"] = points[0]["customdata"]
    if "confusion_clicked" in st.session_state:
        on_choose(st.session_state["confusion_clicked"])


def side_by_side(runs: Sequence[Run]) -> None:
    """Show the matrices of several runs, or the difference of two, in an expander; computed when it is opened."""
    if len(runs) < 2:
        return
    names = names_among(runs, leave_out_shared=True)
    opened = st.expander(
        "Confusion matrices side by side", icon=":material/grid_on:", key="matrices", on_change="rerun"
    )
    if not opened.open:
        return
    found = {run.id: evaluation for run in runs if (evaluation := run.evaluation())}
    with opened:
        if shared := shared_training(runs):
            st.caption(f"All runs: {escaped(shared)}.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            unit = st.segmented_control(
                "Unit of a cell", list(UNITS), default="% of the true class", required=True, key="matrices_unit"
            )
            what = st.segmented_control(
                "Show", ("All", "Difference of two"), default="All", required=True, key="matrices_what"
            )
        unit = unit or "Counts"
        if what == "All":
            _show_all(list(found), found, names, unit)
        else:
            _show_difference(list(found), found, names, unit)


def _show_all(ids: Sequence[str], found: dict[str, Evaluation], names: dict[str, str], unit: str) -> None:
    """Show the matrices side by side."""
    place = st.grid(3, min_column_width=300)
    for identifier in ids[:MAX_MATRICES]:
        with place.cell():
            one = found[identifier]
            st.markdown(f"**{escaped(names[identifier])}**  \n{one.correct} of {plural(one.n_images, 'image')} correct")
            figure = confusion(one.confusion, one.classes, unit=unit, compact=True)
            alt = f"Confusion matrix of {names[identifier]}"
            charts.show(figure, key=f"matrix-{identifier}", alt=alt, height=_height(one))
    note = (
        f" The first {MAX_MATRICES} of {len(ids)} runs are shown; select others above."
        if len(ids) > MAX_MATRICES
        else ""
    )
    st.caption(
        "Rows: true class; columns: predicted class. All matrices have the same colour scale, % of the "
        f"{UNITS[unit]} class.{note}"
    )


def _show_difference(ids: Sequence[str], found: dict[str, Evaluation], names: dict[str, str], unit: str) -> None:
    """Show the second of two matrices minus the first."""
    with st.container(horizontal=True):
        first = st.selectbox("First run", ids, key="matrices_from", format_func=names.__getitem__)
        second = st.selectbox("Second run", ids, index=1, key="matrices_to", format_func=names.__getitem__)
    one, other = found[first], found[second]
    if one.classes != other.classes:
        st.info("These two runs have different classes, so their matrices cannot be subtracted.")
        return
    figure = difference_figure(one.confusion, other.confusion, one.classes, unit=unit)
    alt = f"Confusion matrix of {names[second]} minus that of {names[first]}"
    charts.show(figure, key="matrix-difference", alt=alt, height=_height(other))
    what = "images" if unit == "Counts" else "percentage points"
    st.caption(
        f"Each cell: {what} of “{escaped(names[second])}” minus {what} of “{escaped(names[first])}”. On the diagonal "
        "an increase is better, elsewhere a decrease."
    )


def _height(evaluation: Evaluation) -> int:
    """Return the height of a small matrix in pixels."""
    return 150 + 55 * len(evaluation.classes)


def _matrix(
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    classes: Sequence[str],
    *,
    limits: tuple[float, float],
    scale: charts.Scale,
    compact: bool,
) -> go.Figure:
    """Draw a heat map with a text in each cell, rows true, columns predicted; `limits` are the ends of the scale.

    The texts are a trace of their own, because Plotly's texts of a heat map have too little contrast on some colours.
    """
    size = max(12 if compact else 14, (24 if compact else 38) - 3 * len(classes))
    names = [charts.wrapped(name, 14) for name in classes]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=names,
            y=names,
            zmin=limits[0],
            zmax=limits[1],
            colorscale=scale,
            showscale=False,
            xgap=2,
            ygap=2,
            hoverinfo="skip",
        )
    )
    cells = sample_colorscale(scale, np.clip((values.ravel() - limits[0]) / (limits[1] - limits[0]), 0, 1))
    figure.add_scatter(
        x=names * len(names),
        y=np.repeat(names, len(names)),
        mode="text",
        text=[text for row in texts for text in row],
        textfont={"size": size, "color": [charts.text_colour_on(cell) for cell in cells]},
        hoverinfo="skip",
        showlegend=False,
    )
    crowded = sum(max(map(len, name.split("<br>"))) for name in names) > (
        MAX_CHARACTERS // 2 if compact else MAX_CHARACTERS
    )
    ticks, titles = (12, 13) if compact else (15, 16)
    figure.update_xaxes(title="predicted class", side="top", tickangle=-45 if crowded else 0, fixedrange=True)
    figure.update_xaxes(tickfont_size=ticks, title_font_size=titles)
    figure.update_yaxes(title="true class", autorange="reversed", tickfont_size=ticks, title_font_size=titles)
    figure.update_yaxes(fixedrange=True)
    return figure
