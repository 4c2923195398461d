"""Split a dataset into training, validation and test images: stratified by class, group-safe, reproducible by seed.

Without groups the counts are those of Table 2 of Zamani et al. (2023): of the n images of a class ``round(0.7 n)`` are
for training and the rest is halved; the odd image of a class goes alternately to validation and to test. Images of
one group (a dish, a donor) and byte-identical images always stay in one partition; the counts are then as close to
these as possible, found by a small integer programme that SciPy solves with HiGHS.

Images to which the source gives a partition keep it. A partition that the source lacks, and images without one, are
drawn by the same rule.

Edits of a dataset do not reshuffle its splits: a split is made from the images and labels as imported, with the
current groups. Excluded images are then removed, relabelled images stay in their partition, and images whose
partition was assigned manually move there.

References
----------
Zamani et al. (2023), "Deep Learning for an Automated Image-Based Stem Cell Classification".
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cfu_core.dataset.catalog import dataset_folder
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.group_allocation import allocate_units, split_units, stratified_folds
from cfu_core.dataset.partition_names import PARTITIONS
from cfu_core.errors import DatasetError, StorageError, TrainingError
from cfu_core.storage import read_json, write_json
from cfu_core.wording import listed, plural

TRAINING_SHARE = 0.7  # fraction of the images of a class
HELD_OUT_SHARE = 0.15  # fraction of given training images that is drawn for a partition without images
MINIMUM_IMAGES = 3  # of a class: one for each partition


@dataclass(frozen=True, kw_only=True)
class Split:
    """Assignment of every image of a dataset to a partition: ``training``, ``validation`` or ``test``.

    Attributes
    ----------
    seed : int
        Seed of the split.
    assignment : Mapping of str to str
        Partition of each image, by path; also of images that have no class yet.
    counts : Mapping of str to Mapping of str to int
        Number of images by class and partition; classes are sorted.
    targets : Mapping of str to Mapping of str to int
        Number of images by class and partition that `exact_counts` gives, without regard to groups and copies; equal
        to `counts` for a cross-validation, and for a split of which a part was given.
    grouped : bool
        Whether the group of at least one image is known. Images of one group are in one partition, unless they were
        assigned manually.
    version : int
        Version of the dataset (its number of edits).
    moved : int
        Number of images whose partition was assigned manually.
    divided_groups : int
        Number of groups, or sets of identical images, that the source or manual assignments spread over several
        partitions.
    given : int or None
        Number of images in the partition that the source gives them, without those assigned manually; 0 for a
        cross-validation, which does not use given partitions; None if the source gives none.
    drawn : sequence of str
        Partitions for which the source gives no image, so that images were drawn for them.
    folds : int
        Number of folds of a cross-validation; 0 for a single split.
    fold : int
        Index of the fold that is tested, from 0.
    """

    seed: int
    assignment: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    targets: Mapping[str, Mapping[str, int]]
    grouped: bool
    version: int = 0
    moved: int = 0
    divided_groups: int = 0
    folds: int = 0
    fold: int = 0
    given: int | None = None
    drawn: Sequence[str] = ()

    @property
    def misplaced(self) -> int:
        """Number of images that would have to change partition to reach `targets`; 0 where these equal the counts."""
        return sum(abs(self.counts[c][p] - self.targets[c][p]) for c in self.counts for p in PARTITIONS) // 2

    @property
    def nearness(self) -> str:
        """Text for users: manual assignments, groups, and how `counts` differ from `targets`; or how folds are used."""
        manual = f"{plural(self.moved, 'image was', 'images were')} assigned manually. " if self.moved else ""
        if self.divided_groups:
            what = "This divided" if self.given is None else "This split divides"
            manual += f"{what} {plural(self.divided_groups, 'group')} of images that belong together. "
        kept = "Images of one group stay together. " if self.grouped and not self.divided_groups else ""
        if self.folds:
            if self.given is not None:
                kept += "The partitions that the source gives are not used. "
            return (
                f"{manual}{kept}Fold {self.fold + 1} of {self.folds} is for testing, the next fold for validation, the "
                "others for training."
            )
        if self.given is not None:
            return f"{manual}{self._given()}"
        if self.misplaced == 0:
            return f"{manual}{kept}The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."
        units = "groups" if self.grouped else "identical images"
        if self.version == 0:
            why = f"the closest to 70 / 15 / 15 per class that was found with {units} kept together."
        else:
            why = f"it was made for 70 / 15 / 15 per class with {units} kept together, and edits do not reshuffle it."
        return f"{manual}{kept}{self._difference()}: {why}"

    def _given(self) -> str:
        """Say how many images are in the partition that the source gives them, and what was drawn."""
        total = sum(sum(parts.values()) for parts in self.counts.values())
        rest = total - self.moved - (self.given or 0)
        if not rest:
            return f"The {'other ' if self.moved else ''}partitions are those that the source gives."
        of = plural(total, "image is", "images are")
        text = f"{self.given or 0:,} of {of} in the partition that the source gives; the program drew that of {rest:,}"
        return f"{text}, because the source gives no images for {listed(self.drawn)}." if self.drawn else f"{text}."

    def _difference(self) -> str:
        """Say which counts differ from the targets: the totals, or else those of the first such class."""
        actual, exact = _totals(self.counts), _totals(self.targets)
        if actual != exact:
            return f"The split is {_shares(actual)} instead of {_shares(exact)}"
        differing = [name for name in self.counts if self.counts[name] != self.targets[name]]
        name = differing[0]
        others = len(differing) - 1
        more = f", and {plural(others, 'more class differs', 'more classes differ')}" if others else ""
        return f"The split of {name} is {_shares(self.counts[name])} instead of {_shares(self.targets[name])}{more}"


def _totals(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {partition: sum(parts[partition] for parts in counts.values()) for partition in PARTITIONS}


def _shares(parts: Mapping[str, int]) -> str:
    return " / ".join(f"{parts[partition]:,}" for partition in PARTITIONS)


def exact_counts(totals: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the number of images by class and partition for images without groups and copies.

    Of the n images of a class, ``round(0.7 n)`` are for training, but at most n - 2 if n is 3 or more. The rest is
    halved. If it is odd, the remaining image is for validation in the first such class, for test in the second, and so
    on alternately.

    Parameters
    ----------
    totals : Mapping of str to int
        Number of images by class; the order of the classes determines where the odd images go.

    Returns
    -------
    dict
        ``{class: {"training": n, "validation": n, "test": n}}``. A class of three or more images has at least one in
        each partition.

    References
    ----------
    Zamani et al. (2023), "Deep Learning for an Automated Image-Based Stem Cell Classification", Table 2.
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
    """Assign every image to a partition, at random, with counts as close as possible to `exact_counts`.

    Images of one group and byte-identical images stay in one partition. Images that have a given partition keep it.
    Exception: if the source gives no image for a partition, 15 % of the given training images of each class are drawn
    for it. Nothing is written to disk.

    Parameters
    ----------
    images : pandas.DataFrame
        Table with the columns ``path``, ``label``, ``group``, ``digest`` and ``given_partition``; group and partition
        are ``""`` where unknown.
    seed : int
        Non-negative seed; the same seed and table give the same split.

    Returns
    -------
    Split
        With `version` 0 and no folds. With large groups the search for the best counts may be cut short (see
        `cfu_core.dataset.group_allocation.allocate_units`), and a class of few groups may be absent from a partition.

    Raises
    ------
    DatasetError
        If there is no image, the seed is negative, or the solver finds no split.
    """
    if images.empty:
        raise DatasetError("The dataset holds no images.", "A split needs at least one.", "Import images first.")
    _check_seed(seed)
    given = images["given_partition"]
    if (given == "").all():
        return _with_counts(_draw(images, exact_counts(_class_totals(images)), seed), images, seed=seed)
    drawn = [partition for partition in PARTITIONS[1:] if not (given == partition).any()]
    free = (given == "") | ((given == "training") & bool(drawn))
    assignment = dict(zip(images["path"], given, strict=True))
    assignment |= _draw(images[free].reset_index(drop=True), _counts_to_draw(images, drawn), seed)
    return _with_counts(
        assignment,
        images,
        seed=seed,
        divided_groups=_divided_groups(images, assignment),
        given=_kept(images, assignment),
        drawn=drawn,
    )


def _kept(images: pd.DataFrame, assignment: Mapping[str, str]) -> int:
    """Count the images that are in the partition that the source gives them."""
    return int((images["path"].map(assignment) == images["given_partition"]).sum())


def _class_totals(images: pd.DataFrame) -> dict[str, int]:
    """Count the images of each class; the classes are sorted, and images without a class are last."""
    counts = images["label"].value_counts()
    return {name: int(counts[name]) for name in sorted(counts.index, key=lambda name: (name == "", name))}


def _counts_to_draw(images: pd.DataFrame, drawn: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many images without a final partition go where: those without a given one, and given training ones."""
    given = images["given_partition"]
    counts = exact_counts(_class_totals(images[given == ""]))
    for name, total in _class_totals(images[given == "training"]).items() if drawn else ():
        parts = counts.setdefault(name, dict.fromkeys(PARTITIONS, 0))
        share = min(max(1, round(total * HELD_OUT_SHARE)), (total - 1) // len(drawn))
        for partition in drawn:
            parts[partition] += share
        parts["training"] += total - share * len(drawn)
    return counts


def _draw(images: pd.DataFrame, targets: Mapping[str, Mapping[str, int]], seed: int) -> dict[str, str]:
    """Draw the partition of each image, with counts as close as possible to the targets."""
    if images.empty:
        return {}
    classes = list(targets)
    wanted = np.array([[targets[name][p] for p in PARTITIONS] for name in classes])
    unit_of_image = split_units(images)
    label_index = pd.Categorical(images["label"], categories=classes).codes
    vectors = np.zeros((unit_of_image.max() + 1, len(classes)), int)
    np.add.at(vectors, (unit_of_image, label_index), 1)

    rng = np.random.default_rng(seed)
    # units with equal numbers of images per class are interchangeable: allocate how many of each kind, then draw
    kinds, kind_of_unit = np.unique(vectors, axis=0, return_inverse=True)
    shares = allocate_units(kinds, np.bincount(kind_of_unit), wanted, rng)
    partition_of_unit = np.empty(len(vectors), int)
    for kind, numbers in enumerate(shares):
        units = rng.permutation(np.flatnonzero(kind_of_unit == kind))
        partition_of_unit[units] = np.repeat(np.arange(3), numbers)
    return dict(zip(images["path"], np.array(PARTITIONS, object)[partition_of_unit[unit_of_image]], strict=True))


def make_folds(images: pd.DataFrame, *, seed: int, folds: int, fold: int) -> Split:
    """Make the split of one iteration of a stratified cross-validation.

    Fold `fold` is for testing, the next fold for validation (after the last fold, the first), and the remaining folds
    are for training. Over all iterations every image is tested once. Images of one group and byte-identical images
    stay in one fold. Nothing is written to disk.

    Parameters
    ----------
    images : pandas.DataFrame
        As for `make_split`.
    seed : int
        Seed of the folds, 0 to 2**32 - 1; the same seed gives the same folds.
    folds : int
        Number of folds, at least 3; with 2, no image is for training.
    fold : int
        Index of the fold that is tested, 0 to `folds` - 1.

    Returns
    -------
    Split
        With `targets` equal to `counts`.

    Raises
    ------
    DatasetError
        If the seed is negative, there are fewer groups (or single images) than folds, or no class has as many images as
        there are folds.
    ValueError
        If there is no image, `seed` is too large, `folds` is less than 2, or `fold` is out of range.
    """
    _check_seed(seed)
    if not 0 <= fold < folds:
        raise ValueError(f"fold is {fold}; it must be 0 to {folds - 1}")
    labels = pd.Categorical(images["label"], categories=sorted(images["label"].unique())).codes
    fold_of_image = stratified_folds(labels.astype(np.int64), split_units(images), count=folds, seed=seed)
    partitions = np.select(
        [fold_of_image == fold, fold_of_image == (fold + 1) % folds], PARTITIONS[:0:-1], PARTITIONS[0]
    )
    assignment = dict(zip(images["path"], partitions.tolist(), strict=True))
    given = 0 if (images["given_partition"] != "").any() else None
    return _with_counts(assignment, images, seed=seed, folds=folds, fold=fold, given=given)


def split_of(dataset: Dataset, *, seed: int = 0, folds: int = 0, fold: int = 0) -> Split:
    """Return the split of a dataset in its current state, or with `folds` one iteration of a cross-validation.

    The split of the images as imported is made once for each grouping of the images, and saved in
    ``<home>/datasets/<id>/splits/``. A saved split is used again. Exclusions, new labels and manual assignments are
    then applied to it; they are not saved with it.

    Parameters
    ----------
    dataset : Dataset
        A saved dataset.
    seed : int
        Non-negative seed of the split.
    folds : int
        Number of folds, at least 3; 0 for a single split.
    fold : int
        Index of the fold that is tested, 0 to `folds` - 1; without effect if `folds` is 0.

    Returns
    -------
    Split
        Of the images of ``dataset.images``, excluded ones left out.

    Raises
    ------
    DatasetError
        If the dataset is empty, the seed is negative, the solver finds no split, or there are too few groups or images
        for the folds; or the saved split lacks images.
    ValueError
        If folds must be made, and `folds` is 1 or `fold` is out of range.
    StorageError
        If the saved split is damaged, the disk is full, or the home folder is not writable.
    """
    base = _saved_split(dataset, seed, folds, fold)
    images, manual = dataset.images, dataset.partitions
    missing = sum(path not in base.assignment for path in images["path"])
    if missing:
        raise DatasetError(
            f"The saved split of {dataset.name} with seed {seed} lacks {plural(missing, 'image')}.",
            "It should hold every image of the dataset.",
            f"Delete the folder {_splits(dataset)}; the splits are then made again.",
        )
    if not dataset.edits:
        return base
    assignment = {path: manual.get(path, base.assignment[path]) for path in images["path"]}
    return _with_counts(
        assignment,
        images,
        seed=seed,
        folds=folds,
        fold=fold,
        version=dataset.version,
        moved=len(manual),
        divided_groups=_divided_groups(images, assignment) if manual or base.divided_groups else 0,
        given=base.given if folds or base.given is None else _kept(images[~images["path"].isin(manual)], assignment),
        drawn=base.drawn,
    )


def _saved_split(dataset: Dataset, seed: int, folds: int, fold: int) -> Split:
    """Return the saved split of the images and labels as imported and the current groups; make it if needed."""
    images = dataset.imported
    name = f"seed-{seed}" + (f"-fold-{fold + 1}-of-{folds}" if folds else "")
    if not dataset.edited["group"].equals(images["group"]):
        images = images.assign(group=dataset.edited["group"])
        lines = "".join(f"{path}\0{group}\n" for path, group in zip(images["path"], images["group"], strict=True))
        name += f"-{hashlib.sha256(lines.encode()).hexdigest()[:12]}"
    path = _splits(dataset) / f"{name}.json"
    try:
        return Split(**read_json(path))
    except TypeError as error:
        raise StorageError(
            f"{path} is damaged: {error}.", "It must contain the entries of a split.", "Delete it, or restore it."
        ) from error
    except FileNotFoundError:
        split = make_folds(images, seed=seed, folds=folds, fold=fold) if folds else make_split(images, seed=seed)
        saved = ["seed", "assignment", "counts", "targets", "grouped"]
        saved += ["folds", "fold"] if folds else []
        saved += ["given", "drawn", "divided_groups"] if split.given is not None else []
        write_json(path, {key: getattr(split, key) for key in saved})
        return split


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise DatasetError(
            f"The split seed is {seed}.", "It must be 0 or a positive whole number.", "Choose another seed."
        )


def _splits(dataset: Dataset) -> Path:
    return dataset_folder(dataset.id) / "splits"


def _with_counts(
    assignment: Mapping[str, str],
    images: pd.DataFrame,
    *,
    seed: int,
    folds: int = 0,
    fold: int = 0,
    version: int = 0,
    moved: int = 0,
    divided_groups: int = 0,
    given: int | None = None,
    drawn: Sequence[str] = (),
) -> Split:
    """Make a split of an assignment, and count its images."""
    table = pd.crosstab(images["label"], images["path"].map(assignment)).reindex(columns=PARTITIONS, fill_value=0)
    table = table.drop(index="", errors="ignore")  # images without a class have a partition, but count in no class
    counts = {name: {p: int(n) for p, n in zip(PARTITIONS, row, strict=True)} for name, *row in table.itertuples()}
    totals = {name: sum(parts.values()) for name, parts in counts.items()}
    return Split(
        seed=seed,
        assignment=assignment,
        counts=counts,
        targets=counts if folds or given is not None else exact_counts(totals),
        grouped=bool((images["group"] != "").any()),
        version=version,
        moved=moved,
        divided_groups=divided_groups,
        folds=folds,
        fold=fold,
        given=given,
        drawn=drawn,
    )


def _divided_groups(images: pd.DataFrame, assignment: Mapping[str, str]) -> int:
    """Count the units of images that are in more than one partition."""
    return int((images["path"].map(assignment).groupby(split_units(images)).nunique() > 1).sum())


def check_trainable(counts: Mapping[str, int]) -> None:
    """Check that a classifier can be trained and tested on a dataset.

    Parameters
    ----------
    counts : Mapping of str to int
        Number of images by class.

    Raises
    ------
    TrainingError
        If there are fewer than two classes, or a class has fewer than `MINIMUM_IMAGES` images.
    """
    if not counts:
        raise TrainingError(
            "No image has a class.", "Training needs at least two classes.", "Give the images classes on Explore."
        )
    if len(counts) < 2:
        raise TrainingError(
            f"The dataset has {plural(len(counts), 'class', 'classes')}"
            + (f" ({', '.join(counts)})." if counts else "."),
            "Training needs at least two classes.",
            "Put the images of each class into a folder of its own and import again.",
        )
    small = [f"{name} has {n}" for name, n in counts.items() if n < MINIMUM_IMAGES]
    if small:
        raise TrainingError(
            f"Too few images in a class: {', '.join(small)}.",
            f"Training needs at least {MINIMUM_IMAGES} images of each class, one for each partition.",
            "Add images, or exclude the class.",
        )


def check_split(split: Split) -> None:
    """Check that every class has training images and that no partition is empty.

    Raises
    ------
    TrainingError
        If a class has no training images, or the validation or test partition is empty.
    """
    untrained = [name for name, parts in split.counts.items() if parts["training"] == 0]
    empty = [p for p in PARTITIONS[1:] if sum(parts[p] for parts in split.counts.values()) == 0]
    if split.version and (untrained or empty):
        raise TrainingError(
            f"No training images for: {', '.join(untrained)}." if untrained else f"The {empty[0]} partition is empty.",
            "Images of one group and identical images stay in one partition, and edits do not reshuffle a split.",
            "Assign images to this partition manually, add images of other groups, or choose another split seed.",
        )
    if untrained:
        raise TrainingError(
            f"No training images for: {', '.join(untrained)}, because all of its images belong together.",
            "Images of one group and identical images stay together, so a class needs images of several groups.",
            "Add images of other groups, or choose another split seed.",
        )
    if empty:
        raise TrainingError(
            f"The {empty[0]} partition is empty.",
            "Images of one group and identical images stay together, so at least three groups are needed.",
            "Add images of other groups, or choose another split seed.",
        )
