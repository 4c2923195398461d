"""A plot for print of the time of runs by phase."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from cfu_core.evaluation.paper_tables import DISPLAYED_PHASES
from cfu_core.evaluation.timing import seconds_by_phase
from cfu_core.reporting.plot_style import (
    COLOURS,
    SMALL,
    WIDTH,
    label_axes,
    new_figure,
    plain_text,
)

#: Colour of each phase of a run; "other" is the rest of the time.
PHASE_COLOURS = dict(
    zip((*DISPLAYED_PHASES, "other"), (*(COLOURS[i] for i in (4, 7, 5, 0, 2, 3)), "#b5b5b5"), strict=True)
)


def phase_times(seconds: Mapping[str, Mapping[str, float]]) -> Figure:
    """Plot the time of runs by phase as stacked bars.

    Parameters
    ----------
    seconds : mapping of str to mapping of str to float
        For each run, by its name, the seconds by phase and their ``total``, from ``timing.json``. The first run is at
        the top; at least one is needed.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text of an A4 page. Phases are those of `PHASE_COLOURS`; phases that took no time in any run are
        left out.
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
