"""Charts of the Explore page: images per class and partition, histogram of a measure, map of similar images."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cfu_core.dataset.splitting import PARTITIONS
from pages.components.charts import PARTITION_NAMES, theme


def class_counts(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Draw the number of images per class, stacked by partition, with the total above each bar."""
    figure = go.Figure()
    for partition in PARTITIONS:
        numbers = [parts[partition] for parts in counts.values()]
        figure.add_bar(
            name=PARTITION_NAMES[partition],
            x=list(counts),
            y=numbers,
            text=numbers,
            textangle=0,
            textposition="inside",
            insidetextanchor="middle",
        )
    totals = [sum(parts.values()) for parts in counts.values()]
    figure.add_scatter(
        x=list(counts),
        y=totals,
        text=[f"{total:,} in total" for total in totals],
        mode="text",
        textposition="top center",
        showlegend=False,
        hoverinfo="skip",
    )
    figure.update_layout(
        barmode="stack", uniformtext={"minsize": 10, "mode": "hide"}, title="Images per class", yaxis_title="images"
    )
    figure.update_yaxes(range=[0, 1.12 * max(totals, default=1)])
    return figure


def measure_histogram(
    values: Mapping[str, np.ndarray], *, name: str, unit: str, limits: tuple[float, float] | None
) -> go.Figure:
    """Draw the histogram of a measure, stacked by class; the selected range is shaded."""
    finite = {label: v[np.isfinite(v)] for label, v in values.items()}
    pooled = np.concatenate(list(finite.values())) if finite else np.empty(0)
    edges = np.histogram_bin_edges(pooled, 40) if len(pooled) else np.array([0.0, 1.0])
    figure = go.Figure()
    for label, v in finite.items():
        figure.add_bar(
            name=label,
            x=(edges[:-1] + edges[1:]) / 2,
            y=np.histogram(v, edges)[0],
            width=np.diff(edges),
            hovertemplate=f"%{{x:.3g}} {unit}<br>images: %{{y}}<extra>{label}</extra>",
        )
    if limits:
        figure.add_vrect(*limits, fillcolor=theme().accent, opacity=0.18, line_width=0)
    figure.update_layout(
        barmode="stack", bargap=0.02, dragmode="select", selectdirection="h", title="Drag over a range to filter"
    )
    figure.update_xaxes(title=f"{name.lower()} ({unit})")
    figure.update_yaxes(title="images")
    return figure


def image_map(
    points: np.ndarray, groups: Mapping[str, np.ndarray], texts: np.ndarray, shown: np.ndarray, lasso: Sequence
) -> go.Figure:
    """Draw the map of similar images; images that do not pass the filter are faint.

    Parameters
    ----------
    points : ndarray of float, shape (N, 2)
        Position of each image.
    groups : mapping of str to ndarray of int
        Rows of the images of each colour, by label.
    texts : ndarray of str, shape (N,)
        Path of each image.
    shown : ndarray of bool, shape (N,)
        Whether an image passes the filter.
    lasso : sequence of (float, float)
        Vertices of the outline that filters the images; empty if there is none.
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
            hoverinfo="none",  # the thumbnail at the pointer shows the name
            unselected={"marker": {"opacity": 0.12}},
        )
    if lasso:
        path = "M" + "L".join(f"{x},{y}" for x, y in lasso) + "Z"
        figure.add_shape(type="path", path=path, line={"color": theme().accent, "width": 2})
    figure.update_layout(dragmode="lasso", title="Draw around points to filter")
    # both axes have the same scale
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure
