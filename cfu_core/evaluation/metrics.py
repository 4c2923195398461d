"""From predictions to figures: confusion matrix, accuracy, precision by each of its names, and every class.

Definitions are scikit-learn's. Rows of a confusion matrix are true classes, columns are predicted ones.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """One class, one against the rest; None where a figure is undefined (nothing was divided by zero).

    `precision` is undefined for a class that was never predicted, `recall` for one that has no images, `f1` where
    either is.
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
    """How well predictions fit the truth.

    Parameters
    ----------
    classes : list of str
    confusion : list of list of int, shape (C, C)
        Rows true, columns predicted, both in the order of `classes`.
    accuracy : float
        Share of correct predictions.
    precision_macro : float
        Mean of the classes' precision; a class that was never predicted counts as 0, as in scikit-learn.
    precision_micro : float
        Correct predictions over all predictions; with one label an image this equals the accuracy.
    per_class : list of ClassResult
    """

    classes: list[str]
    confusion: list[list[int]]
    accuracy: float
    precision_macro: float
    precision_micro: float
    per_class: list[ClassResult]

    @property
    def correct(self) -> int:
        """Images whose class was predicted."""
        return sum(c.correct for c in self.per_class)

    @property
    def n_images(self) -> int:
        """Images that were predicted."""
        return sum(c.support for c in self.per_class)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Evaluation":
        """The evaluation that `to_dict` described."""
        return cls(**{**value, "per_class": [ClassResult(**c) for c in value["per_class"]]})


def evaluate(true: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> Evaluation:
    """Compare predictions with the truth.

    Parameters
    ----------
    true, predicted : sequence of str
        A class for each image, in the same order.
    classes : sequence of str
        All classes, also those that do not occur.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        The sequences are empty, or of different length.
    """
    # late: pages read stored evaluations and need not wait a second for scikit-learn
    from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

    if len(true) != len(predicted) or not len(true):
        raise ValueError(f"{len(true)} true and {len(predicted)} predicted classes")
    labels = list(classes)
    matrix = confusion_matrix(true, predicted, labels=labels)
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=labels, zero_division=np.nan
    )
    columns = matrix.sum(axis=0)
    return Evaluation(
        classes=labels,
        confusion=matrix.tolist(),
        accuracy=float(accuracy_score(true, predicted)),
        precision_macro=_precision(true, predicted, labels, "macro"),
        precision_micro=_precision(true, predicted, labels, "micro"),
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


def _precision(true: Sequence[str], predicted: Sequence[str], labels: list[str], average: str) -> float:
    from sklearn.metrics import precision_score

    return float(precision_score(true, predicted, labels=labels, average=average, zero_division=0))


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
