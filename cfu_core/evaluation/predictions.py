"""Predictions of single images as a table, and orders in which to show them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: Orders by name: the column to sort by, and whether its highest value comes first.
ORDERS = {
    "Most sure first": ("probability", True),
    "Least sure first": ("margin", False),
    "By name": ("path", False),
}


def prediction_table(
    paths: Sequence[str], true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Make a table of the predictions, one row per image.

    Parameters
    ----------
    paths : sequence of str
        Paths of the images.
    true : ndarray of int, shape (N,)
        Indices of the true classes.
    probabilities : ndarray of float, shape (N, C)
        Predicted probabilities.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    pandas.DataFrame
        ``path``, ``true``, ``predicted`` (the most probable class; of equally probable ones the first),
        ``probability`` of the predicted class, ``probability_true`` of the true class, ``margin`` (difference of the
        two highest probabilities; 1 if there is one class) and ``right``.
    """
    names = np.array(classes, dtype=object)
    predicted = probabilities.argmax(axis=1)
    ranked = np.sort(probabilities, axis=1)
    rows = np.arange(len(true))
    return pd.DataFrame(
        {
            "path": list(paths),
            "true": names[true],
            "predicted": names[predicted],
            "probability": probabilities[rows, predicted],
            "probability_true": probabilities[rows, true],
            "margin": ranked[:, -1] - ranked[:, -2] if len(classes) > 1 else 1.0,
            "right": predicted == true,
        }
    )


def sort_predictions(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """Sort the rows of a `prediction_table` by one of `ORDERS`; rows of equal value are sorted by path."""
    column, descending = ORDERS[order]
    return table.sort_values(["path"]).sort_values(column, ascending=not descending, kind="stable")
