"""Suspected label errors in a whole dataset, found in the out-of-sample predictions of a cross-validation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cfu_core.evaluation.label_errors import find_label_errors
from cfu_core.runs.run import Run


def suspected_label_errors(runs: Sequence[Run]) -> pd.DataFrame | None:
    """Find suspected label errors among all images of a cross-validation.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs of one cross-validation, each fold once (see `cfu_core.runs.repeats.families`); at least one run.

    Returns
    -------
    DataFrame or None
        One row per suspected label; no rows if there is none. Columns ``path``, ``label``, ``seems`` (the class that
        the predictions suggest), ``probability`` (of that class), ``probability_label`` (of the label) and ``run``
        (identifier of the run that was tested on the image). The row with the largest difference of the two
        probabilities is first. None if a fold is missing, because the thresholds of the classes are computed over all
        folds; also None if the first run is not part of a cross-validation.

    References
    ----------
    C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    J. Artificial Intelligence Research 70, pp. 1373-1411, 2021.
    """
    if len(runs) != runs[0].config.folds:
        return None
    tables = [table.assign(run=run.id) for run in runs if (table := run.predictions()) is not None]
    predictions = [tested for run in runs if (tested := run.probabilities("test"))]
    labels = np.concatenate([true for true, _ in predictions])
    probabilities = np.concatenate([each for _, each in predictions])
    seems = find_label_errors(labels, probabilities)
    rows = np.flatnonzero(seems >= 0)
    names = np.array(runs[0].classes, dtype=object)
    table = pd.concat(tables, ignore_index=True).iloc[rows]
    errors = pd.DataFrame(
        {
            "path": table["path"].to_numpy(),
            "label": names[labels[rows]],
            "seems": names[seems[rows]],
            "probability": probabilities[rows, seems[rows]],
            "probability_label": probabilities[rows, labels[rows]],
            "run": table["run"].to_numpy(),
        }
    )
    gap = errors["probability_label"] - errors["probability"]
    return errors.iloc[np.argsort(gap, kind="stable")].reset_index(drop=True)
