"""ROC and precision-recall curves of one class against the rest."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class ClassCurves:
    """ROC and precision-recall curves of one class against the rest.

    Attributes
    ----------
    false_positive_rate, true_positive_rate : ndarray of float64, shape (K,)
        Points of the ROC curve, from (0, 0) to (1, 1). Some points on a straight line between two others are omitted.
    recall, precision : ndarray of float64, shape (L,)
        Points of the precision-recall curve, by descending recall; the last point is recall 0 with precision 1.
    roc_area : float
        Area under the ROC curve.
    average_precision : float
        Area under the precision-recall curve as a step function; linear interpolation would be too optimistic.
    share : float
        Fraction of the images that belong to this class, which is the precision of a random classifier.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    roc_area: float
    average_precision: float
    share: float


def class_curves(true: np.ndarray, probabilities: np.ndarray, class_index: int) -> ClassCurves | None:
    """Compute the ROC and precision-recall curves of one class against the rest, with scikit-learn.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
        Indices of the true classes.
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities.
    class_index : int
        Index of the class. Its probability is the score whose threshold is varied.

    Returns
    -------
    ClassCurves or None
        None if no image, or every image, belongs to this class.

    Raises
    ------
    ValueError
        A probability of this class is NaN. Not raised where the result is None.

    References
    ----------
    .. [1] T. Fawcett, "An Introduction to ROC Analysis", Pattern Recognition Letters 27, pp. 861-874, 2006.
    .. [2] J. Davis and M. Goadrich, "The Relationship Between Precision-Recall and ROC Curves", Proc. ICML,
       pp. 233-240, 2006.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    positive, scores = true == class_index, probabilities[:, class_index]
    if positive.all() or not positive.any():
        return None
    false_rate, true_rate, _ = roc_curve(positive, scores)
    precision, recall, _ = precision_recall_curve(positive, scores)
    return ClassCurves(
        false_positive_rate=false_rate,
        true_positive_rate=true_rate,
        recall=recall,
        precision=precision,
        roc_area=float(roc_auc_score(positive, scores)),
        average_precision=float(average_precision_score(positive, scores)),
        share=float(positive.mean()),
    )
