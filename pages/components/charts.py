"""Figures that pages share, drawn by Plotly in the theme's colours."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import plotly.graph_objects as go
import streamlit as st
from plotly.colors import find_intermediate_color, hex_to_rgb, label_rgb

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


def scaled(value: float | None, scale: float) -> float | None:
    """A figure to be drawn; None, where it was no number, leaves a gap."""
    return None if value is None else scale * value


def intervals(
    names: Sequence[str], values: Sequence[float], lows: Sequence[float], highs: Sequence[float]
) -> go.Figure:
    """Shares in per cent with their intervals, a row each, the first on top."""
    figure = go.Figure(
        go.Scatter(
            x=[100 * value for value in values],
            y=[wrapped(name) for name in names],
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


def wrapped(name: str) -> str:
    return "<br>".join(wrap(name, 28))
