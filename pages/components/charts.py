"""Charts that pages share, drawn by Plotly in the theme's colours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

import plotly.graph_objects as go
import streamlit as st
from plotly.colors import hex_to_rgb, unlabel_rgb

MARGIN = {"l": 8, "r": 8, "t": 36, "b": 84}  # pixels; the legend is in the bottom margin
PARTITION_NAMES = {"training": "Training", "validation": "Validation", "test": "Test"}
LABEL_LENGTH = 28  # characters per line of a label at an axis
MAX_POINTS = 600  # per curve; more cannot be distinguished
Scale = list[list[Any]]  # colour scale of Plotly: lists of a position, 0 to 1, and a colour
PARTITION_BADGES = {"training": "Train", "validation": "Val", "test": "Test"}  # short, for tiles


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
    """Show a chart at the full width of its container.

    Parameters
    ----------
    figure : Figure
        Its colours and fonts are set here.
    key : str
    alt : str
        Text for screen readers.
    height : int
        In pixels.
    margin : mapping, optional
        In pixels, as in Plotly; by default it leaves room for the title and the legend.
    on_select : callable, optional
        Called when something is selected in the chart.
    **selection
        Arguments of `st.plotly_chart` for the selection.
    """
    colors = theme()
    # the grey of Streamlit's theme for axes and legends has too little contrast
    text = {"color": colors.ink}
    legend = {
        "orientation": "h",
        "yref": "container",
        "y": 0,
        "yanchor": "bottom",
        "traceorder": "normal",
        "font": text,
    }
    if margin is None:
        named = sum(getattr(trace, "showlegend", True) is not False for trace in figure.data) > 1
        margin = MARGIN | ({} if named else {"b": 8}) | ({} if figure.layout.title.text else {"t": 8})
    figure.update_layout(
        template="streamlit", colorway=colors.categories, height=height, legend=legend, font=text, margin=margin
    )
    figure.update_xaxes(tickfont=text, title_font=text)
    figure.update_yaxes(tickfont=text, title_font=text)
    for place, trace in enumerate(figure.data):
        if trace.type == "bar" and trace.text is not None:
            colour = trace.marker.color or colors.categories[place % len(colors.categories)]
            trace.update(insidetextfont={"color": text_colour_on(colour)}, outsidetextfont=text)
    st.plotly_chart(
        figure,
        key=key,
        alt=alt,
        config={"displaylogo": False, "displayModeBar": False},
        on_select=on_select or "ignore",
        **selection,
    )


class Theme(NamedTuple):
    """Colours of the current theme, from ``.streamlit/config.toml``."""

    accent: str
    background: str
    ink: str
    categories: list[str]


def theme() -> Theme:
    """Return the colours of the theme that the browser shows, light or dark."""
    kind = "dark" if st.context.theme.type == "dark" else "light"
    names = ("primaryColor", "secondaryBackgroundColor", "textColor", "chartCategoricalColors")
    accent, background, ink, categories = (st.get_option(f"theme.{kind}.{name}") for name in names)
    return Theme(accent, background, ink, categories)


def colour_scale() -> Scale:
    """Return the colour scale of a heat map, from the background to the accent of the theme."""
    return [[0, theme().background], [1, theme().accent]]


def text_colour_on(colour: str) -> str:
    """Return black or white, whichever has the higher contrast on a colour: always 4.5 : 1 or better.

    Parameters
    ----------
    colour : str
        ``#rrggbb`` or ``rgb(r, g, b)``.

    References
    ----------
    W3C, Web Content Accessibility Guidelines 2.2, "relative luminance" and "contrast ratio".
    """
    channels = unlabel_rgb(colour) if colour.startswith("rgb") else hex_to_rgb(colour)
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in channels)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance + 0.05 > 0.05 * 1.05 / (luminance + 0.05) else "#ffffff"


def class_bars(counts: Mapping[str, int]) -> go.Figure:
    """Draw the number of images per class as horizontal bars."""
    figure = go.Figure(
        go.Bar(
            x=list(counts.values()),
            y=list(counts),
            text=[f"{number:,}" for number in counts.values()],
            orientation="h",
        )
    )
    figure.update_layout(
        xaxis={"visible": False, "fixedrange": True}, yaxis={"autorange": "reversed", "fixedrange": True}
    )
    return figure


def scaled(value: float | None, scale: float) -> float | None:
    """Return `value` times `scale`, or None if the value is undefined; Plotly draws a gap there."""
    return None if value is None else scale * value


def intervals(
    names: Sequence[str],
    values: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    published: Sequence[float | None] = (),
) -> go.Figure:
    """Draw fractions as percentages with their intervals, one row each, the first on top.

    Published values are diamonds; None if there is none.
    """
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
    if any(value is not None for value in published):
        figure.data[0].name = "measured, with 95 % interval"
        figure.add_scatter(
            name="published, on the paper's images",
            x=[scaled(value, 100) for value in published],
            y=[wrapped(name) for name in names],
            mode="markers",
            marker={"symbol": "diamond-open", "size": 12, "line": {"width": 2}},
        )
    figure.update_layout(xaxis={"title": "accuracy (%), with 95 % interval", "fixedrange": True})
    figure.update_yaxes(fixedrange=True, range=[len(names) - 0.5, -0.7])
    return figure


def wrapped(name: str, length: int = LABEL_LENGTH) -> str:
    """Return a name broken into lines at spaces and after underscores."""
    marked = name.replace("_", "_\x00 ")
    return "<br>".join(line.replace("\x00 ", "").replace("\x00", "") for line in wrap(marked, length))


def label_height(names: Iterable[str]) -> int:
    """Return the height in pixels of the label with the most lines at an axis."""
    return 16 * max((wrapped(name).count("<br>") + 1 for name in names), default=1)
