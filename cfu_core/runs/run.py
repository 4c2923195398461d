"""A training run: a job whose folder holds files that people can read without this program.

=====================  ==============================================================================================
``spec.json``          request: configuration, dataset, environment; written once
``status.json``        state and progress (see `cfu_core.job`)
``name.json``          name given by a user, if any
``split.csv``          path, label and partition of every image
``edits.jsonl``        log of edits of the dataset up to then, if there are any (`cfu_core.dataset.history`)
``metrics.jsonl``      one line per batch and per epoch, written during the training
``predictions.csv``    path, true class, predicted class and probability of each class, of the test images
``validation.csv``     the same for the validation images
``evaluation.json``    confusion matrix, accuracy, precision; computed from ``predictions.csv`` alone
``arithmetic.json``    of a fine-tuning run: device, threads, memory layout and precision
``timing.json``        seconds by phase
``checkpoints/``       state of an unfinished training (`cfu_core.runs.checkpoints`)
``model.safetensors``  trained weights (of fine-tuning, those of the best epoch), with ``model.json`` beside them
``probe.json``         of a probe: accuracy by regularisation strength, and the chosen strength
``reference.npz``      features of training images, by which images unlike all of them are found; ``reference.json``
                       beside it
``gradcam.npz``        class activation maps of the test images, once requested; ``gradcam.json`` beside it
``bundle.zip``         exported network, once requested (`cfu_core.exporting`)
``log.txt``            output of the process
=====================  ==============================================================================================
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfu_core.dataset.history import Edit, applied_and_undone, read_log
from cfu_core.errors import CfuError, RunError, StorageError
from cfu_core.evaluation.metrics import Evaluation, evaluate
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job
from cfu_core.runs.run_plan import RunPlan
from cfu_core.runs.training_log import Metrics, MetricsReader
from cfu_core.storage import (
    json_value,
    modification_time,
    read_json,
    storage_errors,
    write_bytes,
    write_csv,
    write_json,
)
from cfu_core.training.config import TrainingConfig

METRICS, MODEL = "metrics.jsonl", "model.safetensors"
BUNDLE = "bundle.zip"
PROBABILITY = "probability_"
#: Files of predictions by partition; a temperature is fitted to those of the validation images.
PREDICTIONS = {"test": "predictions.csv", "validation": "validation.csv"}


class Run(Job):
    """A training run: a job of kind ``train``, with the files that the module describes.

    The identifier contains the time in UTC, the network, the kind of recipe and four random hexadecimal digits.
    Properties and methods that need a setting of the run, such as `config` or `classes`, raise the errors of `plan`.
    """

    @cached_property
    def plan(self) -> RunPlan:
        """Request in typed form; read once.

        Raises
        ------
        FileNotFoundError
            The run has been deleted.
        StorageError
            ``spec.json`` is damaged, or the user may not read it.
        TrainingError, RecipeError, KeyError, TypeError
            A setting is missing, unknown or not allowed; see `RunPlan.from_dict`.
        """
        return RunPlan.from_dict(self.spec)

    def readable(self) -> bool:
        """Return whether ``spec.json`` is complete and its settings are valid; False if it is missing or damaged."""
        try:
            return super().readable() and bool(self.plan)
        except (CfuError, KeyError, TypeError):
            return False

    @property
    def config(self) -> TrainingConfig:
        """Training configuration."""
        return self.plan.config

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the network's outputs."""
        return self.plan.dataset.classes

    @property
    def recipe(self) -> Recipe:
        """Recipe that preprocesses the images."""
        return self.config.recipe

    @property
    def mode(self) -> str:
        """``fine-tune`` if all layers are trained, ``probe`` if only the last layer is fitted."""
        return self.config.mode

    @property
    def mode_label(self) -> str:
        """Mode for display: ``fine-tuned`` or ``probe``."""
        return "probe" if self.mode == "probe" else "fine-tuned"

    @property
    def fold(self) -> str:
        """Tested fold of a cross-validation, as in ``"1 of 5"``; empty for a single split."""
        return f"{self.config.fold + 1} of {self.config.folds}" if self.config.folds else ""

    @property
    def name(self) -> str:
        """Name given by a user, otherwise `default_name`."""
        return self.given_name or self.default_name

    @property
    def given_name(self) -> str:
        """Name given by a user, from ``name.json``; empty if there is no such file, or if it cannot be read."""
        try:
            name = read_json(self.folder / "name.json")["name"]
        except (FileNotFoundError, StorageError, KeyError, TypeError):
            return ""
        return name if isinstance(name, str) else ""

    @property
    def default_name(self) -> str:
        """Description by the settings, as in ``AlexNet, original, ImageNet weights, fine-tuned``.

        These are network, kind of images, initial weights and mode; also the seed unless it is 0, and the fold of a
        cross-validation.
        """
        parts = [self.plan.architecture_label, self.recipe.kind, self.plan.weights_label, self.mode_label]
        parts += [f"seed {self.config.seed}"] if self.config.seed else []
        parts += [f"fold {self.fold}"] if self.fold else []
        return ", ".join(parts)

    def rename(self, name: str) -> None:
        """Give the run a name, in ``name.json``.

        Parameters
        ----------
        name : str
            White space around it is removed. An empty name restores the default name. Other runs may have the same
            name.

        Raises
        ------
        RunError
            The run has been deleted.
        StorageError
            The disk is full, or the folder is not writable.
        """
        if not self.folder.is_dir():
            raise RunError(f"The run {self.id} does not exist any more.", "", "Choose another run.")
        path = self.folder / "name.json"
        if name.strip():
            write_json(path, {"name": name.strip()})
        else:
            with storage_errors(path):
                path.unlink(missing_ok=True)

    def history(self) -> list[dict[str, Any]]:
        """Return the finished epochs, oldest first.

        Returns
        -------
        list of dict
            `Metrics.epochs`: fields of `cfu_core.training.loop.EpochResult` and ``memory_bytes``. Empty before the end
            of the first epoch, and for a probe.
        """
        return self.metrics().epochs

    def metrics(self) -> Metrics:
        """Read the metrics of the finished epochs and batches from ``metrics.jsonl``, without damaged lines.

        Both lists are empty if the file is missing.
        """
        return MetricsReader(self.folder / METRICS).read()

    def append_metrics(self, kind: str, values: Mapping[str, Any]) -> None:
        """Append a line to ``metrics.jsonl``.

        Parameters
        ----------
        kind : {"batch", "epoch"}
            Whether the line is about a batch or an epoch.
        values : mapping of str to object
            Metrics as JSON values; NaN and infinity are written as null.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable.
        """
        path = self.folder / METRICS
        with storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json_value({"kind": kind, **values})) + "\n")

    def drop_metrics_after(self, epoch: int, batch: int) -> None:
        """Remove the metrics of batches and epochs after a checkpoint, because they will be trained again.

        Parameters
        ----------
        epoch, batch : int
            Current epoch of the checkpoint, from 1, and the number of its finished batches. Lines of ``metrics.jsonl``
            about later batches, and about this epoch and later ones as a whole, are removed, and so are damaged lines.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable.
        """
        path = self.folder / METRICS
        if path.exists():
            epochs, batches = self.metrics()
            kept = [{"kind": "batch", **b} for b in batches if (b["epoch"], b["batch"]) <= (epoch, batch)]
            kept += [{"kind": "epoch", **e} for e in epochs if e["epoch"] < epoch]
            kept.sort(key=lambda line: (line["epoch"], line.get("batch", math.inf)))
            write_bytes(path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def split(self) -> dict[str, str]:
        """Read the partition (``training``, ``validation`` or ``test``) of every image, by path, from ``split.csv``."""
        table = pd.read_csv(self.folder / "split.csv", dtype=str, keep_default_na=False)
        return dict(zip(table["path"], table["partition"], strict=True))

    def edits(self) -> list[Edit]:
        """Read the manual edits in effect when the run was planned, oldest first, without edits that were undone.

        Empty if the dataset had no edits.

        Raises
        ------
        DatasetError
            ``edits.jsonl`` is damaged.
        StorageError
            The user may not read the file.
        """
        return applied_and_undone(read_log(self.folder, counted=0))[0]

    def predictions(self, partition: str = "test") -> pd.DataFrame | None:
        """Read the predictions on the images of a partition.

        Parameters
        ----------
        partition : {"test", "validation"}
            Partition of the images.

        Returns
        -------
        DataFrame or None
            One row per image, in the order of the dataset. Columns ``path``, ``true``, ``predicted`` (class names) and,
            for each class in the order of `classes`, ``probability_`` followed by its name (0 to 1, or NaN). None until
            the run is tested.
        """
        return _read_predictions(self.folder / PREDICTIONS[partition])

    def probabilities(self, partition: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Read the predicted probabilities of the images of a partition; None until the run is tested.

        Parameters
        ----------
        partition : {"test", "validation"}
            Partition of the images.

        Returns
        -------
        true : ndarray of int64, shape (N,)
            Indices of the true classes in `classes`, in the order of the rows of `predictions`.
        probabilities : ndarray of float64, shape (N, C)
            Softmax outputs, 0 to 1. Rows in the same order, columns in the order of `classes`.
        """
        table = self.predictions(partition)
        if table is None:
            return None
        true = table["true"].map(self.classes.index).to_numpy()
        return true, table[[PROBABILITY + name for name in self.classes]].to_numpy(np.float64)

    def evaluation(self) -> Evaluation | None:
        """Read the evaluation on the test images, from ``evaluation.json``; None until the run is tested.

        Calls return the same object until the file changes.

        Raises
        ------
        StorageError
            The file is damaged, or the user may not read it.
        """
        path = self.folder / "evaluation.json"
        changed = modification_time(path)
        return _evaluation(path, changed) if changed else None

    def timing(self) -> dict[str, Any] | None:
        """Read ``timing.json``; None until it is written.

        Returns
        -------
        dict or None
            Value of `cfu_core.runs.phase_timer.PhaseTimer.to_dict`: ``seconds`` by phase with their ``total``,
            ``device``, ``arithmetic``, ``cache_reused`` and others. Of an unfinished run, the times so far.

        Raises
        ------
        StorageError
            The file is damaged, or the user may not read it.
        """
        path = self.folder / "timing.json"
        return read_json(path) if path.exists() else None

    @property
    def compute_options(self) -> dict[str, Any] | None:
        """Compute options of the run, from ``arithmetic.json``, otherwise those that were planned.

        A value of `cfu_core.training.compute_options.ComputeOptions.to_dict`: device, threads, memory layout and
        precision. None until they are measured, and for a probe.

        Raises
        ------
        StorageError
            The file is damaged, or the user may not read it.
        """
        path = self.folder / "arithmetic.json"
        return read_json(path) if path.exists() else self.plan.compute_options

    def write_predictions(
        self, partition: str, paths: Sequence[str], true: Sequence[str], probabilities: np.ndarray
    ) -> None:
        """Write the predictions on the images of a partition: ``predictions.csv`` (test) or ``validation.csv``.

        For the test images, ``evaluation.json`` is written as well. Existing files are replaced.

        Parameters
        ----------
        partition : {"test", "validation"}
            Partition of the images.
        paths, true : sequence of str
            Path and true class of each of N images; the classes are among `classes`.
        probabilities : ndarray of float, shape (N, C)
            Softmax outputs, 0 to 1. Rows in the order of `paths`, columns in the order of `classes`. The most probable
            class is the predicted one; of several equally probable classes, the first.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable.
        ValueError
            There is no test image; or `paths`, `true` and `probabilities` differ in length.
        """
        predicted = [self.classes[i] for i in probabilities.argmax(axis=1)]
        table = pd.DataFrame({"path": list(paths), "true": list(true), "predicted": predicted})
        for i, name in enumerate(self.classes):
            table[PROBABILITY + name] = probabilities[:, i]
        write_csv(self.folder / PREDICTIONS[partition], table)
        if partition == "test":
            write_json(self.folder / "evaluation.json", evaluate(list(true), predicted, self.classes).to_dict())


@lru_cache(maxsize=4096)
def _evaluation(path: Path, changed: int) -> Evaluation:  # noqa: ARG001
    return Evaluation.from_dict(read_json(path))


def _read_predictions(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    table = pd.read_csv(path, dtype={"path": str, "true": str, "predicted": str}, keep_default_na=False)
    probabilities = table.columns[table.columns.str.startswith(PROBABILITY)]
    table[probabilities] = table[probabilities].apply(pd.to_numeric)  # a column with an empty cell, for NaN, is text
    return table
