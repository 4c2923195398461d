"""Plots of confusion matrices for print, of one run or of several side by side."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from cfu_core.evaluation.confusion_percentages import confusion_percentages
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.reporting.plot_style import (
    INK,
    NORMAL,
    SMALL,
    WIDTH,
    label_axes,
    new_figure,
    plain_text,
)

SHADES = LinearSegmentedColormap.from_list("share", ["#ffffff", "#8fbcdb", "#0072B2", "#003f63"], bad="#e6e6e6")
FEW_CLASSES = 12  # with more classes there is no room for percentages in the cells


def confusion_matrices(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Plot confusion matrices on one colour scale; each cell has the number of images and its percentage of the row.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
        Evaluation by the name of the run, in the order of the plots; at least one.

    Returns
    -------
    matplotlib.figure.Figure
        One matrix per run, in up to three columns: rows true, columns predicted. With more than `FEW_CLASSES` classes
        the cells have no percentages. The row of a class without images is grey.
    """
    classes = max(len(each.classes) for each in evaluations.values())
    columns = min(len(evaluations), 3 if classes <= 3 else 2 if classes <= 6 else 1)
    rows = -(-len(evaluations) // columns)
    side = {1: max(3.6, min(WIDTH, 0.62 * classes + 1.4)), 2: WIDTH / 2, 3: WIDTH / 3}[columns]
    figure, axes = new_figure(side * columns + (0.7 if columns == 1 else 0), (side + 0.35) * rows, rows, columns)
    for place, (each, (name, evaluation)) in enumerate(zip(axes, evaluations.items(), strict=False)):
        _matrix(each, evaluation, width=12 if columns > 1 else 18)
        label_axes(
            each,
            title=plain_text(name, round(side * 9)),
            x="predicted class",
            y="true class" if place % columns == 0 else "",
        )
        each.title.set_fontsize(NORMAL if columns == 1 else SMALL + 0.5)
    for each in axes[len(evaluations) :]:
        each.remove()
    shown = axes[: len(evaluations)]
    bar = figure.colorbar(shown[0].collections[0], ax=shown, shrink=0.6 if rows > 1 else 0.8, aspect=30, pad=0.02)
    bar.set_label("% of the true class", fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL, length=2)
    bar.outline.set_visible(False)
    return figure


def _matrix(axes: Axes, evaluation: Evaluation, width: int) -> None:
    counts = np.array(evaluation.confusion)
    percentages = np.ma.masked_invalid(confusion_percentages(evaluation.confusion))
    edges = np.arange(len(counts) + 1) - 0.5
    axes.pcolormesh(edges, edges, percentages, cmap=SHADES, vmin=0, vmax=100, edgecolor="white", linewidth=1.5)
    axes.set_aspect("equal")
    axes.set_ylim(len(counts) - 0.5, -0.5)
    size = max(4.0, 12.5 - 0.75 * len(counts))
    for (row, column), percentage in np.ndenumerate(percentages.filled(np.nan)):
        colour = "white" if percentage > 45 else INK
        few = len(counts) <= FEW_CLASSES
        axes.text(
            column,
            row - 0.1 * few,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=size,
            color=colour,
            fontweight="bold" if row == column else "normal",
        )
        if few:
            text = "–" if np.isnan(percentage) else f"{percentage:.0f}%"
            axes.text(column, row + 0.3, text, ha="center", va="center", fontsize=max(4.5, 0.62 * size), color=colour)
    names = [plain_text(name, width) for name in evaluation.classes]
    crowded = len(counts) > 3 or max(len(line) for name in names for line in name.split("\n")) > 9
    axes.set_xticks(
        range(len(names)),
        names,
        rotation=40 if crowded else 0,
        ha="right" if crowded else "center",
        rotation_mode="anchor" if crowded else None,
    )
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, labelsize=max(5.0, SMALL - 0.12 * len(names)))
    for spine in axes.spines.values():
        spine.set_visible(False)
