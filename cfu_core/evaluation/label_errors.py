"""Label errors, suspected from out-of-sample predictions by confident learning.

The library of the method's authors has a licence that is not compatible with this project.
"""

import numpy as np


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find images whose label is probably wrong.

    A class is credible for an image if its probability reaches the mean probability of the class among the images
    labelled as this class. The label of an image is suspected if the most probable of its credible classes is
    another class.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Class indices of the labels.
    probabilities : ndarray of float64, shape (N, C)
        Probabilities predicted by networks that were not trained on the image in question.

    Returns
    -------
    ndarray of int, shape (N,)
        Index of the suggested class; -1 where the label is not suspected. A class without images is never suggested.

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
