"""The plan of a run: the typed form of its ``spec.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import Split
from cfu_core.training.config import TrainingConfig

#: What users are told about a run for which `RunPlan.earlier_crop` is true.
EARLIER_CROP = (
    "This run was trained with an earlier version of the automatic crop. The program now crops images differently, so "
    "that results for new images may differ from those of the run. Train again to use the present crop."
)


@dataclass(frozen=True, kw_only=True)
class PlannedDataset:
    """Dataset of a run at the time the run was planned.

    Attributes
    ----------
    id, name : str
        Identifier and name.
    digest : str
        `Dataset.digest` at that time, by which a change of images, labels, groups, boxes or manually assigned
        partitions is detected.
    version : int
        Number of edits at that time; 0 for the dataset as imported.
    drawn : bool
        Whether all images are drawn, not photographed.
    images : int
        Number of images that have a class.
    classes : list of str
        In the order of the network's outputs.
    sample_ranges : dict of str to list of float, or None
        `Dataset.sample_ranges`: the samples that are black and white, by the kind of samples. None if the dataset was
        imported before ranges were chosen, or the run was planned before.
    unlabelled : int
        Number of images without a class, which the run does not use.
    """

    id: str
    name: str
    digest: str
    drawn: bool
    images: int
    classes: list[str]
    version: int = 0
    sample_ranges: Mapping[str, Sequence[float]] | None = None
    unlabelled: int = 0

    @classmethod
    def of(cls, dataset: Dataset) -> "PlannedDataset":
        """Describe a dataset in its present state."""
        ranges = dataset.sample_ranges
        return cls(
            id=dataset.id,
            name=dataset.name,
            digest=dataset.digest,
            version=dataset.version,
            drawn=dataset.drawn,
            images=len(dataset.images) - dataset.unlabelled,
            unlabelled=dataset.unlabelled,
            classes=dataset.classes,
            sample_ranges=None if ranges is None else {kind: list(ends) for kind, ends in ranges.items()},
        )


@dataclass(frozen=True, kw_only=True)
class PlannedSplit:
    """Split of a run in numbers; ``split.csv`` holds the partition of each image.

    Attributes
    ----------
    seed : int
        Seed of the split.
    version : int
        Number of edits of the dataset at the time of planning.
    moved : int
        Number of images that were assigned to a partition manually.
    counts : mapping of str to mapping of str to int
        Number of images by class and partition.
    nearness : str
        `Split.nearness`: sentences for users on manual assignments, groups, and the difference from 70 / 15 / 15
        percent per class; of a cross-validation, on the use of the folds.
    folds, fold : int
        Number of folds of a cross-validation, and index of the tested fold, from 0; 0 and 0 for a single split.
    """

    seed: int
    counts: Mapping[str, Mapping[str, int]]
    nearness: str = ""
    version: int = 0
    moved: int = 0
    folds: int = 0
    fold: int = 0

    @classmethod
    def of(cls, split: Split) -> "PlannedSplit":
        """Return the numbers of a split."""
        return cls(
            seed=split.seed,
            version=split.version,
            moved=split.moved,
            counts=split.counts,
            nearness=split.nearness,
            folds=split.folds,
            fold=split.fold,
        )


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """Settings, dataset, split and software of a run.

    Attributes
    ----------
    config : TrainingConfig
        Network, initial weights, preprocessing, training settings and seeds.
    dataset : PlannedDataset
        Dataset at the time of planning.
    split : PlannedSplit
        Numbers of images in the partitions.
    architecture_label, weights_label : str
        Names of the network and of its initial weights, for display.
    batch : str
        Identifier that runs planned together share; empty for a run that was planned alone.
    compute_options : dict or None
        Compute options of an earlier run, from `cfu_core.training.compute_options.ComputeOptions.to_dict`; None if the
        run finds the fastest ones at its start. It also does so if its device is of another type. Without effect for a
        probe.
    environment : dict of str to str
        Versions of software, from `cfu_core.runs.environment.environment`.
    recipe_digest : str
        Digest of the recipe when the run was planned (`Recipe.digest`); ``""`` for a plan that is not written yet.
    """

    config: TrainingConfig
    dataset: PlannedDataset
    split: PlannedSplit
    architecture_label: str
    weights_label: str
    environment: dict[str, str]
    batch: str = ""
    compute_options: dict[str, Any] | None = None
    recipe_digest: str = ""

    @property
    def earlier_crop(self) -> bool:
        """Whether the run crops automatically, and the same recipe gave other pixels when it was planned."""
        return self.config.recipe.crop and self.recipe_digest not in ("", self.config.recipe.digest)

    def to_dict(self) -> dict[str, Any]:
        """Return the entries of ``spec.json`` except ``kind`` and ``created``, as plain JSON values.

        The keys are the names of the fields, except ``arithmetic`` for `compute_options`. ``recipe_digest`` is that of
        the recipe now, if the plan has none.
        """
        return {
            "batch": self.batch,
            "config": self.config.to_dict(),
            "recipe_digest": self.recipe_digest or self.config.recipe.digest,
            "architecture_label": self.architecture_label,
            "weights_label": self.weights_label,
            "dataset": asdict(self.dataset),
            "split": asdict(self.split),
            "arithmetic": self.compute_options,
            "environment": self.environment,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "RunPlan":
        """Rebuild a plan from the output of `to_dict`, or from the content of ``spec.json``.

        Other keys at the top level are ignored. Files of earlier versions without ``batch`` or ``arithmetic`` can be
        read.

        Raises
        ------
        TrainingError
            A training setting is not one of the choices or is outside its range.
        RecipeError
            A setting of the recipe is unknown, not one of the choices or outside its range.
        KeyError, TypeError
            An entry is missing; or an entry of the configuration, the augmentation, the dataset or the split is
            unknown.
        """
        return cls(
            config=TrainingConfig.from_dict(value["config"]),
            dataset=PlannedDataset(**value["dataset"]),
            split=PlannedSplit(**value["split"]),
            architecture_label=value["architecture_label"],
            weights_label=value["weights_label"],
            environment=value["environment"],
            batch=value.get("batch", ""),
            compute_options=value.get("arithmetic"),
            recipe_digest=value.get("recipe_digest", ""),
        )
