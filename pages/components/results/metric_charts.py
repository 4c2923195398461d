"""Charts of metrics: calibration, coverage, ROC and precision-recall curves, time."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from cfu_core.evaluation.calibration import Reliability
from cfu_core.evaluation.roc import ClassCurves
from pages.components.charts import theme


def reliability(found: Mapping[str, Reliability]) -> go.Figure:
    """Draw reliability diagrams by label; a perfectly calibrated network is on the diagonal."""
    figure = go.Figure()
    line = {"color": theme().ink, "dash": "dot", "width": 1}
    figure.add_scatter(name="perfectly calibrated", x=[0, 100], y=[0, 100], mode="lines", line=line, hoverinfo="skip")
    for (name, diagram), dash in zip(found.items(), ("solid", "dash"), strict=False):
        filled = diagram.n_images > 0
        figure.add_scatter(
            name=name,
            x=100 * diagram.confidence[filled],
            y=100 * diagram.accuracy[filled],
            customdata=diagram.n_images[filled],
            hovertemplate="images: %{customdata}, mean confidence %{x:.0f} %, accuracy %{y:.0f} %",
            mode="lines+markers",
            marker={"size": 6 + 14 * np.sqrt(diagram.n_images[filled] / diagram.n_images.sum())},
            line={"dash": dash, "width": 2},
        )
    figure.update_layout(title="Calibration")
    figure.update_xaxes(title="mean confidence (%)", range=[0, 103])
    figure.update_yaxes(title="accuracy (%)", range=[0, 103])
    return figure


def coverage(share: np.ndarray, accuracy: np.ndarray) -> go.Figure:
    """Draw the accuracy on the images of highest confidence, by the fraction of images that the network classifies."""
    figure = go.Figure(
        go.Scatter(
            x=100 * share,
            y=100 * accuracy,
            mode="lines",
            line={"width": 3},
            hovertemplate="%{x:.0f} % of the images: accuracy %{y:.1f} %",
            name="",
        )
    )
    figure.update_layout(title="Accuracy if a person checks the least certain")
    figure.update_xaxes(title="images that the network classifies (%)", range=[0, 103])
    figure.update_yaxes(title="accuracy on these (%)", range=[min(50, 100 * accuracy.min() - 3), 103])
    return figure


def ranking(found: Mapping[str, ClassCurves], kind: str) -> go.Figure:
    """Draw the one-vs-rest curves of each class, `kind` ``roc`` or ``precision-recall``, with their areas."""
    figure = go.Figure()
    for name, curves in found.items():
        if kind == "roc":
            x, y, area = curves.false_positive_rate, curves.true_positive_rate, curves.roc_area
        else:
            x, y, area = curves.recall, curves.precision, curves.average_precision
        figure.add_scatter(
            name=f"{name}, {area:.3f}",
            x=100 * x,
            y=100 * y,
            mode="lines",
            line={"width": 3, "shape": "linear" if kind == "roc" else "hv"},
            hovertemplate="%{x:.1f} %, %{y:.1f} %",
        )
    if kind == "roc":
        line = {"color": theme().ink, "dash": "dot", "width": 1}
        figure.add_scatter(name="random, 0.5", x=[0, 100], y=[0, 100], mode="lines", line=line, hoverinfo="skip")
    titles = {
        "roc": ("ROC curve, with area under the curve", "false positive rate (%)", "true positive rate (%)"),
        "precision-recall": ("Precision-recall curve, with average precision", "recall (%)", "precision (%)"),
    }
    title, x_title, y_title = titles[kind]
    figure.update_layout(title=title)
    figure.update_xaxes(title=x_title, range=[-2, 103])
    figure.update_yaxes(title=y_title, range=[-2, 103])
    return figure


def time_spent(phases: Mapping[str, Mapping[str, float]], names: Mapping[str, str]) -> go.Figure:
    """Draw the seconds of each run by phase as stacked bars; `names` has the same keys as `phases`."""
    figure = go.Figure()
    for phase in next(iter(phases.values())):
        seconds = [spent[phase] for spent in phases.values()]
        figure.add_bar(
            name=phase.capitalize(),
            x=seconds,
            y=[names[run] for run in phases],
            orientation="h",
            hovertemplate=f"%{{x:.1f}} s<extra>{phase.capitalize()}</extra>",
        )
    figure.update_layout(barmode="stack", xaxis={"title": "seconds", "fixedrange": True})
    figure.update_yaxes(autorange="reversed", fixedrange=True, ticklabelstandoff=6)
    return figure
