"""Allocate units of images that must stay together to the partitions of a split, or to folds."""

import warnings

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cfu_core.errors import DatasetError
from cfu_core.wording import plural

_MISSING = 20.0  # cost of a class absent from a partition: that of ten misplaced images, each counted twice


def split_units(images: pd.DataFrame) -> np.ndarray:
    """Return the unit of each image. Images that share a group or a digest, directly or transitively, are one unit.

    Parameters
    ----------
    images : pandas.DataFrame
        Table with the columns ``group`` (empty where unknown) and ``digest``; not empty.

    Returns
    -------
    ndarray of int64, shape (N,)
        Index of the unit of each row, from 0, in the order of first appearance. An image that has neither a group nor a
        byte-identical copy is a unit of its own.
    """
    rows = np.arange(len(images))
    by_digest = pd.factorize(images["digest"])[0]
    numbers = pd.Series(rows, index=images.index).astype(str)
    keys = ("group " + images["group"]).where(images["group"] != "", "image " + numbers)
    by_group = pd.factorize(keys)[0] + by_digest.max() + 1
    size = int(by_group.max()) + 1
    links = coo_array((np.ones(len(rows)), (by_digest, by_group)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return pd.factorize(component[by_digest])[0]


def stratified_folds(labels: np.ndarray, units: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """Assign images to stratified folds with scikit-learn's ``StratifiedGroupKFold``; images of one unit stay together.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Class index of each image.
    units : ndarray of int, shape (N,)
        Unit of each image from `split_units`.
    count : int
        Number of folds, 2 or more.
    seed : int
        Seed of the folds, 0 to 2**32 - 1; the same seed gives the same folds.

    Returns
    -------
    ndarray of int64, shape (N,)
        Index of the fold of each image, from 0. A class of fewer units than folds is absent from some folds.

    Raises
    ------
    DatasetError
        If there are fewer units than folds, or the largest class has fewer images than there are folds.
    ValueError
        If there is no image, or the number of folds or the seed is out of range.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(int(np.unique(units).size), int(np.bincount(labels).max()))
    if fewest < count:
        raise DatasetError(
            f"The images cannot be divided into {count} folds.",
            f"There are {plural(len(labels), 'image')} in {plural(np.unique(units).size, 'unit')} (groups, or single "
            "images).",
            f"Choose at most {plural(fewest, 'fold')}.",
        )
    folds = np.zeros(len(labels), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # some folds then lack this class
        parts = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(labels, labels, units))
    for number, (_, tested) in enumerate(parts):
        folds[tested] = number
    return folds


def allocate_units(kinds: np.ndarray, numbers: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Allocate units of images to the partitions, so that the class counts are close to the wanted ones.

    A mixed-integer linear programme, solved with HiGHS through `scipy.optimize.milp`, minimises the sum of the absolute
    deviations of the class counts, plus 20 for each class that is absent from a partition in which it should have
    images. Units with the same number of images of each class are of one kind.

    Parameters
    ----------
    kinds : ndarray of int, shape (K, C)
        Number of images per class in one unit of each kind.
    numbers : ndarray of int, shape (K,)
        Number of units of each kind.
    wanted : ndarray of int, shape (C, 3)
        Wanted number of images per class and partition; partitions in the order of
        `cfu_core.dataset.splitting.PARTITIONS`.
    rng : numpy.random.Generator
        Selects one of several equally good solutions.

    Returns
    -------
    ndarray of int, shape (K, 3)
        Number of units of each kind in each partition. The search stops after 2,000 nodes of branch and bound, so the
        best solution may be missed.

    Raises
    ------
    DatasetError
        If the solver finds no solution within the node limit. Another seed may give one.
    """
    # unknowns: y (K, 3) units, d (C, 3) deviations, m (C, 3) whether a class is missing
    # there are many equally good solutions; the order of the kinds, set by the seed, selects one
    order = rng.permutation(len(kinds))
    kinds, numbers = kinds[order], numbers[order]
    n_kinds, n_classes = kinds.shape
    n_y, n_d = n_kinds * 3, n_classes * 3
    eye = np.eye(3)
    placed = np.kron(kinds.T, eye)  # (C*3, K*3): images per class and partition
    none = np.zeros((n_d, n_d))
    goal = wanted.ravel()
    constraints = [
        LinearConstraint(
            np.hstack([np.kron(np.eye(n_kinds), np.ones(3)), np.zeros((n_kinds, 2 * n_d))]), numbers, numbers
        ),
        LinearConstraint(np.hstack([placed, -np.eye(n_d), none]), -np.inf, goal),
        LinearConstraint(np.hstack([placed, np.eye(n_d), none]), goal, np.inf),
        LinearConstraint(np.hstack([placed, none, np.eye(n_d)]), np.minimum(goal, 1), np.inf),
    ]
    solution = milp(
        np.concatenate([np.zeros(n_y), np.ones(n_d), np.full(n_d, _MISSING)]),
        constraints=constraints,
        integrality=np.concatenate([np.ones(n_y), np.zeros(2 * n_d)]),
        bounds=Bounds(0, np.inf),
        options={"node_limit": 2000},
    )
    if solution.x is None:
        raise DatasetError(
            "No split was found.", f"The solver reported: {solution.message}", "Choose another split seed."
        )
    shares = np.empty((n_kinds, 3), int)
    shares[order] = np.rint(solution.x[:n_y]).reshape(n_kinds, 3)
    return shares
