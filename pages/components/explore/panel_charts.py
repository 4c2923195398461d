"""Charts beside the grid: classes by partition, a measure, the map of similar images."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cfu_core.dataset.splitting import PARTITIONS
from pages.components.charts import SHORT, theme


def class_counts(counts: Mapping[str, Mapping[str, int]]) -> go.Figure:
    """Draw the images per class, stacked by partition, with the total above each bar."""
    figure = go.Figure()
    for partition in PARTITIONS:
        numbers = [parts[partition] for parts in counts.values()]
        figure.add_bar(
            name=SHORT[partition],
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
        text=[f"{total:,} in all" for total in totals],
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
    """Draw the images by a measure, stacked by class; the chosen range is shaded."""
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
    """Draw images as dots, similar ones near each other; those that the filter leaves out are faint.

    `points` (N, 2), `groups` the rows of each class, `texts` (N,) the paths, `shown` (N,) bool.
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
            hoverinfo="none",  # the picture at the pointer names the image
            unselected={"marker": {"opacity": 0.12}},
        )
    if lasso:
        path = "M" + "L".join(f"{x},{y}" for x, y in lasso) + "Z"
        figure.add_shape(type="path", path=path, line={"color": theme().accent, "width": 2})
    figure.update_layout(dragmode="lasso", title="Draw around dots to filter")
    # one scale for both axes: distances mean the same in each direction
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, scaleanchor="x")
    return figure
