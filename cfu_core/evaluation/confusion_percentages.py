"""Confusion matrices as percentages, and the difference of two confusion matrices."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

#: The class whose images are 100 %: the true class (rows) or the predicted class (columns).
Reference = Literal["true", "predicted"]


def confusion_percentages(confusion: Sequence[Sequence[int]], of: Reference = "true") -> np.ndarray:
    """Convert a confusion matrix to percentages.

    Parameters
    ----------
    confusion : sequence of sequence of int, shape (C, C)
        Number of images: rows true, columns predicted.
    of : {"true", "predicted"}
        Make each row (true class) or each column (predicted class) sum to 100.

    Returns
    -------
    ndarray of float64, shape (C, C)
        From 0 to 100; NaN in the row of a class without images, or in the column of a class that was never predicted.
    """
    counts = np.array(confusion)
    totals = counts.sum(axis=1 if of == "true" else 0, keepdims=True)
    return np.divide(100 * counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def confusion_difference(
    first: Sequence[Sequence[int]], second: Sequence[Sequence[int]], of: Reference | None = None
) -> np.ndarray:
    """Subtract a first confusion matrix from a second one.

    Parameters
    ----------
    first, second : sequence of sequence of int, shape (C, C)
        Number of images: rows true, columns predicted, for the same classes.
    of : {"true", "predicted"}, optional
        Subtract percentages of the true or of the predicted class, as of `confusion_percentages`; by default numbers
        of images.

    Returns
    -------
    ndarray of float64, shape (C, C)
        Second minus first, in images or in percentage points. Undefined percentages (`confusion_percentages`) count
        as 0.
    """
    if of is None:
        return np.array(second, float) - np.array(first)
    return np.nan_to_num(confusion_percentages(second, of)) - np.nan_to_num(confusion_percentages(first, of))
