"""Which images train, which validate and which test: stratified, group-safe, by seed.

Without groups the counts are those of Table 2 of Zamani et al. (2023): per class ``round(0.7 n)`` images train, the
rest is halved, and the odd image of a class goes in turn to validation and to test. Images of one group (a dish,
a donor) and byte-identical images are never parted; then the counts come as near to these as can be. How near is
a small integer programme, solved by HiGHS through SciPy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cfu_core.dataset.catalog import Dataset, dataset_folder
from cfu_core.errors import DatasetError, TrainingError
from cfu_core.storage import read_json, write_json

PARTITIONS = ("training", "validation", "test")
TRAINING_SHARE = 0.7
MINIMUM_IMAGES = 3  # of a class: one for each partition
_MISSING = 20.0  # a class absent from a partition counts as ten misplaced images, each off in two partitions


@dataclass(frozen=True, kw_only=True)
class Split:
    """A partition for every image of a dataset.

    Parameters
    ----------
    seed : int
    assignment : Mapping of str to str
        Partition by path.
    counts, targets : Mapping of str to Mapping of str to int
        Images per class and partition: as they are, and as they would be if every image stood alone.
    grouped : bool
        Whether images were held together by groups.
    """

    seed: int
    assignment: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    targets: Mapping[str, Mapping[str, int]]
    grouped: bool

    @property
    def misplaced(self) -> int:
        """Images that groups or duplicates keep from where the exact shares would have them."""
        return sum(abs(self.counts[c][p] - self.targets[c][p]) for c in self.counts for p in PARTITIONS) // 2

    @property
    def nearness(self) -> str:
        """How near the counts are to exact 70/15/15 shares, in a sentence."""
        kept = "Images of one group stay together. " if self.grouped else ""
        if self.misplaced == 0:
            return f"{kept}The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."
        total = sum(sum(parts.values()) for parts in self.counts.values())
        units = "groups" if self.grouped else "identical images"
        return (
            f"{kept}The counts are as near to 70 / 15 / 15 per class as was found without parting {units}: "
            f"{self.misplaced} of {total} images lie in another partition than exact shares would put them."
        )


def exact_counts(totals: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Images per class and partition when every image stands alone.

    Parameters
    ----------
    totals : Mapping of str to int
        Images per class; the order decides where odd images go.

    Returns
    -------
    dict
        ``{class: {"training": n, "validation": n, "test": n}}``. A class of three or more images has at least
        one in each partition.
    """
    counts = {}
    odd_goes_to_validation = True
    for name, total in totals.items():
        training = round(TRAINING_SHARE * total)
        if total >= MINIMUM_IMAGES:
            training = min(training, total - 2)
        rest = total - training
        validation = rest // 2
        if rest % 2:
            validation += odd_goes_to_validation
            odd_goes_to_validation = not odd_goes_to_validation
        counts[name] = {"training": training, "validation": validation, "test": rest - validation}
    return counts


def make_split(images: pd.DataFrame, *, seed: int = 0) -> Split:
    """Assign every image to a partition.

    Parameters
    ----------
    images : DataFrame
        With the columns ``path``, ``label``, ``group`` (empty where unknown) and ``digest``.
    seed : int
        0 or more. The same seed gives the same split.

    Returns
    -------
    Split

    Raises
    ------
    DatasetError
        There is no image, or the seed is negative.
    """
    if images.empty:
        raise DatasetError("The dataset holds no images.", "A split needs some.", "Import images first.")
    if seed < 0:
        raise DatasetError(f"The split seed is {seed}.", "It must be a whole number from 0.")
    classes = sorted(images["label"].unique())
    targets = exact_counts({name: int((images["label"] == name).sum()) for name in classes})
    wanted = np.array([[targets[name][p] for p in PARTITIONS] for name in classes])
    unit_of_image = _units(images)
    label_index = pd.Categorical(images["label"], categories=classes).codes
    vectors = np.zeros((unit_of_image.max() + 1, len(classes)), int)
    np.add.at(vectors, (unit_of_image, label_index), 1)

    rng = np.random.default_rng(seed)
    kinds, kind_of_unit = np.unique(vectors, axis=0, return_inverse=True)
    shares = _distribute(kinds, np.bincount(kind_of_unit), wanted, rng)
    partition_of_unit = np.empty(len(vectors), int)
    for kind, numbers in enumerate(shares):
        units = rng.permutation(np.flatnonzero(kind_of_unit == kind))
        partition_of_unit[units] = np.repeat(np.arange(3), numbers)

    partition = partition_of_unit[unit_of_image]
    table = np.zeros_like(wanted)
    np.add.at(table, (label_index, partition), 1)
    return Split(
        seed=seed,
        assignment={path: PARTITIONS[p] for path, p in zip(images["path"], partition, strict=True)},
        counts={
            name: dict(zip(PARTITIONS, map(int, row), strict=True)) for name, row in zip(classes, table, strict=True)
        },
        targets=targets,
        grouped=bool((images["group"] != "").any()),
    )


def split_of(dataset: Dataset, *, seed: int = 0) -> Split:
    """The split of an imported dataset, made at first and kept with it from then on."""
    path = dataset_folder(dataset.id) / "splits" / f"seed-{seed}.json"
    try:
        return Split(**read_json(path))
    except FileNotFoundError:
        split = make_split(dataset.images, seed=seed)
        write_json(
            path,
            {
                "seed": seed,
                "assignment": split.assignment,
                "counts": split.counts,
                "targets": split.targets,
                "grouped": split.grouped,
            },
        )
        return split


def check_trainable(counts: Mapping[str, int]) -> None:
    """Refuse a dataset on which a classifier cannot be trained and tested.

    Parameters
    ----------
    counts : Mapping of str to int
        Images per class.

    Raises
    ------
    TrainingError
        There are fewer than two classes, or a class has fewer than three images; names it.
    """
    if len(counts) < 2:
        raise TrainingError(
            f"The dataset has {len(counts)} class{'' if len(counts) == 1 else 'es'}"
            + (f" ({', '.join(counts)})." if counts else "."),
            "Training needs at least two.",
            "Put the images of each class into a folder of its own and import again.",
        )
    small = [f"{name} has {n}" for name, n in counts.items() if n < MINIMUM_IMAGES]
    if small:
        raise TrainingError(
            f"Too few images in a class: {', '.join(small)}.",
            f"Training needs at least {MINIMUM_IMAGES} of each class: one to train, one to validate, one to test.",
            "Add images to it, or leave this class out.",
        )


def check_split(split: Split) -> None:
    """Refuse a split that leaves a class without training images, or nothing to validate or test on.

    Raises
    ------
    TrainingError
        Names the class or the partition.
    """
    untrained = [name for name, parts in split.counts.items() if parts["training"] == 0]
    if untrained:
        raise TrainingError(
            f"No training images for: {', '.join(untrained)}, because all of its images belong together.",
            "Images of one group and identical images are never parted, so a class needs images of several groups.",
            "Add images of other groups, or try another split seed.",
        )
    for partition in PARTITIONS[1:]:
        if sum(parts[partition] for parts in split.counts.values()) == 0:
            raise TrainingError(
                f"The {partition} partition is empty.",
                "Images of one group and identical images are never parted, so at least three groups are needed.",
                "Add images of other groups, or try another split seed.",
            )


def _units(images: pd.DataFrame) -> np.ndarray:
    """The number of the unit of each image: images that share a group or a digest, directly or in a chain."""
    rows = np.arange(len(images))
    by_digest = pd.factorize(images["digest"])[0]
    alone = pd.Series(rows, index=images.index).astype(str)
    keys = ("group " + images["group"]).where(images["group"] != "", "image " + alone)
    by_group = pd.factorize(keys)[0] + by_digest.max() + 1
    size = int(by_group.max()) + 1
    links = coo_array((np.ones(len(rows)), (by_digest, by_group)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return pd.factorize(component[by_digest])[0]


def _distribute(kinds: np.ndarray, numbers: np.ndarray, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How many units of each kind go to each partition, (K, 3), with the class counts as near as can be.

    `kinds` (K, C) holds images per class of one unit, `numbers` (K,) how many such units there are, `wanted` (C, 3).
    Unknowns: y (K, 3) units, d (C, 3) deviations, m (C, 3) whether a class is missing.
    """
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
