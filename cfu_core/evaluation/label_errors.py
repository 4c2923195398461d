"""Images whose class is doubtful, found by what a network makes of them that has not learned from them.

Confident learning (Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
JAIR 70). The library of its authors has a licence that this project cannot take over.
"""

import numpy as np


def suspected(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class that each image seems to be of, where that is not its label.

    A class is credible for an image where its probability reaches the mean that it has among the images labelled as
    it. An image is suspected where the most probable of its credible classes is another than its label.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Places of the classes.
    probabilities : ndarray of float64, shape (N, C)
        From networks that have not learned from the image in question.

    Returns
    -------
    ndarray of int, shape (N,)
        The place of the class that it seems to be of; -1 where the label is not doubtful. A class without images is
        never credible.
    """
    classes = probabilities.shape[1]
    usual = np.array([probabilities[labels == c, c].mean() if (labels == c).any() else np.inf for c in range(classes)])
    credible = np.where(probabilities >= usual, probabilities, -1.0)
    seems = credible.argmax(axis=1)
    return np.where((credible.max(axis=1) >= 0) & (seems != labels), seems, -1)
