"""A training run: a job whose folder holds plain files that a person can read without this program.

=====================  ==============================================================================================
``spec.json``          what was requested: configuration, dataset, environment; written once
``status.json``        how it stands (see `cfu_core.job`)
``name.json``          the name that a person gave it, if any
``split.csv``          path, label and partition of every image
``edits.jsonl``        the dataset's log of edits up to then, if there are any (`cfu_core.dataset.history`)
``metrics.jsonl``      a line a batch and a line an epoch, written as the training proceeds
``predictions.csv``    path, true class, predicted class and a probability per class, of the test images
``validation.csv``     the same for the validation images
``evaluation.json``    confusion matrix, accuracy, precision; computed from ``predictions.csv`` alone
``arithmetic.json``    device, threads, memory layout and precision
``timing.json``        seconds by phase
``model.safetensors``  the weights of the best epoch, with ``model.json`` beside them
``probe.json``         of a probe: the regularisation strengths that were tried, and the chosen one
``gradcam.npz``        class activation maps of the test images, once requested; ``gradcam.json`` beside it
``bundle.zip``         the exported network, once requested (`cfu_core.exporting`)
``log.txt``            what the process printed
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
from cfu_core.errors import CfuError
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

METRICS = "metrics.jsonl"
BUNDLE = "bundle.zip"
PROBABILITY = "probability_"
#: Files of predictions; those of the validation images serve what is fitted to them, such as a temperature.
PREDICTIONS = {"test": "predictions.csv", "validation": "validation.csv"}


class Run(Job):
    """One training run on disk. Its identifier holds the time, the network, the kind of recipe and four random digits."""

    @cached_property
    def plan(self) -> RunPlan:
        """What was requested, typed; read once."""
        return RunPlan.from_dict(self.spec)

    def readable(self) -> bool:
        """Return whether the specification is complete and valid."""
        try:
            return super().readable() and bool(self.plan)
        except (CfuError, KeyError, TypeError):
            return False

    @property
    def config(self) -> TrainingConfig:
        """The training configuration."""
        return self.plan.config

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the network's outputs."""
        return self.plan.dataset.classes

    @property
    def recipe(self) -> Recipe:
        """The recipe that preprocesses images for this run's network."""
        return self.config.recipe

    @property
    def mode(self) -> str:
        """``fine-tune`` where all layers are trained, ``probe`` where only the last one is."""
        return self.config.mode

    @property
    def fold(self) -> str:
        """The fold of a cross-validation that it tests, ``"1 of 5"``; empty where there is none."""
        return f"{self.config.fold + 1} of {self.config.folds}" if self.config.folds else ""

    @property
    def name(self) -> str:
        """The name a person gave it, or its network, images and weights in words."""
        return self.given_name or self.default_name

    @property
    def given_name(self) -> str:
        """The name a person gave it; empty where nobody did."""
        path = self.folder / "name.json"
        return read_json(path)["name"] if path.exists() else ""

    @property
    def default_name(self) -> str:
        """Network, images and first weights in words; the seed unless it is 0, and the fold if there is one."""
        more = ", probe" if self.mode == "probe" else ""
        more += f", seed {self.config.seed}" if self.config.seed else ""
        more += f", fold {self.fold}" if self.fold else ""
        return f"{self.plan.architecture_label}, {self.recipe.kind}, {self.plan.weights_label}{more}"

    def rename(self, name: str) -> None:
        """Give the run a name; an empty one brings back the default."""
        if name.strip():
            write_json(self.folder / "name.json", {"name": name.strip()})
        else:
            (self.folder / "name.json").unlink(missing_ok=True)

    def history(self) -> list[dict[str, Any]]:
        """Return the epochs so far, oldest first; the fields of `cfu_core.training.loop.EpochResult`."""
        return self.metrics().epochs

    def metrics(self) -> Metrics:
        """Return the epochs and the batches so far, from one reading of the file."""
        return MetricsReader(self.folder / METRICS).read()

    def append_metrics(self, kind: str, values: Mapping[str, Any]) -> None:
        """Add one line to ``metrics.jsonl``."""
        path = self.folder / METRICS
        with storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(json_value({"kind": kind, **values})) + "\n")

    def forget_metrics_after(self, epoch: int, batch: int) -> None:
        """Leave out of ``metrics.jsonl`` what comes after `batch` batches of `epoch`, which are to be done again."""
        path = self.folder / METRICS
        if path.exists():
            epochs, batches = self.metrics()
            kept = [{"kind": "batch", **b} for b in batches if (b["epoch"], b["batch"]) <= (epoch, batch)]
            kept += [{"kind": "epoch", **e} for e in epochs if e["epoch"] < epoch]
            kept.sort(key=lambda line: (line["epoch"], line.get("batch", math.inf)))
            write_bytes(path, "".join(json.dumps(line) + "\n" for line in kept).encode())

    def split(self) -> dict[str, str]:
        """The partition of every image, by path, as planned."""
        table = pd.read_csv(self.folder / "split.csv", dtype=str, keep_default_na=False)
        return dict(zip(table["path"], table["partition"], strict=True))

    def edits(self) -> list[Edit]:
        """The edits by hand that counted when it was planned, oldest first; empty for runs older than this file."""
        return applied_and_undone(read_log(self.folder, counted=0))[0]

    def predictions(self) -> pd.DataFrame | None:
        """The table of predictions on the test images, or None while there is none."""
        return self.predicted("test")

    def predicted(self, partition: str) -> pd.DataFrame | None:
        """The table of predictions on the test or validation images, or None where that was not written down."""
        return _read_predictions(self.folder / PREDICTIONS[partition])

    def probabilities(self, partition: str) -> tuple[np.ndarray, np.ndarray] | None:
        """What the network made of the test or validation images, or None where that was not written down.

        Returns
        -------
        true : ndarray of int, shape (N,)
            Places in `classes`.
        probabilities : ndarray of float64, shape (N, C)
        """
        table = self.predicted(partition)
        if table is None:
            return None
        true = table["true"].map(self.classes.index).to_numpy()
        return true, table[[PROBABILITY + name for name in self.classes]].to_numpy(np.float64)

    def evaluation(self) -> Evaluation | None:
        """The evaluation on the test images, or None while there is none."""
        path = self.folder / "evaluation.json"
        changed = modification_time(path)
        return _evaluation(path, changed) if changed else None

    def timing(self) -> dict[str, Any] | None:
        """Seconds by what they were spent on, or None while the run has not come that far."""
        path = self.folder / "timing.json"
        return read_json(path) if path.exists() else None

    @property
    def compute_options(self) -> dict[str, Any] | None:
        """How it is computed (see `cfu_core.training.compute_options`); None until it is measured."""
        path = self.folder / "arithmetic.json"
        return read_json(path) if path.exists() else self.plan.compute_options

    def write_predictions(self, partition: str, paths: Sequence[str], true: Sequence[str], probabilities: Any) -> None:
        """Write ``predictions.csv`` and, from it, ``evaluation.json``; of the validation images ``validation.csv``.

        Parameters
        ----------
        partition : str
            ``test`` or ``validation``.
        paths, true : sequence of str
            Of its images.
        probabilities : ndarray, shape (N, C)
            In the order of `classes`.
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
    return pd.read_csv(path, dtype={"path": str, "true": str, "predicted": str}, keep_default_na=False)
