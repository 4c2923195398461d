"""Figures that pages share, drawn by Plotly in the theme's colours."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.colors import find_intermediate_color, hex_to_rgb, label_rgb

from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.evaluation.calibration import Reliability
from cfu_core.evaluation.roc import Curves

MARGIN = {"l": 8, "r": 8, "t": 36, "b": 84}  # pixels; the legend lies in the bottom margin
SHORT = {"training": "Training", "validation": "Validation", "test": "Test"}
POINTS = 600  # of a curve; more cannot be told apart
BADGE = {"training": "Train", "validation": "Val", "test": "Test"}  # where there is little room


def show(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    height: int = 320,
    margin: Mapping[str, int] | None = None,
    on_select: Callable | None = None,
    **selection: Any,
) -> None:
    """Put a figure on the page, as wide as its place; with `on_select`, what is drawn in it is told.

    The margin, in pixels, is found from its title and its legend, unless it is given.
    """
    legend = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "traceorder": "normal"}
    colors = theme()
    figure.update_layout(template="streamlit", colorway=colors.categories, height=height, legend=legend)
    if margin is None:
        named = sum(getattr(trace, "showlegend", True) is not False for trace in figure.data) > 1
        margin = MARGIN | ({} if named else {"b": 8}) | ({} if figure.layout.title.text else {"t": 8})
    figure.update_layout(margin=margin)
    scale = [[0, colors.background], [1, colors.full]]
    figure.for_each_trace(lambda t: t.update(colorscale=t.colorscale or scale), selector={"type": "heatmap"})
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        config={"displaylogo": False, "displayModeBar": False},
        on_select=on_select or "ignore",
        **selection,
    )


class Theme(NamedTuple):
    """Colours of the theme that the browser shows now, from ``.streamlit/config.toml``."""

    accent: str
    background: str
    ink: str
    categories: list[str]
    full: str  # of what is filled the most; light text on it can be read


def theme() -> Theme:
    """The light or the dark theme."""
    kind = "dark" if st.context.theme.type == "dark" else "light"
    names = ("primaryColor", "secondaryBackgroundColor", "textColor", "chartCategoricalColors")
    accent, background, ink, categories = (st.get_option(f"theme.{kind}.{name}") for name in names)
    full = accent
    if kind == "dark":  # the accent is pale there
        full = label_rgb(find_intermediate_color(hex_to_rgb(background), hex_to_rgb(accent), 0.75))
    return Theme(accent, background, ink, categories, full)


def class_bars(counts: Mapping[str, int]) -> go.Figure:
    """Images per class, lying, with their numbers."""
    figure = go.Figure(
        go.Bar(
            x=list(counts.values()),
            y=[name.replace("_", " ") for name in counts],
            text=[f"{number:,}" for number in counts.values()],
            orientation="h",
        )
    )
    figure.update_layout(
        xaxis={"visible": False, "fixedrange": True}, yaxis={"autorange": "reversed", "fixedrange": True}
    )
    return figure


def class_counts(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Images per class, stacked by partition."""
    figure = go.Figure()
    for partition in PARTITIONS:
        numbers = [parts[partition] for parts in counts.values()]
        figure.add_bar(name=SHORT[partition], x=list(counts), y=numbers, text=numbers, textangle=0)
    figure.update_layout(
        barmode="stack", uniformtext={"minsize": 10, "mode": "hide"}, title="Images per class", yaxis_title="images"
    )
    return figure


def lightness(before: np.ndarray, after: np.ndarray, clip: float | None) -> go.Figure:
    """Shares of pixels at each lightness (256 each, adding up to 1) with their cumulative curves.

    `clip` is the share at which CLAHE cuts the histogram of each tile.
    """
    figure = go.Figure()
    levels = np.arange(256)
    for index, (name, shares) in enumerate((("Before", before), ("After", after))):
        color = theme().categories[index]
        figure.add_scatter(
            name=name, x=levels, y=100 * shares, mode="lines", line_shape="hv", fill="tozeroy", line_color=color
        )
        figure.add_scatter(
            name=f"{name}, cumulative",
            x=levels,
            y=100 * np.cumsum(shares),
            mode="lines",
            line={"color": color, "dash": "dot", "width": 2},
            yaxis="y2",
        )
    if clip is not None:
        figure.add_hline(
            100 * clip,
            line={"color": theme().ink, "dash": "dash", "width": 1},
            annotation={"text": "clip limit of a tile", "font_color": theme().ink},
            annotation_position="top left",
        )
    figure.update_layout(
        title="Lightness",
        xaxis_title="lightness, 0 (black) to 255",
        yaxis={"title": "% of pixels", "rangemode": "tozero"},
        yaxis2={
            "title": "cumulative %",
            "overlaying": "y",
            "side": "right",
            "range": [0, 102],
            "showgrid": False,
            "dtick": 25,
        },
    )
    return figure


def learning_curves(
    history: Sequence[Mapping[str, Any]], batches: Sequence[Mapping[str, Any]], what: str, epochs: int
) -> go.Figure:
    """`what` (``loss`` or ``accuracy``) per batch and per epoch, as in figures 6 and 7 of the paper."""
    figure = go.Figure()
    scale = 100 if what == "accuracy" else 1
    if batches:
        x = np.array([b["epoch"] - 1 + b["batch"] / b["batches"] for b in batches])
        y = smoothed([np.nan if b[what] is None else scale * b[what] for b in batches])
        kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int))
        figure.add_scatter(name="batches, smoothed", x=x[kept], y=y[kept], mode="lines", line_width=1.5, opacity=0.55)
    ends = [h["epoch"] for h in history]
    for partition, dash in (("training", "solid"), ("validation", "dash")):
        values = [scaled(h[f"{partition}_{what}"], scale) for h in history]
        figure.add_scatter(name=partition, x=ends, y=values, mode="lines+markers", line={"dash": dash, "width": 3})
    best = [h for h in history if h["best"]]
    if best:
        last = best[-1]
        figure.add_scatter(
            name=f"kept: epoch {last['epoch']}",
            x=[last["epoch"]],
            y=[scaled(last[f"validation_{what}"], scale)],
            mode="markers",
            marker={"symbol": "star", "size": 15},
        )
    unit = "accuracy (%)" if what == "accuracy" else "loss (cross-entropy)"
    figure.update_layout(title=what.capitalize(), xaxis_title="epoch", yaxis_title=unit)
    figure.update_xaxes(range=[0, epochs + 0.2], dtick=max(1, round(epochs / 10)))
    if what == "accuracy":
        figure.update_yaxes(range=[0, 102])
    else:
        figure.update_yaxes(rangemode="tozero")
    return figure


def smoothed(values: Sequence[float], over: int = 10) -> np.ndarray:
    """Each value as the mean of itself and those shortly before it, weighted by how near they are."""
    return pd.Series(values, dtype=float).ewm(span=over).mean().to_numpy()


def overlaid(histories: Mapping[str, Sequence[Mapping[str, Any]]], what: str) -> go.Figure:
    """`what` on the validation images, epoch by epoch, a line for each run."""
    figure = go.Figure()
    scale = 100 if what == "accuracy" else 1
    for name, history in histories.items():
        values = [scaled(h[f"validation_{what}"], scale) for h in history]
        figure.add_scatter(name=name, x=[h["epoch"] for h in history], y=values, mode="lines+markers")
    unit = "accuracy (%)" if what == "accuracy" else "loss (cross-entropy)"
    figure.update_layout(title=f"Validation {what}", xaxis_title="epoch", yaxis_title=unit, showlegend=True)
    figure.update_yaxes(rangemode="tozero")
    return figure


def probe_trials(trials: Sequence[Mapping[str, float]], strength: float) -> go.Figure:
    """Accuracy of a probe by the strength of its penalty; the one that was taken is marked."""
    figure = go.Figure()
    x = [trial["strength"] for trial in trials]
    for partition, dash in (("training", "solid"), ("validation", "dash")):
        y = [100 * trial[f"{partition}_accuracy"] for trial in trials]
        figure.add_scatter(name=partition, x=x, y=y, mode="lines+markers", line={"dash": dash, "width": 3})
    figure.add_vline(strength, line={"color": theme().ink, "dash": "dot", "width": 1})
    figure.update_layout(title="Accuracy by how freely the last layer may learn", yaxis_title="accuracy (%)")
    figure.update_xaxes(
        type="log",
        dtick=1,
        exponentformat="power",
        title="C, the inverse of the penalty; dotted: the one that was kept",
    )
    figure.update_yaxes(range=[0, 102])
    return figure


def reliability(found: Mapping[str, Reliability]) -> go.Figure:
    """Accuracy of the images in each bin of confidence, for one or more ways; on the diagonal they agree."""
    figure = go.Figure()
    line = {"color": theme().ink, "dash": "dot", "width": 1}
    figure.add_scatter(name="as sure as right", x=[0, 100], y=[0, 100], mode="lines", line=line, hoverinfo="skip")
    for (name, way), dash in zip(found.items(), ("solid", "dash"), strict=False):
        full = way.n_images > 0
        figure.add_scatter(
            name=name,
            x=100 * way.confidence[full],
            y=100 * way.accuracy[full],
            customdata=way.n_images[full],
            hovertemplate="%{customdata} images: sure of %{x:.0f} %, right in %{y:.0f} %",
            mode="lines+markers",
            marker={"size": 6 + 14 * np.sqrt(way.n_images[full] / way.n_images.sum())},
            line={"dash": dash, "width": 2},
        )
    figure.update_layout(title="Is it as sure as it is right?")
    figure.update_xaxes(title="mean confidence (%)", range=[0, 103])
    figure.update_yaxes(title="images right (%)", range=[0, 103])
    return figure


def coverage(share: np.ndarray, accuracy: np.ndarray) -> go.Figure:
    """Accuracy on the surest images, by how many of them are kept."""
    figure = go.Figure(
        go.Scatter(
            x=100 * share,
            y=100 * accuracy,
            mode="lines",
            line={"width": 3},
            hovertemplate="the surest %{x:.0f} %: %{y:.1f} % right",
            name="",
        )
    )
    figure.update_layout(title="When the least sure go to a person")
    figure.update_xaxes(title="images left to the network, surest first (%)", range=[0, 103])
    figure.update_yaxes(title="of these right (%)", range=[min(50, 100 * accuracy.min() - 3), 103])
    return figure


def ranking(found: Mapping[str, Curves], kind: str) -> go.Figure:
    """The curves of each class against the rest, `kind` ``roc`` or ``precision-recall``, with their areas."""
    figure = go.Figure()
    for name, curves in found.items():
        if kind == "roc":
            x, y, area = curves.false_positive_rate, curves.true_positive_rate, curves.roc_area
        else:
            x, y, area = curves.recall, curves.precision, curves.average_precision
        figure.add_scatter(
            name=f"{name.replace('_', ' ')}, {area:.3f}",
            x=100 * x,
            y=100 * y,
            mode="lines",
            line={"width": 3, "shape": "linear" if kind == "roc" else "hv"},
            hovertemplate="%{x:.1f} %, %{y:.1f} %",
        )
    if kind == "roc":
        line = {"color": theme().ink, "dash": "dot", "width": 1}
        figure.add_scatter(name="guessing, 0.5", x=[0, 100], y=[0, 100], mode="lines", line=line, hoverinfo="skip")
    titles = {
        "roc": ("ROC curve, with its area", "others called this class (%)", "of this class found (%)"),
        "precision-recall": ("Precision and recall, with average precision", "recall (%)", "precision (%)"),
    }
    title, x_title, y_title = titles[kind]
    figure.update_layout(title=title)
    figure.update_xaxes(title=x_title, range=[-2, 103])
    figure.update_yaxes(title=y_title, range=[-2, 103])
    return figure


def scaled(value: float | None, scale: float) -> float | None:
    """A figure to be drawn; None, where it was no number, leaves a gap."""
    return None if value is None else scale * value


def curves(
    history: Sequence[Mapping[str, Any]], batches: Sequence[Mapping[str, Any]], epochs: int, *, key: str
) -> None:
    """Loss and accuracy side by side, over all `epochs` that were asked for."""
    place = st.grid(2, min_column_width=300)
    for what in ("loss", "accuracy"):
        with place.cell():
            alt = f"{what} per epoch, training and validation"
            show(learning_curves(history, batches, what, epochs), key=f"{key}-{what}", alt=alt, height=340)


def intervals(
    names: Sequence[str], values: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> go.Figure:
    """Shares in per cent with their intervals, a row each, the first on top."""
    figure = go.Figure(
        go.Scatter(
            x=[100 * value for value in values],
            y=[_wrapped(name) for name in names],
            mode="markers+text",
            text=[f"{100 * value:.1f} %" for value in values],
            textposition="top center",
            textfont={"size": 15},
            marker={"size": 13},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * (high - value) for value, high in zip(values, highs, strict=True)],
                "arrayminus": [100 * (value - low) for value, low in zip(values, lows, strict=True)],
                "thickness": 3,
                "width": 8,
            },
        )
    )
    figure.update_layout(xaxis={"title": "accuracy (%), with its 95 % interval", "fixedrange": True})
    figure.update_yaxes(fixedrange=True, range=[len(names) - 0.5, -0.7])
    return figure


def time_spent(phases: Mapping[str, Mapping[str, float]], names: Mapping[str, str]) -> go.Figure:
    """Seconds of each run, one bar a run, by phase; `names` by the same keys."""
    figure = go.Figure()
    for phase in next(iter(phases.values())):
        seconds = [spent[phase] for spent in phases.values()]
        figure.add_bar(
            name=phase,
            x=seconds,
            y=[names[run] for run in phases],
            orientation="h",
            hovertemplate=f"%{{x:.1f}} s<extra>{phase}</extra>",
        )
    figure.update_layout(barmode="stack", xaxis={"title": "seconds", "fixedrange": True})
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticklabelstandoff=6)
    return figure


def _wrapped(name: str) -> str:
    return "<br>".join(wrap(name, 28))


def measure_histogram(
    values: Mapping[str, np.ndarray], *, name: str, unit: str, limits: tuple[float, float] | None
) -> go.Figure:
    """Images by a measure, stacked by class; the chosen range is shaded. Drag across it to choose another."""
    finite = {label: v[np.isfinite(v)] for label, v in values.items()}
    together = np.concatenate(list(finite.values())) if finite else np.empty(0)
    edges = np.histogram_bin_edges(together, 40) if len(together) else np.array([0.0, 1.0])
    figure = go.Figure()
    for label, v in finite.items():
        figure.add_bar(
            name=label,
            x=(edges[:-1] + edges[1:]) / 2,
            y=np.histogram(v, edges)[0],
            width=np.diff(edges),
            hovertemplate=f"%{{x:.3g}} {unit}<br>%{{y}} images<extra>{label}</extra>",
        )
    if limits:
        figure.add_vrect(*limits, fillcolor=theme().accent, opacity=0.18, line_width=0)
    figure.update_layout(
        barmode="stack", bargap=0.02, dragmode="select", selectdirection="h", title="Drag across to filter"
    )
    figure.update_xaxes(title=f"{name.lower()} ({unit})")
    figure.update_yaxes(title="images")
    return figure


def image_map(
    points: np.ndarray, groups: Mapping[str, np.ndarray], texts: np.ndarray, shown: np.ndarray, lasso: Sequence
) -> go.Figure:
    """Images as dots, alike ones near each other; those that the filter leaves out are faint.

    `points` (N, 2), `groups` the rows of each class, `texts` (N,) for the pointer, `shown` (N,) bool.
    """
    figure = go.Figure()
    for label, rows in groups.items():
        figure.add_scattergl(
            name=label,
            mode="markers",
            x=points[rows, 0].astype(np.float32),
            y=points[rows, 1].astype(np.float32),
            text=texts[rows],
            marker={"size": 6, "opacity": np.where(shown[rows], 0.85, 0.12)},
            hovertemplate=f"%{{text}}<extra>{label}</extra>",
            unselected={"marker": {"opacity": 0.12}},
        )
    if lasso:
        path = "M" + "L".join(f"{x},{y}" for x, y in lasso) + "Z"
        figure.add_shape(type="path", path=path, line={"color": theme().accent, "width": 2})
    figure.update_layout(dragmode="lasso", title="Draw around dots to filter")
    # both axes in one measure: the projection's distances mean the same in each direction
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure
