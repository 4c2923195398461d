"""A plot for print of the learning curves of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cfu_core.reporting.plot_style import (
    COLOURS,
    INK,
    WIDTH,
    add_legend,
    label_axes,
    new_figure,
    percent_axes,
)


def learning_curves(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Plot loss and accuracy by epoch on the training and validation images; a star marks the epoch that was kept.

    Parameters
    ----------
    history : sequence of mapping
        From `cfu_core.runs.run.Run.history`; at least one epoch. Values that are None are gaps.

    Returns
    -------
    matplotlib.figure.Figure
        Loss on the left, accuracy in percent on the right. The star marks the last epoch that was the best so far.
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
