"""Images whose class is doubtful, over all folds of a cross-validation: each was tested by a network new to it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfu_core.evaluation.label_errors import find_label_errors
from cfu_core.runs.run import Run


def doubted(runs: Sequence[Run]) -> pd.DataFrame | None:
    """Suspected label errors among all images of a cross-validation.

    Parameters
    ----------
    runs : sequence of Run
        Finished, of one family of folds (`cfu_core.runs.repeats.families`).

    Returns
    -------
    DataFrame or None
        ``path``, ``label``, ``seems`` (the class that it seems to be of), the network's ``probability`` of that and
        ``probability_label`` of the label, ``run``; the widest gap first. None where a fold is missing, since what is
        usual for a class is judged over all of them.
    """
    if len(runs) != runs[0].config.folds:
        return None
    tables = [table.assign(run=run.id) for run in runs if (table := run.predictions()) is not None]
    found = [tested for run in runs if (tested := run.probabilities("test"))]
    labels = np.concatenate([true for true, _ in found])
    probabilities = np.concatenate([each for _, each in found])
    seems = find_label_errors(labels, probabilities)
    rows = np.flatnonzero(seems >= 0)
    names = np.array(runs[0].classes, dtype=object)
    table = pd.concat(tables, ignore_index=True).iloc[rows]
    doubts = pd.DataFrame(
        {
            "path": table["path"].to_numpy(),
            "label": names[labels[rows]],
            "seems": names[seems[rows]],
            "probability": probabilities[rows, seems[rows]],
            "probability_label": probabilities[rows, labels[rows]],
            "run": table["run"].to_numpy(),
        }
    )
    gap = doubts["probability_label"] - doubts["probability"]
    return doubts.iloc[np.argsort(gap, kind="stable")].reset_index(drop=True)
