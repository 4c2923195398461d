"""Plan runs: check configurations against the dataset and create the folders, without importing torch."""

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
    """Check all configurations against the dataset, then create the runs.

    Parameters
    ----------
    configs : sequence of TrainingConfig
        Configurations that all refer to `dataset`.
    dataset : Dataset
        Saved dataset in its present state; each run records its edits and its split.
    compute_options : mapping, optional
        Compute options of an earlier run (`Run.compute_options`); by default each run finds the fastest ones at its
        start. Without effect for probes, and on a device of another type.

    Returns
    -------
    list of Run
        In the order of `configs`, with the state "queued"; no worker is started. Several runs share `RunPlan.batch`.

    Raises
    ------
    TrainingError
        The dataset has fewer than two classes, or fewer than three images of a class; a class has no training images;
        the validation or test partition is empty; or a batch (not of a probe) is larger than the training partition.
        No run is created.
    DatasetError
        There are too few groups or images for the folds, no split was found, or the saved split lacks images. No run is
        created.
    WeightsError
        A weights file is missing, damaged or given for several networks; or ImageNet weights were chosen for a network
        that has none. No run is created.
    StorageError
        The saved split is damaged, or a weights file is not readable: no run is created. The disk is full, or the home
        folder is not writable: some of the runs may have been created.
    """
    files = {c.weights for c in configs} - {IMAGENET, NONE}
    if files and len({c.architecture for c in configs}) > 1:
        raise WeightsError(
            f"One weights file ({Path(min(files)).name}) was given for several networks.",
            "A weights file fits only one network.",
            "Train the networks one by one, or choose ImageNet or random weights.",
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
                weights_label=_weights_record(config.weights).label,
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
    """Plan a repetition of a run, with the same settings and compute options.

    Parameters
    ----------
    run : Run
        Run to repeat, in any state.
    edited : bool
        Use the dataset with all its present edits; by default, with the edits at the time the run was planned.

    Returns
    -------
    Run
        The new run, with the state "queued"; no worker is started.

    Raises
    ------
    CfuError
        The dataset has been deleted, is damaged, differs from that of the run (unless `edited`), or can no longer be
        used for training; a weights file is missing or damaged; the disk is full; or the home folder is not writable.
    """
    dataset = load_dataset(run.plan.dataset.id) if edited else planned_dataset(run)
    return plan_runs([run.config], dataset, compute_options=run.compute_options)[0]


def planned_dataset(run: Run) -> Dataset:
    """Load the dataset of a run with the edits at the time the run was planned; later edits are ignored.

    Raises
    ------
    DatasetError
        The dataset has been deleted or is damaged.
    StorageError
        The log of edits or the home folder is not readable.
    RunError
        The images, labels, groups, boxes or manually assigned partitions differ from those of the run
        (`Dataset.digest`).
    """
    planned = run.plan.dataset
    current = load_dataset(planned.id)
    dataset = replace(current, edits=current.edits[: planned.version])
    if dataset.digest != planned.digest:
        raise RunError("The dataset has changed since this run was planned.", "", "Start a new run.")
    return dataset


def _checked_split(config: TrainingConfig, dataset: Dataset) -> Split:
    split = split_of(dataset, seed=config.split_seed, folds=config.folds, fold=config.fold)
    check_split(split)
    config.check_against(sum(parts["training"] for parts in split.counts.values()))
    return split


def _weights_record(weights: str) -> WeightsRecord:
    is_file = weights not in (IMAGENET, NONE)
    return WeightsRecord(kind="file" if is_file else weights, name=Path(weights).name if is_file else "")
