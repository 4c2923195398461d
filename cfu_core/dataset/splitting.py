"""Which images train, which validate and which test: stratified, group-safe, by seed.

Without groups the counts are those of Table 2 of Zamani et al. (2023): per class ``round(0.7 n)`` images train, the
rest is halved, and the odd image of a class goes in turn to validation and to test. Images of one group (a dish,
a donor) and byte-identical images are never parted; then the counts come as near to these as can be. How near is
a small integer programme, solved by HiGHS through SciPy.

Edits of a dataset do not reshuffle its splits: a split is made of the images and labels as imported, with the groups
that count now. Excluded images then leave it, relabelled ones stay where they are, and what was put by hand goes there.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cfu_core.dataset.catalog import dataset_folder
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.group_allocation import distribute, folds_of, units_of
from cfu_core.errors import DatasetError, TrainingError
from cfu_core.storage import read_json, write_json

PARTITIONS = ("training", "validation", "test")
TRAINING_SHARE = 0.7
MINIMUM_IMAGES = 3  # of a class: one for each partition


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
    version : int
        Of the dataset: how many edits it had.
    moved : int
        Images that were put into their partition by hand.
    parted : int
        Groups, and sets of identical images, that lie in several partitions because of that.
    folds, fold : int
        Of a cross-validation: in how many folds, and which one, from 0, is tested; 0 folds where there is none.
    """

    seed: int
    assignment: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    targets: Mapping[str, Mapping[str, int]]
    grouped: bool
    version: int = 0
    moved: int = 0
    parted: int = 0
    folds: int = 0
    fold: int = 0

    @property
    def misplaced(self) -> int:
        """Images that lie in another partition than the exact shares would have them."""
        return sum(abs(self.counts[c][p] - self.targets[c][p]) for c in self.counts for p in PARTITIONS) // 2

    @property
    def nearness(self) -> str:
        """How near the counts are to exact 70/15/15 shares, in a sentence."""
        hands = f"{_many(self.moved, 'image')} put there by hand. " if self.moved else ""
        if self.parted:
            hands += f"That parted {_many(self.parted, 'group')} of images that belong together. "
        kept = "Images of one group stay together. " if self.grouped and not self.parted else ""
        if self.folds:
            return (
                f"{hands}{kept}Fold {self.fold + 1} of {self.folds} is tested and the next one validated; the others "
                "train."
            )
        total = sum(sum(parts.values()) for parts in self.counts.values())
        others = f"{self.misplaced} of {total} images lie in another partition than exact shares would put them."
        units = "groups" if self.grouped else "identical images"
        if self.misplaced == 0:
            return f"{hands}{kept}The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."
        if self.version == 0:
            near = f"The counts are as near to 70 / 15 / 15 per class as was found without parting {units}"
        else:
            near = (
                f"The split was made for 70 / 15 / 15 per class without parting {units}, and edits do not reshuffle it"
            )
        return f"{hands}{kept}{near}: {others}"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
    totals = images["label"].value_counts().sort_index()
    classes = totals.index.tolist()
    targets = exact_counts({name: int(totals[name]) for name in classes})
    wanted = np.array([[targets[name][p] for p in PARTITIONS] for name in classes])
    unit_of_image = units_of(images)
    label_index = pd.Categorical(images["label"], categories=classes).codes
    vectors = np.zeros((unit_of_image.max() + 1, len(classes)), int)
    np.add.at(vectors, (unit_of_image, label_index), 1)

    rng = np.random.default_rng(seed)
    kinds, kind_of_unit = np.unique(vectors, axis=0, return_inverse=True)
    shares = distribute(kinds, np.bincount(kind_of_unit), wanted, rng)
    partition_of_unit = np.empty(len(vectors), int)
    for kind, numbers in enumerate(shares):
        units = rng.permutation(np.flatnonzero(kind_of_unit == kind))
        partition_of_unit[units] = np.repeat(np.arange(3), numbers)

    assignment = dict(zip(images["path"], np.array(PARTITIONS, object)[partition_of_unit[unit_of_image]], strict=True))
    return _described(Split(seed=seed, assignment=assignment, counts={}, targets={}, grouped=False), images)


def make_folds(images: pd.DataFrame, *, seed: int, folds: int, fold: int) -> Split:
    """One turn of a cross-validation: one fold is tested, the next one validated, the others train.

    Parameters
    ----------
    images : DataFrame
        As for `make_split`.
    seed : int
        The same seed gives the same folds.
    folds, fold : int
        In how many, at least 3, and which of them, from 0, is tested.

    Returns
    -------
    Split
        Over the folds every image is tested once.

    Raises
    ------
    DatasetError
        There are fewer units than folds.
    """
    labels = pd.Categorical(images["label"], categories=sorted(images["label"].unique())).codes
    part = folds_of(labels.astype(np.int64), units_of(images), count=folds, seed=seed)
    places = np.select([part == fold, part == (fold + 1) % folds], PARTITIONS[:0:-1], PARTITIONS[0])
    assignment = dict(zip(images["path"], places.tolist(), strict=True))
    split = Split(seed=seed, assignment=assignment, counts={}, targets={}, grouped=False, folds=folds, fold=fold)
    return _described(split, images)


def split_of(dataset: Dataset, *, seed: int = 0, folds: int = 0, fold: int = 0) -> Split:
    """The split of a dataset as it counts now, or with `folds` one turn of a cross-validation.

    What the split was before any image was excluded, relabelled or put by hand is made at first and kept with the
    dataset from then on, once for each way in which its images were grouped.

    Raises
    ------
    DatasetError
        The seed is negative, the split that was kept is one of other images, or there are too few for the folds.
    StorageError
        The split that was kept is damaged, or the home folder may not be written.
    """
    base = _base(dataset, seed, folds, fold)
    if not dataset.edits:
        return base
    images, by_hand = dataset.images, dataset.partitions
    missing = sum(path not in base.assignment for path in images["path"])
    if missing:
        raise DatasetError(
            f"The split with seed {seed} that was kept of {dataset.name} lacks {_many(missing, 'image')}.",
            "",
            f"Delete the folder {_splits(dataset)}; its splits are made anew then.",
        )
    assignment = {path: by_hand.get(path, base.assignment[path]) for path in images["path"]}
    split = replace(
        base,
        assignment=assignment,
        version=dataset.version,
        moved=len(by_hand),
        parted=_parted(images, assignment) if by_hand else 0,
    )
    return _described(split, images)


def _base(dataset: Dataset, seed: int, folds: int, fold: int) -> Split:
    """The kept split of the images and labels as imported, and the groups that count now."""
    images = dataset.imported
    name = f"seed-{seed}" + (f"-fold-{fold + 1}-of-{folds}" if folds else "")
    if not dataset.edited["group"].equals(images["group"]):
        images = images.assign(group=dataset.edited["group"])
        lines = "".join(f"{path}\0{group}\n" for path, group in zip(images["path"], images["group"], strict=True))
        name += f"-{hashlib.sha256(lines.encode()).hexdigest()[:12]}"
    path = _splits(dataset) / f"{name}.json"
    try:
        return Split(**read_json(path))
    except FileNotFoundError:
        split = make_folds(images, seed=seed, folds=folds, fold=fold) if folds else make_split(images, seed=seed)
        kept = ("seed", "assignment", "counts", "targets", "grouped", *(("folds", "fold") if folds else ()))
        write_json(path, {key: getattr(split, key) for key in kept})
        return split


def _splits(dataset: Dataset) -> Path:
    return dataset_folder(dataset.id) / "splits"


def _described(split: Split, images: pd.DataFrame) -> Split:
    """`split` with the counts, the targets and the grouping that these images have in it."""
    table = pd.crosstab(images["label"], images["path"].map(split.assignment)).reindex(columns=PARTITIONS, fill_value=0)
    counts = {name: {p: int(n) for p, n in zip(PARTITIONS, row, strict=True)} for name, *row in table.itertuples()}
    targets = counts if split.folds else exact_counts({name: sum(parts.values()) for name, parts in counts.items()})
    return replace(split, counts=counts, targets=targets, grouped=bool((images["group"] != "").any()))


def _parted(images: pd.DataFrame, assignment: Mapping[str, str]) -> int:
    """How many units lie in more than one partition."""
    return int((images["path"].map(assignment).groupby(units_of(images)).nunique() > 1).sum())


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
    empty = [p for p in PARTITIONS[1:] if sum(parts[p] for parts in split.counts.values()) == 0]
    if split.version and (untrained or empty):
        raise TrainingError(
            f"No training images for: {', '.join(untrained)}." if untrained else f"The {empty[0]} partition is empty.",
            "Images of one group and identical images are never parted by a split, and edits do not reshuffle it.",
            "Put some images there by hand, add images of other groups, or try another split seed.",
        )
    if untrained:
        raise TrainingError(
            f"No training images for: {', '.join(untrained)}, because all of its images belong together.",
            "Images of one group and identical images are never parted, so a class needs images of several groups.",
            "Add images of other groups, or try another split seed.",
        )
    if empty:
        raise TrainingError(
            f"The {empty[0]} partition is empty.",
            "Images of one group and identical images are never parted, so at least three groups are needed.",
            "Add images of other groups, or try another split seed.",
        )
