"""Each class against the rest at every threshold: ROC and precision-recall curves with their areas."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Curves:
    """One class against the rest.

    Parameters
    ----------
    false_positive_rate, true_positive_rate : ndarray of float64
        The ROC curve, from (0, 0) to (1, 1).
    recall, precision : ndarray of float64
        The precision-recall curve, by falling recall.
    roc_area : float
    average_precision : float
        The area under the precision-recall curve as steps, not as straight lines, which would flatter.
    share : float
        Of the images that are of this class: the precision of guessing.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    roc_area: float
    average_precision: float
    share: float


def curves(true: np.ndarray, probabilities: np.ndarray, place: int) -> Curves | None:
    """The curves of one class; None where no image, or every image, is of it.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
        Places of the true classes.
    probabilities : ndarray of float64, shape (N, C)
    place : int
        Of the class, from 0.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    positive, scores = true == place, probabilities[:, place]
    if positive.all() or not positive.any():
        return None
    false_rate, true_rate, _ = roc_curve(positive, scores)
    precision, recall, _ = precision_recall_curve(positive, scores)
    return Curves(
        false_positive_rate=false_rate,
        true_positive_rate=true_rate,
        recall=recall,
        precision=precision,
        roc_area=float(roc_auc_score(positive, scores)),
        average_precision=float(average_precision_score(positive, scores)),
        share=float(positive.mean()),
    )
