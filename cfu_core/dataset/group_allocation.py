"""Images that must not be parted: how many units of them go to each partition, or to each fold."""

import warnings

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cfu_core.errors import DatasetError

_MISSING = 20.0  # a class absent from a partition counts as ten misplaced images, each off in two partitions


def units_of(images: pd.DataFrame) -> np.ndarray:
    """The unit of each image: images that share a group or a digest, directly or in a chain.

    Parameters
    ----------
    images : DataFrame
        With the columns ``group`` (empty where unknown) and ``digest``; not empty.

    Returns
    -------
    ndarray of int64, shape (N,)
        Numbers from 0, in the order in which the units appear.
    """
    rows = np.arange(len(images))
    by_digest = pd.factorize(images["digest"])[0]
    alone = pd.Series(rows, index=images.index).astype(str)
    keys = ("group " + images["group"]).where(images["group"] != "", "image " + alone)
    by_group = pd.factorize(keys)[0] + by_digest.max() + 1
    size = int(by_group.max()) + 1
    links = coo_array((np.ones(len(rows)), (by_digest, by_group)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return pd.factorize(component[by_digest])[0]


def folds_of(labels: np.ndarray, units: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """Part images into folds of alike classes; images of one unit stay together.

    Parameters
    ----------
    labels, units : ndarray of int, shape (N,)
        The class of each image, and its unit from `units_of`.
    count : int
        How many folds.
    seed : int
        The same seed gives the same folds.

    Returns
    -------
    ndarray of int64, shape (N,)
        Numbers from 0.

    Raises
    ------
    DatasetError
        There are fewer units, or fewer images of every class, than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(int(np.unique(units).size), int(np.bincount(labels).max()))
    if fewest < count:
        raise DatasetError(
            f"The images cannot be parted into {count} folds.",
            f"There are {len(labels)} images in {np.unique(units).size} units (groups, or images that stand alone).",
            f"Choose at most {fewest} folds.",
        )
    folds = np.zeros(len(labels), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # some folds then lack that class
        parts = list(StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(labels, labels, units))
    for number, (_, tested) in enumerate(parts):
        folds[tested] = number
    return folds


def distribute(kinds: np.ndarray, numbers: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How many units of each kind go to each partition, so that the class counts are as near as was found.

    Parameters
    ----------
    kinds : ndarray of int, shape (K, C)
        Images per class of one unit of each kind.
    numbers : ndarray of int, shape (K,)
        How many units of each kind there are.
    wanted : ndarray of int, shape (C, 3)
        Images per class and partition.
    rng : Generator
        Picks one of several equally near solutions.

    Returns
    -------
    ndarray of int, shape (K, 3)

    Raises
    ------
    DatasetError
        The solver found nothing.
    """
    # unknowns: y (K, 3) units, d (C, 3) deviations, m (C, 3) whether a class is missing
    # equally near solutions abound; the order in which the solver meets the kinds, set by the seed, picks one
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
        raise DatasetError("No split was found.", "", f"The solver said: {solution.message}")
    shares = np.empty((n_kinds, 3), int)
    shares[order] = np.rint(solution.x[:n_y]).reshape(n_kinds, 3)
    return shares
