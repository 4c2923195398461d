"""What a run was asked to do: the typed form of its ``spec.json``, written once and read once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import Split
from cfu_core.training.config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class PlannedDataset:
    """The dataset of a run, as it was when the run was planned.

    Attributes
    ----------
    id, name : str
    digest : str
        `Dataset.digest` at that time.
    version : int
        Number of edits at that time.
    drawn : bool
        Whether all images are drawn, not photographed.
    images : int
        Number of images.
    classes : list of str
        In the order of the network's outputs.
    """

    id: str
    name: str
    digest: str
    drawn: bool
    images: int
    classes: list[str]
    version: int = 0

    @classmethod
    def of(cls, dataset: Dataset) -> "PlannedDataset":
        """Describe a dataset as it is now."""
        return cls(
            id=dataset.id,
            name=dataset.name,
            digest=dataset.digest,
            version=dataset.version,
            drawn=dataset.drawn,
            images=len(dataset.images),
            classes=dataset.classes,
        )


@dataclass(frozen=True, kw_only=True)
class PlannedSplit:
    """The split of a run in numbers; ``split.csv`` holds the partition of each image.

    Attributes
    ----------
    seed, version, moved : int
        As in `Split`.
    counts : Mapping of Mapping of int
        Images by class and partition.
    nearness : str
        How near the split comes to 70 / 15 / 15, for people.
    folds, fold : int
        Number of folds of a cross-validation, and which of them is tested; 0 and 0 where there is none.
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
        """Describe a split."""
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
    """Everything that decides a run, as it was planned.

    Attributes
    ----------
    config : TrainingConfig
    dataset : PlannedDataset
    split : PlannedSplit
    architecture_label, weights_label : str
        The network, and the weights that it begins with, for people.
    batch : str
        Runs that were planned together share it.
    compute_options : dict, optional
        How to compute (`cfu_core.training.compute_options`), from an earlier run; by default it is measured.
    environment : dict of str
        From `cfu_core.runs.environment.environment`.
    """

    config: TrainingConfig
    dataset: PlannedDataset
    split: PlannedSplit
    architecture_label: str
    weights_label: str
    environment: dict[str, str]
    batch: str = ""
    compute_options: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as ``spec.json`` holds them beside its kind and time."""
        return {
            "batch": self.batch,
            "config": self.config.to_dict(),
            "recipe_digest": self.config.recipe.digest,
            "architecture_label": self.architecture_label,
            "weights_label": self.weights_label,
            "dataset": asdict(self.dataset),
            "split": asdict(self.split),
            "arithmetic": self.compute_options,
            "environment": self.environment,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "RunPlan":
        """Return the plan that `to_dict` described.

        Raises
        ------
        CfuError
            A setting is unknown or out of bounds.
        KeyError, TypeError
            A part is missing.
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
        )
