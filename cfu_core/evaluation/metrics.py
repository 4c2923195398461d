"""Metrics of predictions: confusion matrix, accuracy, macro and micro precision, and metrics of each class.

Definitions are those of scikit-learn. In a confusion matrix, rows are true classes and columns are predicted classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """Metrics of one class against the rest; None where a metric is undefined because of a division by zero.

    Attributes
    ----------
    name : str
        Name of the class.
    support : int
        Number of images of this class.
    predicted : int
        Number of images predicted as this class.
    correct : int
        Number of images of this class predicted as this class.
    precision : float or None
        ``correct / predicted``; undefined for a class that was never predicted.
    recall : float or None
        ``correct / support``; undefined for a class without images.
    f1 : float or None
        Harmonic mean of precision and recall; undefined if one of the two is undefined.
    """

    name: str
    support: int
    predicted: int
    correct: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics of predictions.

    Attributes
    ----------
    classes : list of str
        Names of the classes.
    confusion : list of list of int, shape (C, C)
        Confusion matrix: rows true, columns predicted, both in the order of `classes`.
    accuracy : float
        Fraction of correct predictions.
    precision_macro : float
        Unweighted mean of the precision over classes; 0 for a class that was never predicted, as in scikit-learn.
    precision_micro : float
        Number of correct predictions over all predictions; equals the accuracy, because each image has one label.
    per_class : list of ClassResult
        Metrics of each class, in the order of `classes`.
    """

    classes: list[str]
    confusion: list[list[int]]
    accuracy: float
    precision_macro: float
    precision_micro: float
    per_class: list[ClassResult]

    @property
    def correct(self) -> int:
        """Number of correctly classified images."""
        return sum(c.correct for c in self.per_class)

    @property
    def n_images(self) -> int:
        """Number of images."""
        return sum(c.support for c in self.per_class)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; ``per_class`` is a list of dicts with the fields of `ClassResult`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Evaluation":
        """Rebuild an evaluation from the output of `to_dict`.

        Parameters
        ----------
        value : dict
            Fields by name. Its lists ``classes`` and ``confusion`` are used, not copied.

        Returns
        -------
        Evaluation
            Equal to the one from which `to_dict` was called.

        Raises
        ------
        KeyError
            ``per_class`` is missing.
        TypeError
            Another field is missing, or a key is unknown.
        """
        return cls(**{**value, "per_class": [ClassResult(**c) for c in value["per_class"]]})


def evaluate(true: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> Evaluation:
    """Compute the metrics of predictions.

    Parameters
    ----------
    true, predicted : sequence of str
        True and predicted class of each image.
    classes : sequence of str
        Names of all classes, each once, in the order of `Evaluation.confusion` and `Evaluation.per_class`. A class that
        does not occur in `true` or `predicted` is allowed; it counts as 0 in `Evaluation.precision_macro`.

    Raises
    ------
    ValueError
        `true` and `predicted` are empty or differ in length, or a class that occurs is not in `classes`.
    """
    # imported here because it takes a second, and pages only read saved evaluations
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    if len(true) != len(predicted) or not len(true):
        raise ValueError(f"{len(true)} true and {len(predicted)} predicted classes")
    labels = list(classes)
    if unknown := {*true, *predicted} - {*labels}:
        raise ValueError(f"{sorted(unknown)} are not among the classes {labels}")
    matrix = confusion_matrix(true, predicted, labels=labels)
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=labels, zero_division=np.nan
    )
    columns = matrix.sum(axis=0)
    return Evaluation(
        classes=labels,
        confusion=matrix.tolist(),
        accuracy=float(accuracy_score(true, predicted)),
        precision_macro=float(np.nan_to_num(precision).mean()),
        precision_micro=float(matrix.trace() / matrix.sum()),
        per_class=[
            ClassResult(
                name=name,
                support=int(support[i]),
                predicted=int(columns[i]),
                correct=int(matrix[i, i]),
                precision=_defined(precision[i]),
                recall=_defined(recall[i]),
                f1=_defined(f1[i]) if columns[i] and support[i] else None,
            )
            for i, name in enumerate(labels)
        ],
    )


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
