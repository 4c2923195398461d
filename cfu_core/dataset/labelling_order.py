"""Which image without a class to label next: the one that is about equally near to two classes on the map.

This is margin sampling (Settles 2009, "Active Learning Literature Survey", section 3.1) with distances on the map of
similar images in place of the probabilities of a classifier.
"""

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree


def labelling_order(labels: pd.Series, points: np.ndarray) -> np.ndarray:
    """Return a value for each image without a class, which is lowest for the one to label first.

    Parameters
    ----------
    labels : pandas.Series of str, length N
        Class of each image; ``""`` for none.
    points : ndarray of float, shape (N, 2)
        Coordinates on the map of similar images; NaN for an image that is not on it.

    Returns
    -------
    ndarray of float64, shape (N,)
        One minus the distance to the nearest image with a class, divided by the distance to the nearest image of
        another class: 0 if both are equally near, towards 1 if the image lies within one class. If images of one class
        only are labelled, minus the distance to the nearest of them, so that the most different image comes first. NaN
        for images with a class or without coordinates, and for all images if none has a class.
    """
    names = labels.to_numpy(str)
    mapped = np.isfinite(points).all(axis=1)
    wanted = np.flatnonzero(mapped & (names == ""))
    classes = sorted(set(names[mapped]) - {""})
    order = np.full(len(names), np.nan)
    if not classes or not len(wanted):
        return order
    distances = np.stack(
        [cKDTree(points[mapped & (names == name)]).query(points[wanted])[0] for name in classes], axis=1
    )
    if len(classes) == 1:
        order[wanted] = -distances[:, 0]
        return order
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
    order[wanted] = 1 - np.divide(nearest, second, out=np.ones_like(nearest), where=second > 0)
    return order
