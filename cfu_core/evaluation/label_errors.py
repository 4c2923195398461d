"""Suspected label errors, found in out-of-sample predictions by confident learning.

The method is implemented here because the library of its authors has a licence that is not compatible with this
project.
"""

import numpy as np


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find images whose label is probably wrong.

    Each class has a threshold: its mean probability over the images that are labelled as this class. A class is
    credible for an image if its probability reaches the threshold. The label of an image is suspected if the most
    probable credible class differs from the label.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Class indices of the labels.
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities; those of an image must come from a network that was not trained on this image.

    Returns
    -------
    ndarray of int, shape (N,)
        Index of the suggested class; -1 where the label is not suspected, also if no class is credible. A class that
        is no image's label is never suggested.

    References
    ----------
    C. G. Northcutt, L. Jiang and I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    Journal of Artificial Intelligence Research 70, pp. 1373-1411, 2021.
    """
    classes = probabilities.shape[1]
    thresholds = np.array(
        [probabilities[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(classes)]
    )
    credible = np.where(probabilities >= thresholds, probabilities, -1.0)
    suggested = credible.argmax(axis=1)
    return np.where((credible.max(axis=1) >= 0) & (suggested != labels), suggested, -1)
