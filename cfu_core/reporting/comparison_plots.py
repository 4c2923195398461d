"""Plots for print that compare runs: confusion matrices, accuracies, times; and the learning curves of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from cfu_core.evaluation.confusion_percentages import confusion_percentages
from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import DISPLAYED_PHASES
from cfu_core.evaluation.timing import seconds_by_phase
from cfu_core.reporting.plot_style import (
    COLOURS,
    INK,
    NORMAL,
    SMALL,
    WIDTH,
    add_legend,
    label_axes,
    new_figure,
    percent_axes,
    plain_text,
)

SHADES = LinearSegmentedColormap.from_list("share", ["#ffffff", "#8fbcdb", "#0072B2", "#003f63"], bad="#e6e6e6")
#: Colour of each phase of a run; "other" is the rest of the time.
PHASE_COLOURS = dict(
    zip((*DISPLAYED_PHASES, "other"), (*(COLOURS[i] for i in (4, 7, 5, 0, 2, 3)), "#b5b5b5"), strict=True)
)
FEW_CLASSES = 12  # with more classes there is no room for percentages in the cells


def confusion_matrices(evaluations: Mapping[str, Evaluation]) -> Figure:
    """Plot confusion matrices on one colour scale, with the number of images and the percentage of the true class.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
        By the name of the run, in the order of the plots.
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


def accuracies(evaluations: Mapping[str, Evaluation], published: Mapping[str, float | None] | None = None) -> Figure:
    """Plot the accuracy of each run with its 95 % Wilson interval.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
        By the name of the run, the first at the top.
    published : mapping of str to float or None, optional
        Published accuracy by the same names.
    """
    figure, (axes,) = new_figure(WIDTH, 0.8 + 0.42 * len(evaluations))
    low = 100.0
    for row, (name, found) in enumerate(evaluations.items()):
        ends = [100 * end for end in wilson_interval(found.correct, found.n_images)]
        value = 100 * found.accuracy
        axes.plot(ends, [row, row], color=COLOURS[0], linewidth=2, solid_capstyle="butt")
        axes.plot(ends, [row, row], "|", color=COLOURS[0], markersize=8, markeredgewidth=2)
        axes.plot(value, row, "o", color=COLOURS[0], markersize=6)
        axes.annotate(f"{value:.1f}", (value, row), (0, 6), textcoords="offset points", ha="center", fontsize=SMALL)
        printed = (published or {}).get(name)
        if printed is not None:
            axes.plot(100 * printed, row, "D", color=COLOURS[1], markerfacecolor="white", markersize=6)
        low = min(low, ends[0], 100 * (1.0 if printed is None else printed))
    axes.set_yticks(range(len(evaluations)), [plain_text(name, 34) for name in evaluations])
    axes.set_ylim(len(evaluations) - 0.5, -0.7)
    percent_axes(axes, x=True, low=max(0, 10 * np.floor(low / 10)))
    axes.grid(axis="x", color="#e2e2e2", linewidth=0.6)
    axes.set_axisbelow(True)
    label_axes(axes, x="accuracy on the test images (%)")
    marks = [Line2D([], [], color=COLOURS[0], marker="o", markersize=6, linewidth=2, label="measured, 95 % interval")]
    if any(value is not None for value in (published or {}).values()):
        shape = {"marker": "D", "linestyle": "", "color": COLOURS[1], "markerfacecolor": "white"}
        marks.append(Line2D([], [], label="published, on other images", **shape))  # type: ignore[arg-type]
    figure.legend(handles=marks, fontsize=SMALL, frameon=False, loc="outside upper center", ncols=2)
    return figure


def phase_times(seconds: Mapping[str, Mapping[str, float]]) -> Figure:
    """Plot the time of runs by phase as stacked bars.

    Parameters
    ----------
    seconds : mapping of str to mapping of str to float
        Seconds by phase and their ``total``, from ``timing.json``, by the name of the run, the first at the top.
    """
    figure, (axes,) = new_figure(WIDTH, 1.0 + 0.36 * len(seconds))
    rows = np.arange(len(seconds))
    starts = np.zeros(len(seconds))
    spent = [seconds_by_phase(each) for each in seconds.values()]
    for part, colour in PHASE_COLOURS.items():
        lengths = np.array([each[part] for each in spent])
        if lengths.any():
            axes.barh(
                rows, lengths, left=starts, height=0.62, color=colour, label=part, edgecolor="white", linewidth=0.6
            )
        starts += lengths
    for row, end in enumerate(starts):
        axes.annotate(f" {end:,.1f} s", (end, row), va="center", fontsize=SMALL)
    axes.set_yticks(rows, [plain_text(name, 34) for name in seconds])
    axes.set_ylim(len(seconds) - 0.5, -0.5)
    axes.set_xlim(0, max(starts.max(), 1e-9) * 1.12)
    label_axes(axes, x="seconds")
    figure.legend(
        fontsize=SMALL, frameon=False, loc="outside upper center", ncols=len(PHASE_COLOURS), columnspacing=1.2
    )
    return figure


def learning_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot loss and accuracy by epoch on the training and validation images; a star marks the epoch that was kept.

    Parameters
    ----------
    history : sequence of mapping
        From `cfu_core.runs.run.Run.history`; at least one epoch.
    """
    figure, axes = new_figure(WIDTH, 2.5, columns=2)
    epochs = [epoch["epoch"] for epoch in history]
    kept = [place for place, epoch in enumerate(history) if epoch["best"]]
    for each, what, scale in zip(axes, ("loss", "accuracy"), (1, 100), strict=True):
        for partition, colour, dash in (("training", COLOURS[0], "-"), ("validation", COLOURS[1], "--")):
            values = [_number(epoch[f"{partition}_{what}"], scale) for epoch in history]
            mark = "o" if len(epochs) <= 40 else ""
            each.plot(epochs, values, dash, color=colour, marker=mark, markersize=3, linewidth=1.5, label=partition)
            if kept and partition == "validation":
                best = kept[-1]
                each.plot(epochs[best], values[best], "*", color=INK, markersize=9, label=f"kept: epoch {epochs[best]}")
        label_axes(each, title=what.capitalize(), x="epoch", y="cross-entropy" if what == "loss" else "accuracy (%)")
        each.xaxis.set_major_locator(MaxNLocator(integer=True))
        each.grid(color="#e9e9e9", linewidth=0.6)
        if what == "accuracy":
            percent_axes(each, y=True)
        else:
            each.set_ylim(bottom=0)
        add_legend(each)
    return figure


def _number(value: float | None, scale: float) -> float:
    return np.nan if value is None else scale * value
