"""Charts of the Explore page: images per class and partition, histogram of a measure, map of similar images."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from cfu_core.dataset.audit.limits import Limit
from cfu_core.dataset.splitting import PARTITIONS
from pages.components.charts import PARTITION_NAMES, theme, wrapped


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


def limit_histogram(values: np.ndarray, limit: Limit) -> go.Figure:
    """Draw the histogram of the measure of a limit, with the limit as a line; values that are listed are in the accent.

    Parameters
    ----------
    values : ndarray of float
        Measured values, at least one. Those outside of the range of the slider are drawn at its ends.
    limit : Limit
        The limit, with the range of its slider.
    """
    facts = limit.facts
    values = np.clip(values, min(facts.lowest, values.min()), facts.highest)
    low, high = min(values.min(), limit.value), max(values.max(), limit.value)
    edges = np.linspace(low, high + (high - low or 1) * 1e-9, 41)
    counts = np.histogram(values, edges)[0]
    middles = (edges[:-1] + edges[1:]) / 2
    listed = middles > limit.value if facts.above else middles < limit.value
    figure = go.Figure(
        go.Bar(
            x=middles,
            y=counts,
            width=np.diff(edges),
            marker={"color": np.where(listed, theme().accent, theme().categories[1])},
            hovertemplate=f"%{{x:.3g}}{facts.unit}<br>images: %{{y}}<extra></extra>",
        )
    )
    figure.add_vline(limit.value, line={"color": theme().ink, "width": 2, "dash": "dot"})
    figure.update_layout(bargap=0.02, dragmode=False)
    figure.update_xaxes(title=f"{facts.measure.lower()}{f' ({facts.unit.strip()})' if facts.unit else ''}")
    figure.update_yaxes(title="images")
    return figure


def limit_bars(values: Mapping[str, float], limit: Limit) -> go.Figure:
    """Draw the value of each class as a horizontal bar, with the limit as a line."""
    figure = go.Figure()
    for listed, colour in ((False, theme().categories[1]), (True, theme().accent)):
        shown = {
            name: value
            for (name, value), is_listed in zip(values.items(), limit.exceeded, strict=True)
            if is_listed == listed
        }
        figure.add_bar(
            x=list(shown.values()),
            y=[wrapped(name) for name in shown],
            text=[f"{value:,.0f}" for value in shown.values()],
            orientation="h",
            marker={"color": colour},
            showlegend=False,
        )
    figure.add_vline(limit.value, line={"color": theme().ink, "width": 2, "dash": "dot"})
    figure.update_layout(dragmode=False, barmode="overlay")
    figure.update_xaxes(title=limit.facts.measure.lower(), rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=[wrapped(name) for name in reversed(list(values))])
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
