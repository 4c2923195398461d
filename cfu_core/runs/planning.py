"""Check what is asked for, and write it down as runs, before anything heavy is loaded."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import Split, check_split, check_trainable, split_of
from cfu_core.errors import RunError, WeightsError
from cfu_core.models.registry import architecture
from cfu_core.models.weight_files import IMAGENET, NONE, WeightsRecord, check_imagenet_weights, verify_weights
from cfu_core.runs.environment import environment
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import PlannedDataset, PlannedSplit, RunPlan
from cfu_core.runs.run_store import create_run
from cfu_core.training.config import TrainingConfig


def plan_runs(
    configs: Sequence[TrainingConfig], dataset: Dataset, *, compute_options: Mapping[str, Any] | None = None
) -> list[Run]:
    """Check every configuration against the dataset, then make the folders of all runs.

    Parameters
    ----------
    configs : sequence of TrainingConfig
    dataset : Dataset
    compute_options : mapping, optional
        How to compute, from an earlier run; by default it is measured.

    Returns
    -------
    list of Run
        In the order of `configs`; runs planned together share ``batch`` in their specification.

    Raises
    ------
    CfuError
        The dataset cannot be trained on, a batch is larger than the training partition, or a weights file is not
        what it should be or is meant for several networks. No run is made then.
    """
    files = {c.weights for c in configs} - {IMAGENET, NONE}
    if files and len({c.architecture for c in configs}) > 1:
        raise WeightsError(
            f"One weights file ({Path(min(files)).name}) was given for several networks.",
            "A file fits one network.",
            "Train the networks one by one, or begin with ImageNet or random weights.",
        )
    check_trainable(dataset.counts)
    splits = [_checked_split(config, dataset) for config in configs]
    for file in files:
        verify_weights(Path(file))
    for config in configs:
        if config.weights == IMAGENET:
            check_imagenet_weights(config.architecture)
    batch, versions = secrets.token_hex(4) if len(configs) > 1 else "", environment()
    return [
        create_run(
            RunPlan(
                config=config,
                dataset=PlannedDataset.of(dataset),
                split=PlannedSplit.of(split),
                architecture_label=architecture(config.architecture).label,
                weights_label=_weights(config.weights).label,
                environment=versions,
                batch=batch,
                compute_options=dict(compute_options) if compute_options else None,
            ),
            dataset,
            split,
        )
        for config, split in zip(configs, splits, strict=True)
    ]


def plan_again(run: Run, *, edited: bool = False) -> Run:
    """The same run once more: the same settings, computed the same way.

    Parameters
    ----------
    run : Run
    edited : bool
        On the dataset with all its edits up to now; by default as it was when the run was planned.

    Returns
    -------
    Run

    Raises
    ------
    CfuError
        The dataset is gone, or is not what it was, or can no longer be trained on.
    """
    dataset = load_dataset(run.plan.dataset.id) if edited else planned_dataset(run)
    return plan_runs([run.config], dataset, compute_options=run.compute_options)[0]


def planned_dataset(run: Run) -> Dataset:
    """The dataset with the edits that counted when the run was planned; later ones are for later runs.

    Raises
    ------
    CfuError
        It is gone, or is not what it was.
    """
    planned = run.plan.dataset
    now = load_dataset(planned.id)
    dataset = replace(now, edits=now.edits[: planned.version])
    if dataset.digest != planned.digest:
        raise RunError("The dataset has changed since this run was planned.", "", "Start a new run.")
    return dataset


def _checked_split(config: TrainingConfig, dataset: Dataset) -> Split:
    split = split_of(dataset, seed=config.split_seed, folds=config.folds, fold=config.fold)
    check_split(split)
    config.check_against(sum(parts["training"] for parts in split.counts.values()))
    return split


def _weights(weights: str) -> WeightsRecord:
    named = weights in (IMAGENET, NONE)
    return WeightsRecord(kind=weights if named else "file", name="" if named else Path(weights).name)
