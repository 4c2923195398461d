"""Summary metrics of one or many confusion matrices: metrics with one value for all classes.

Definitions are those of scikit-learn, except for a division by zero: the result is undefined (NaN or None) instead
of 0. In the macro and weighted means, an undefined precision, recall or F1 of a class counts as 0, as in scikit-learn.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class SummaryMetrics:
    """Summary metrics of a confusion matrix; None where a metric is undefined.

    Attributes
    ----------
    accuracy : float
        Fraction of correct predictions; equals micro-averaged precision, recall and F1.
    balanced_accuracy : float
        Mean recall of the classes that have images.
    precision_macro, recall_macro, f1_macro : float
        Unweighted means over all classes; an undefined value of a class counts as 0.
    precision_weighted, recall_weighted, f1_weighted : float
        Means over the classes, weighted by their number of images; an undefined value of a class counts as 0.
    kappa : float or None
        Cohen's kappa: agreement beyond that expected by chance from the class frequencies, at most 1 [1]_. None if
        all images belong to, and were predicted as, one class.
    matthews : float or None
        Matthews correlation coefficient for several classes, -1 to 1 [2]_. None if all images belong to one class, or
        were predicted as one class.

    References
    ----------
    .. [1] J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement 20,
       pp. 37-46, 1960.
    .. [2] J. Gorodkin, "Comparing Two K-Category Assignments by a K-Category Correlation Coefficient", Computational
       Biology and Chemistry 28, pp. 367-374, 2004.
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
        """Return the fields as plain JSON values."""
        return asdict(self)


def summarize(confusion: Sequence[Sequence[int]] | np.ndarray) -> SummaryMetrics:
    """Compute the summary metrics of one confusion matrix.

    Parameters
    ----------
    confusion : array_like of int, shape (C, C)
        Confusion matrix of at least one image: rows true, columns predicted.
    """
    values = summarize_many(np.asarray(confusion))
    return SummaryMetrics(**{name: None if np.isnan(value) else float(value) for name, value in values.items()})  # type: ignore[arg-type]


def summarize_many(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the summary metrics of many confusion matrices.

    Parameters
    ----------
    confusions : ndarray of int, shape (..., C, C)
        Confusion matrices: rows true, columns predicted.

    Returns
    -------
    dict of str to ndarray of float64, shape (...)
        Values by field of `SummaryMetrics`; NaN where a metric is undefined. A matrix without images has NaN in all
        metrics except the macro means, which are 0; NumPy then emits a RuntimeWarning.
    """
    counts = confusions.astype(np.float64)
    images = counts.sum((-2, -1))
    support, predicted = counts.sum(-1), counts.sum(-2)  # (..., C)
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    recall, precision = _ratio(correct, support), _ratio(correct, predicted)
    f1 = _ratio(2 * correct, support + predicted)
    values = {"accuracy": correct.sum(-1) / images, "balanced_accuracy": np.nanmean(recall, axis=-1)}
    for kind, weights in (("macro", np.ones_like(support)), ("weighted", support)):
        for name, each in (("precision", precision), ("recall", recall), ("f1", f1)):
            values[f"{name}_{kind}"] = (np.nan_to_num(each) * weights).sum(-1) / weights.sum(-1)
    by_chance = (support * predicted).sum(-1) / images**2
    values["kappa"] = _ratio(values["accuracy"] - by_chance, 1 - by_chance)
    spread = (images**2 - (support**2).sum(-1)) * (images**2 - (predicted**2).sum(-1))
    values["matthews"] = _ratio(correct.sum(-1) * images - (support * predicted).sum(-1), np.sqrt(spread))
    return values


def confusion_matrices(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Compute the confusion matrices of many sets of predictions.

    Parameters
    ----------
    true, predicted : ndarray of int, shape (..., N)
        Class indices of N images in each set, from 0 to `classes` - 1, which is not checked.
    classes : int
        Number of classes.

    Returns
    -------
    ndarray of int64, shape (..., classes, classes)
        Numbers of images: rows true, columns predicted.
    """
    shape = true.shape[:-1]
    sets = int(np.prod(shape))
    cells = (true * classes + predicted).reshape(sets, -1) + classes**2 * np.arange(sets)[:, None]
    return np.bincount(cells.ravel(), minlength=sets * classes**2).reshape(*shape, classes, classes)


def specificity(confusion: np.ndarray) -> np.ndarray:
    """Compute the specificity of each class: its true negative rate.

    Of the images that do not belong to the class, it is the fraction that was not predicted as the class.

    Parameters
    ----------
    confusion : ndarray of int, shape (C, C)
        Confusion matrix: rows true, columns predicted.

    Returns
    -------
    ndarray of float64, shape (C,)
        NaN for a class to which all images belong.
    """
    others = confusion.sum() - confusion.sum(1)
    return _ratio(others - (confusion.sum(0) - np.diagonal(confusion)), others)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; NaN where the denominator is 0."""
    return np.divide(
        numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=np.asarray(denominator) != 0
    )
