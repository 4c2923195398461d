"""Plots for print of predicted probabilities: ROC and precision-recall curves, calibration, coverage."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cfu_core.evaluation.calibration import Reliability
from cfu_core.evaluation.roc import ClassCurves
from cfu_core.reporting.plot_style import (
    COLOURS,
    FAINT,
    HALF,
    INK,
    SMALL,
    add_legend,
    label_axes,
    line_styles,
    new_figure,
    percent_axes,
    plain_text,
)

SQUARE = (HALF, 3.2)


def roc(curves: Mapping[str, ClassCurves | None]) -> Figure:
    """Plot the ROC curve of each class against the rest, with the area under it.

    Parameters
    ----------
    curves : mapping of str to ClassCurves or None
        Curves by class, in the order of the classes, from
        `cfu_core.evaluation.probability_metrics.curves_by_class`. A class with None has no line and is labelled
        "undefined" in the legend.

    Returns
    -------
    matplotlib.figure.Figure
        Half as wide as the text of an A4 page.
    """
    figure, (axes,) = new_figure(*SQUARE)
    axes.plot([0, 100], [0, 100], ":", color=FAINT, linewidth=1, label="random, 0.500")
    points = {name: (c.false_positive_rate, c.true_positive_rate, c.roc_area) for name, c in curves.items() if c}
    _class_lines(axes, list(curves), points, steps=False)
    title = "ROC curve, with its area"
    label_axes(axes, title=title, x="false positive rate (%)", y="true positive rate (%)")
    add_legend(axes, "lower right")
    return figure


def precision_recall(curves: Mapping[str, ClassCurves | None]) -> Figure:
    """Plot the precision-recall curve of each class against the rest, with its average precision.

    Parameters
    ----------
    curves : mapping of str to ClassCurves or None
        Curves by class, in the order of the classes, from
        `cfu_core.evaluation.probability_metrics.curves_by_class`. A class with None has no line and is labelled
        "undefined" in the legend.

    Returns
    -------
    matplotlib.figure.Figure
        Half as wide as the text of an A4 page. The curves are step functions, without linear interpolation.
    """
    figure, (axes,) = new_figure(*SQUARE)
    points = {name: (c.recall, c.precision, c.average_precision) for name, c in curves.items() if c}
    _class_lines(axes, list(curves), points, steps=True)
    label_axes(axes, title="Precision and recall, average precision", x="recall (%)", y="precision (%)")
    add_legend(axes, "lower left")
    return figure


def _class_lines(
    axes: Axes,
    classes: Sequence[str],
    points: Mapping[str, tuple[np.ndarray, np.ndarray, float]],
    *,
    steps: bool,
) -> None:
    """Draw the curve of each class (x and y from 0 to 1, and an area), and set the limits of the axes."""
    for name, style in line_styles(classes).items():
        x, y, area = points.get(name, (np.empty(0), np.empty(0), None))
        value = "undefined" if area is None else f"{area:.3f}"
        axes.plot(
            100 * x,
            100 * y,
            style.dash,
            drawstyle="steps-post" if steps else "default",
            color=style.colour,
            linewidth=1.5,
            label=f"{plain_text(name, 24)}, {value}",
        )
    percent_axes(axes, x=True, y=True)


def reliability_diagram(diagrams: Mapping[str, Reliability]) -> Figure:
    """Plot accuracy by confidence (reliability diagrams) with the expected calibration error.

    A perfectly calibrated network is on the diagonal. The area of a dot grows with the number of images of the bin;
    empty bins have none.

    Parameters
    ----------
    diagrams : mapping of str to Reliability
        One or two diagrams by label, from `cfu_core.evaluation.probability_metrics.Calibration.diagrams`; further ones
        are not drawn.

    Returns
    -------
    matplotlib.figure.Figure
        Half as wide as the text of an A4 page.
    """
    figure, (axes,) = new_figure(*SQUARE)
    axes.plot([0, 100], [0, 100], ":", color=FAINT, linewidth=1, label="perfectly calibrated")
    for (name, diagram), colour, dash in zip(diagrams.items(), COLOURS, ("-", "--"), strict=False):
        filled = diagram.n_images > 0
        x, y = 100 * diagram.confidence[filled], 100 * diagram.accuracy[filled]
        axes.plot(
            x, y, dash, color=colour, linewidth=1.3, label=f"{plain_text(name)}, error {diagram.expected_error:.3f}"
        )
        axes.scatter(x, y, s=8 + 70 * diagram.n_images[filled] / diagram.n_images.sum(), color=colour, zorder=3)
    label_axes(axes, title="Calibration", x="mean confidence (%)", y="accuracy (%)")
    percent_axes(axes, x=True, y=True)
    figure.legend(fontsize=SMALL, frameon=False, loc="outside lower center")
    return figure


def coverage_curve(coverage: np.ndarray, accuracy: np.ndarray) -> Figure:
    """Plot the accuracy on the images of highest confidence by their fraction of all images.

    It shows the accuracy of a network if a person classifies the images of lowest confidence.

    Parameters
    ----------
    coverage, accuracy : ndarray of float64, shape (N,)
        Fractions from 0 to 1, at least one, in ascending order of `coverage`, from
        `cfu_core.evaluation.calibration.accuracy_by_coverage`.

    Returns
    -------
    matplotlib.figure.Figure
        Half as wide as the text of an A4 page. A dot marks the accuracy on all images.
    """
    figure, (axes,) = new_figure(*SQUARE)
    axes.plot(100 * coverage, 100 * accuracy, color=COLOURS[0], linewidth=1.6)
    axes.plot(100 * coverage[-1], 100 * accuracy[-1], "o", color=INK, markersize=4, clip_on=False)
    axes.annotate(
        f"all: {100 * accuracy[-1]:.1f} %",
        (100 * coverage[-1], 100 * accuracy[-1]),
        (-4, -12),
        textcoords="offset points",
        ha="right",
        fontsize=SMALL,
    )
    title = "Accuracy if a person checks\nthe least certain"
    label_axes(axes, title=title, x="images that the network classifies (%)", y="accuracy on these (%)")
    percent_axes(axes, x=True)
    percent_axes(axes, y=True, low=max(0, min(50, 10 * np.floor(10 * accuracy.min() - 0.5))))
    axes.grid(color="#e9e9e9", linewidth=0.6)
    return figure
