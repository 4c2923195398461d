"""A chart of the lightness histograms before and after the contrast step."""

import numpy as np
import plotly.graph_objects as go

from pages.components.charts import theme


def lightness(before: np.ndarray, after: np.ndarray, clip: float | None) -> go.Figure:
    """Draw two lightness histograms with their cumulative curves.

    Parameters
    ----------
    before, after : ndarray of float, shape (256,)
        Fraction of the pixels at each lightness; the sum is 1.
    clip : float or None
        Fraction at which CLAHE clips the histogram of each tile.
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
