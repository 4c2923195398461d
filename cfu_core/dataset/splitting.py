"""Split a dataset into training, validation and test images: stratified by class, group-safe, reproducible by seed.

Without groups the counts are those of Table 2 of Zamani et al. (2023): of the n images of a class ``round(0.7 n)`` are
for training and the rest is halved; the odd image of a class goes alternately to validation and to test. Images of
one group (a dish, a donor) and byte-identical images always stay in one partition; the counts are then as close to
these as possible, found by a small integer programme that SciPy solves with HiGHS.

Images to which the source gives a partition keep it. For a validation or test partition that the source lacks, some of
its training images are drawn. Images without a given partition are in that of their group or of identical images;
the others are drawn by the same rule for the partitions that the source lacks, and the rest of them are for training.
No image is drawn for validation or test if the source gives images for it.

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
from cfu_core.wording import first_of, listed, plural

TRAINING_SHARE = 0.7  # fraction of the images of a class
HELD_OUT_SHARE = 0.15  # fraction of given training images that is drawn for a partition without images
MINIMUM_IMAGES = 3  # of a class: one for each partition
MOST_NAMED = 3  # classes in a text


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
        assigned manually or the source gives them different ones.
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
        Partitions for which the source gives no image.
    followed : sequence of str
        Paths of images without a given partition that are in the partition which the source gives to their group or to
        identical images.
    late_labels : int
        Number of images that had no class when the split was made; 0 if the dataset was not edited.
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
    followed: Sequence[str] = ()
    late_labels: int = 0

    @property
    def unlabelled(self) -> int:
        """Number of images without a class; they have a partition, but count in no class."""
        return len(self.assignment) - sum(sum(parts.values()) for parts in self.counts.values())

    @property
    def seed_matters(self) -> bool:
        """Whether another seed could give another split: not if the source determines the partition of every image."""
        return self.given is None or self.folds > 0 or bool(self.drawn and self._not_given())

    def _not_given(self) -> int:
        """Count the images whose partition neither the source nor a user determined."""
        return len(self.assignment) - self.moved - (self.given or 0) - len(self.followed)

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
        if not self.counts:
            return f"{manual}{kept}No image has a class yet: all images were divided together, 70 / 15 / 15."
        if self.misplaced == 0:
            return f"{manual}{kept}The counts are exactly those of the paper's rule, 70 / 15 / 15 per class."
        units = "groups" if self.grouped else "identical images"
        if self.version == 0:
            why = f"the closest to 70 / 15 / 15 per class that was found with {units} kept together."
        else:
            why = f"it was made for {self._made_for()} with {units} kept together, and edits do not reshuffle it."
        return f"{manual}{kept}{self._difference()}: {why}"

    def _made_for(self) -> str:
        """Say what the split was made for: the classes at that time."""
        if self.late_labels >= len(self.assignment):
            return "70 / 15 / 15 of all images, before they had classes,"
        late = plural(self.late_labels, "image that had no class yet", "images that had no class yet")
        return "70 / 15 / 15 per class" + (f", and of {late}," if self.late_labels else "")

    def _given(self) -> str:
        """Say how many images are in the partition that the source gives them, what was drawn, and what is missing."""
        total, rest, followed = len(self.assignment), self._not_given(), len(self.followed)
        if not rest + followed:
            text = f"The {'other ' if self.moved else ''}partitions are those that the source gives"
        else:
            of = plural(total, "image is", "images are")
            text = f"{self.given or 0:,} of {of} in the partition that the source gives"
        if followed:
            text += f"; {followed:,} without one {'is' if followed == 1 else 'are'} in that of their group or of "
            text += "identical images"
        if rest and self.drawn:
            text += f"; the program drew that of {rest:,}, because the source gives no images for {listed(self.drawn)}"
        elif rest:
            text += f"; the program put {rest:,} without one into training"
        return f"{text}.{self._absent()}"

    def _absent(self) -> str:
        """Name the classes that cannot be tested or validated; empty if there are none."""
        absent = [
            f"{partition} has no image of {first_of(names, MOST_NAMED)}"
            for partition in PARTITIONS[1:]
            if any(parts[partition] for parts in self.counts.values())
            and (names := [name for name, parts in self.counts.items() if not parts[partition]])
        ]
        return f" Note: {'; '.join(absent)}." if absent else ""

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
    Exception: if the source gives no image for validation or test, 15 % of the given training images of each class are
    drawn for it. An image without a given partition takes that of its group or of identical images: if they have
    several, that of most of them, and of equals the first of `PARTITIONS`. The others are drawn: as many as
    `exact_counts` gives for each partition that the source lacks, and all others for training. Nothing is written to
    disk.

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
    rng = np.random.default_rng(seed)
    if (images["given_partition"] == "").all():
        return _with_counts(_draw(images, exact_counts(_class_totals(images)), rng), images, seed=seed)
    lacking = [name for name in PARTITIONS if not (images["given_partition"] == name).any()]
    wanted = _given_in_units(images)  # of each image: the given partition of its unit, or its own
    assignment = dict(zip(images["path"], wanted, strict=True))
    free = images[wanted == ""]
    closed = [name for name in PARTITIONS[1:] if name not in lacking]
    assignment |= _draw(free, _counts_of_free(free, closed), rng, closed=closed)
    held_out = [name for name in lacking if name != "training"]
    if held_out:
        training = images[wanted == "training"]
        assignment |= _draw(training, _counts_of_training(training, held_out), rng, closed=closed)
    follows = (images["given_partition"] == "") & (wanted != "") & (images["path"].map(assignment) == wanted)
    return _with_counts(
        assignment,
        images,
        seed=seed,
        divided_groups=_divided_groups(images, assignment),
        given=_kept(images, assignment),
        drawn=lacking,
        followed=images["path"][follows].tolist(),
    )


def _given_in_units(images: pd.DataFrame) -> pd.Series:
    """Return the given partition of each image; without one, that of most images of its unit; or empty."""
    given = images["given_partition"]
    units = pd.Series(split_units(images), index=images.index)
    known = given != ""
    counts = pd.crosstab(units[known], given[known]).reindex(columns=PARTITIONS, fill_value=0)
    return given.where(known, units.map(counts.idxmax(axis=1)).fillna(""))


def _kept(images: pd.DataFrame, assignment: Mapping[str, str]) -> int:
    """Count the images that are in the partition that the source gives them."""
    return int((images["path"].map(assignment) == images["given_partition"]).sum())


def _class_totals(images: pd.DataFrame) -> dict[str, int]:
    """Count the images of each class; the classes are sorted, and images without a class are last."""
    counts = images["label"].value_counts()
    return {name: int(counts[name]) for name in sorted(counts.index, key=lambda name: (name == "", name))}


def _counts_of_free(images: pd.DataFrame, closed: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many images that nothing ties to a given partition go where; instead of to `closed`, to training."""
    counts = exact_counts(_class_totals(images))
    for parts in counts.values():
        for partition in closed:
            parts["training"] += parts[partition]
            parts[partition] = 0
    return counts


def _counts_of_training(images: pd.DataFrame, held_out: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many of the given training images of each class go to each partition that the source lacks."""
    counts = {}
    for name, total in _class_totals(images).items():
        share = min(max(1, round(total * HELD_OUT_SHARE)), (total - 1) // len(held_out))
        parts = dict.fromkeys(PARTITIONS, 0) | dict.fromkeys(held_out, share)
        counts[name] = parts | {"training": total - share * len(held_out)}
    return counts


def _draw(
    images: pd.DataFrame,
    targets: Mapping[str, Mapping[str, int]],
    rng: np.random.Generator,
    *,
    closed: Sequence[str] = (),
) -> dict[str, str]:
    """Draw the partition of each image, with counts as close as possible to the targets; none for `closed` ones."""
    if images.empty:
        return {}
    classes = list(targets)
    wanted = np.array([[targets[name][p] for p in PARTITIONS] for name in classes])
    unit_of_image = split_units(images)
    label_index = pd.Categorical(images["label"], categories=classes).codes
    vectors = np.zeros((unit_of_image.max() + 1, len(classes)), int)
    np.add.at(vectors, (unit_of_image, label_index), 1)

    # units with equal numbers of images per class are interchangeable: allocate how many of each kind, then draw
    kinds, kind_of_unit = np.unique(vectors, axis=0, return_inverse=True)
    shares = allocate_units(kinds, np.bincount(kind_of_unit), wanted, rng)
    for partition in closed:  # the best solution leaves it empty, but the search may be cut short
        column = PARTITIONS.index(partition)
        shares[:, 0] += shares[:, column]
        shares[:, column] = 0
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
        followed=[path for path in base.followed if path in assignment and path not in manual],
        late_labels=int((dataset.imported["label"] == "").sum()),
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
        saved += ["given", "drawn", "followed", "divided_groups"] if split.given is not None else []
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
    followed: Sequence[str] = (),
    late_labels: int = 0,
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
        followed=followed,
        late_labels=late_labels,
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
            "Give images another class on Explore, or put the images of each class into a folder of its own and import "
            "again.",
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
    if split.given is not None and not split.folds and (untrained or empty):
        raise TrainingError(
            f"No training images for: {listed(untrained)}." if untrained else f"The {empty[0]} partition is empty.",
            "The source gives the partitions, and every class needs training images, and images to validate and test.",
            f"Move images {'of these classes to training' if untrained else f'to {empty[0]}'} on Explore, or import "
            "again with other partitions or without them.",
        )
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
