"""The predictions of a run one by one: which cell of the confusion matrix each lies in, and how sure it was."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: How images may be sorted, by what a person calls it: the column, and whether its highest value comes first.
ORDERS = {
    "Most sure first": ("probability", True),
    "Least sure first": ("margin", False),
    "By name": ("path", False),
}


def judged(paths: Sequence[str], true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """What the network made of each image.

    Parameters
    ----------
    paths : sequence of str
    true : ndarray of int, shape (N,)
        Places in `classes`.
    probabilities : ndarray of float, shape (N, C)
    classes : sequence of str

    Returns
    -------
    DataFrame
        In the order given: ``path``, ``true``, ``predicted`` (the most probable class, the first of equals),
        ``probability`` of the predicted and ``probability_true`` of the true class, ``margin`` between the two most
        probable classes (0: it could not decide), ``right``.
    """
    names = np.array(classes, dtype=object)
    called = probabilities.argmax(axis=1)
    ranked = np.sort(probabilities, axis=1)
    rows = np.arange(len(true))
    return pd.DataFrame(
        {
            "path": list(paths),
            "true": names[true],
            "predicted": names[called],
            "probability": probabilities[rows, called],
            "probability_true": probabilities[rows, true],
            "margin": ranked[:, -1] - ranked[:, -2] if len(classes) > 1 else 1.0,
            "right": called == true,
        }
    )


def in_order(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """Rows of `judged` sorted by one of `ORDERS`; equal ones by their names."""
    column, descending = ORDERS[order]
    return table.sort_values(["path"]).sort_values(column, ascending=not descending, kind="stable")
