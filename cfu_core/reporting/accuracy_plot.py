"""A plot for print of accuracies with their intervals, beside the published values."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.reporting.plot_style import (
    COLOURS,
    SMALL,
    WIDTH,
    label_axes,
    new_figure,
    percent_axes,
    plain_text,
)


def accuracies(evaluations: Mapping[str, Evaluation], published: Mapping[str, float | None] | None = None) -> Figure:
    """Plot the accuracy of each run with its 95 % Wilson interval.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
        Evaluation by the name of the run, the first at the top.
    published : mapping of str to (float or None), optional
        Published accuracy (0 to 1) by the name of the run. Runs for which it is None or missing have no mark.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text of an A4 page, with a height that grows with the number of runs.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
    Statistical Association 22, pp. 209-212, 1927.
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
