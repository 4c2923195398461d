"""Table of the predictions for each image, and the orders in which its rows can be sorted."""

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
        Paths of the N images, in the order of the rows of the arrays.
    true : ndarray of int, shape (N,)
        Indices of the true classes.
    probabilities : ndarray of float, shape (N, C)
        Predicted probabilities.
    classes : sequence of str
        Names of the classes, in the order of the columns of `probabilities`.

    Returns
    -------
    pandas.DataFrame
        Rows in the order of `paths`. Columns ``path``, ``true``, ``predicted`` (the most probable class; of several
        equally probable classes the first), ``probability`` of the predicted class, ``probability_true`` of the true
        class, ``margin`` (difference of the two highest probabilities; 1 if there is one class) and ``right`` (whether
        the prediction is correct).
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
    """Return a `prediction_table` sorted by one of `ORDERS`; rows of equal value are sorted by path, ascending.

    "Most sure first" sorts by the probability of the predicted class, descending; "Least sure first" by the margin,
    ascending; "By name" by path. The rows keep their index.

    Raises
    ------
    KeyError
        `order` is not one of `ORDERS`.
    """
    column, descending = ORDERS[order]
    return table.sort_values(["path"]).sort_values(column, ascending=not descending, kind="stable")
