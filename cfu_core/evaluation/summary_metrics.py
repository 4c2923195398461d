"""Figures of a confusion matrix, of one or of many at once.

Definitions are scikit-learn's, but for this: what is divided by zero is undefined here, NaN or None, and never 0. Only
the means over classes count an undefined precision, recall or F1 of a class as 0, as scikit-learn does.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All classes in one number each; None where it is undefined.

    Parameters
    ----------
    accuracy : float
        Share of correct predictions; equals precision, recall and F1 by micro average.
    balanced_accuracy : float
        Mean recall of the classes that have images.
    precision_macro, recall_macro, f1_macro : float
        Means over the classes, each counting the same.
    precision_weighted, recall_weighted, f1_weighted : float
        Means over the classes, each by its images.
    kappa : float or None
        Cohen's (1960): agreement beyond what the frequencies of the classes alone would give.
    matthews : float or None
        Matthews' correlation, for several classes as by Gorodkin (2004).
    """

    accuracy: float
    balanced_accuracy: float
    precision_macro: float
    recall_macro: float
    f1_macro: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float
    kappa: float | None
    matthews: float | None

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def figures(confusion: Sequence[Sequence[int]] | np.ndarray) -> Figures:
    """All figures of one confusion matrix.

    Parameters
    ----------
    confusion : array of int, shape (C, C)
        Rows true, columns predicted; of one image at least.
    """
    values = figures_of(np.asarray(confusion))
    return Figures(**{name: None if np.isnan(value) else float(value) for name, value in values.items()})  # type: ignore[arg-type]


def figures_of(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """The figures of `Figures`, by name, of many confusion matrices.

    Parameters
    ----------
    confusions : ndarray of int, shape (..., C, C)

    Returns
    -------
    dict of str to ndarray of float64, shape (...)
        NaN where a figure is undefined.
    """
    counts = confusions.astype(np.float64)
    images = counts.sum((-2, -1))
    support, predicted = counts.sum(-1), counts.sum(-2)  # (..., C)
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    recall, precision = _divided(correct, support), _divided(correct, predicted)
    f1 = _divided(2 * correct, support + predicted)
    values = {"accuracy": correct.sum(-1) / images, "balanced_accuracy": np.nanmean(recall, axis=-1)}
    for kind, weights in (("macro", np.ones_like(support)), ("weighted", support)):
        for name, each in (("precision", precision), ("recall", recall), ("f1", f1)):
            values[f"{name}_{kind}"] = (np.nan_to_num(each) * weights).sum(-1) / weights.sum(-1)
    by_chance = (support * predicted).sum(-1) / images**2
    values["kappa"] = _divided(values["accuracy"] - by_chance, 1 - by_chance)
    spread = (images**2 - (support**2).sum(-1)) * (images**2 - (predicted**2).sum(-1))
    values["matthews"] = _divided(correct.sum(-1) * images - (support * predicted).sum(-1), np.sqrt(spread))
    return values


def confusions_of(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrices of many sets of predictions.

    Parameters
    ----------
    true, predicted : ndarray of int, shape (..., N)
        Places of the classes, from 0.
    classes : int

    Returns
    -------
    ndarray of int64, shape (..., classes, classes)
    """
    shape = true.shape[:-1]
    sets = int(np.prod(shape))
    cells = (true * classes + predicted).reshape(sets, -1) + classes**2 * np.arange(sets)[:, None]
    return np.bincount(cells.ravel(), minlength=sets * classes**2).reshape(*shape, classes, classes)


def specificity(confusion: np.ndarray) -> np.ndarray:
    """Of the images of all other classes, the share that was not called this class.

    Parameters
    ----------
    confusion : ndarray of int, shape (C, C)

    Returns
    -------
    ndarray of float64, shape (C,)
        NaN where all images are of this class.
    """
    others = confusion.sum() - confusion.sum(1)
    return _divided(others - (confusion.sum(0) - np.diagonal(confusion)), others)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """A ratio; NaN where it is divided by zero."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) != 0)
