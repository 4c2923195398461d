"""Figures of what a network's probabilities are worth, for print: ranking, calibration, coverage."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from cfu_core.evaluation.calibration import Reliability
from cfu_core.evaluation.roc import ClassCurves
from cfu_core.reporting.plot_style import (
    COLOURS,
    FAINT,
    HALF,
    INK,
    SMALL,
    label,
    legend,
    per_cent,
    plain,
    sheet,
    strokes,
)

SQUARE = (HALF, 3.2)


def roc(curves: Mapping[str, ClassCurves | None]) -> Figure:
    """The ROC curve of each class against the rest, with its area.

    Parameters
    ----------
    curves : mapping of str to ClassCurves or None
        By class, in the order of the classes; None where undefined, which is said in the legend.
    """
    figure, (axes,) = sheet(*SQUARE)
    axes.plot([0, 100], [0, 100], ":", color=FAINT, linewidth=1, label="guessing, 0.500")
    for name, stroke in strokes(list(curves)).items():
        found = curves[name]
        rates = (found.false_positive_rate, found.true_positive_rate) if found else (np.empty(0), np.empty(0))
        said = f"{found.roc_area:.3f}" if found else "undefined"
        axes.plot(
            *(100 * rate for rate in rates),
            stroke.dash,
            color=stroke.colour,
            linewidth=1.5,
            label=f"{plain(name, 24)}, {said}",
        )
    label(axes, title="ROC, with the area under it", x="others called this class (%)", y="of this class found (%)")
    per_cent(axes, x=True, y=True)
    legend(axes, "lower right")
    return figure


def precision_recall(curves: Mapping[str, ClassCurves | None]) -> Figure:
    """The precision-recall curve of each class against the rest, with its average precision; parameters as of `roc`."""
    figure, (axes,) = sheet(*SQUARE)
    for name, stroke in strokes(list(curves)).items():
        found = curves[name]
        points = (found.recall, found.precision) if found else (np.empty(0), np.empty(0))
        said = f"{found.average_precision:.3f}" if found else "undefined"
        axes.step(
            *(100 * value for value in points),
            stroke.dash,
            where="post",
            color=stroke.colour,
            linewidth=1.5,
            label=f"{plain(name, 24)}, {said}",
        )
    label(axes, title="Precision and recall, average precision", x="recall (%)", y="precision (%)")
    per_cent(axes, x=True, y=True)
    legend(axes, "lower left")
    return figure


def reliability_diagram(ways: Mapping[str, Reliability]) -> Figure:
    """Accuracy of the images in each bin of confidence; on the diagonal they agree. Larger dots: more images.

    Parameters
    ----------
    ways : mapping of str to Reliability
        By name: as the network is, and after temperature scaling.
    """
    figure, (axes,) = sheet(*SQUARE)
    axes.plot([0, 100], [0, 100], ":", color=FAINT, linewidth=1, label="as sure as right")
    for (name, way), colour, dash in zip(ways.items(), COLOURS, ("-", "--"), strict=False):
        full = way.n_images > 0
        x, y = 100 * way.confidence[full], 100 * way.accuracy[full]
        axes.plot(x, y, dash, color=colour, linewidth=1.3, label=f"{plain(name)}, error {way.expected_error:.3f}")
        axes.scatter(x, y, s=8 + 70 * way.n_images[full] / way.n_images.sum(), color=colour, zorder=3)
    label(axes, title="As sure as it is right?", x="mean confidence (%)", y="images right (%)")
    per_cent(axes, x=True, y=True)
    figure.legend(fontsize=SMALL, frameon=False, loc="outside lower center")
    return figure


def coverage_curve(share: np.ndarray, accuracy: np.ndarray) -> Figure:
    """Draw `cfu_core.evaluation.calibration.accuracy_by_coverage`."""
    figure, (axes,) = sheet(*SQUARE)
    axes.plot(100 * share, 100 * accuracy, color=COLOURS[0], linewidth=1.6)
    axes.plot(100 * share[-1], 100 * accuracy[-1], "o", color=INK, markersize=4, clip_on=False)
    axes.annotate(
        f"all: {100 * accuracy[-1]:.1f} %",
        (100 * share[-1], 100 * accuracy[-1]),
        (-4, -12),
        textcoords="offset points",
        ha="right",
        fontsize=SMALL,
    )
    label(axes, title="When the least sure go to a person", x="images left to the network (%)", y="of these right (%)")
    per_cent(axes, x=True)
    per_cent(axes, y=True, low=max(0, min(50, 10 * np.floor(10 * accuracy.min() - 0.5))))
    axes.grid(color="#e9e9e9", linewidth=0.6)
    return figure
