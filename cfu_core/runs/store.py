"""A run is a folder of plain files that a person can read without this program.

=====================  ==============================================================================================
``spec.json``          what was asked for: configuration, dataset, environment; written once
``status.json``        how it stands (see `cfu_core.jobs.job`)
``name.json``          the name a person gave it, if any
``split.csv``          path, label, partition of every image
``edits.jsonl``        the dataset's log of edits up to then, where there are any (`cfu_core.dataset.history`)
``metrics.jsonl``      one line a batch and one line an epoch, as it goes
``predictions.csv``    path, true, predicted and a probability per class, of the test images
``validation.csv``     the same of the validation images
``evaluation.json``    confusion matrix, accuracy, precision; from ``predictions.csv`` alone
``arithmetic.json``    device, threads, layout and precision
``timing.json``        seconds by what they were spent on
``model.safetensors``  the weights of the best epoch, with ``model.json`` beside them
``probe.json``         of a probe: the strengths of the penalty that were tried, and the one that was taken
``gradcam.npz``        where the network looks in each test image, once somebody asked; ``gradcam.json`` beside it
``bundle.zip``         the network to take along, once somebody asked (`cfu_core.exporting`)
``log.txt``            what the worker printed
=====================  ==============================================================================================
"""

import json
import math
import platform
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfu_core import PROJECT, __version__
from cfu_core.dataset.catalog import Dataset
from cfu_core.dataset.history import LOG, Edit, counting, log_line, read_log
from cfu_core.dataset.splitting import Split
from cfu_core.errors import RunError
from cfu_core.evaluation.metrics import Evaluation, evaluate
from cfu_core.evaluation.paper_tables import RunResult
from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.training_log import Metrics, MetricsReader
from cfu_core.storage import (
    SpecFolder,
    finite,
    home,
    modified,
    read_json,
    replacing,
    storage_errors,
    write_bytes,
    write_json,
)

PACKAGES = ("torch", "torchvision", "opencv-python-headless", "numpy", "scikit-learn")
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,96}")
METRICS = "metrics.jsonl"
BUNDLE = "bundle.zip"
PROBABILITY = "probability_"
#: Files of predictions; those of the validation images are for what is fitted to them, such as a temperature.
PREDICTIONS = {"test": "predictions.csv", "validation": "validation.csv"}


class Run(SpecFolder):
    """One training run on disk; its identifier says when, which network, which images, and four random digits."""

    @property
    def config(self) -> dict[str, Any]:
        """The training configuration, as plain values."""
        return self.spec["config"]

    @property
    def classes(self) -> list[str]:
        """Class names in the order of the network's outputs."""
        return self.spec["dataset"]["classes"]

    @cached_property
    def recipe(self) -> Recipe:
        """How images are preprocessed for this run's network."""
        return Recipe.from_dict(self.config["recipe"])

    @property
    def mode(self) -> str:
        """``fine-tune`` where all layers learn, ``probe`` where the last one does."""
        return self.config.get("mode", "fine-tune")

    @property
    def fold(self) -> str:
        """Which fold of a cross-validation it tests, ``"1 of 5"``; empty where there is none."""
        return f"{self.config['fold'] + 1} of {self.config['folds']}" if self.config.get("folds") else ""

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
        more += f", seed {self.config['seed']}" if self.config["seed"] else ""
        more += f", fold {self.fold}" if self.fold else ""
        return f"{self.spec['architecture_label']}, {self.recipe.images}, {self.spec['weights_label']}{more}"

    def rename(self, name: str) -> None:
        """Give the run a name; an empty one brings back the default."""
        if name.strip():
            write_json(self.folder / "name.json", {"name": name.strip()})
        else:
            (self.folder / "name.json").unlink(missing_ok=True)

    def history(self) -> list[dict[str, Any]]:
        """The epochs so far, oldest first; the fields of `cfu_core.training.loop.EpochResult`."""
        return self.metrics().epochs

    def batches(self) -> list[dict[str, Any]]:
        """The optimizer's steps so far: epoch, batch, loss, accuracy, learning rate."""
        return self.metrics().batches

    def metrics(self) -> Metrics:
        """`history` and `batches` from one reading of the file."""
        return MetricsReader(self.folder / METRICS).read()

    def append_metrics(self, kind: str, values: Mapping[str, Any]) -> None:
        """Add one line to ``metrics.jsonl``."""
        path = self.folder / METRICS
        with storage_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite({"kind": kind, **values})) + "\n")

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
        return counting(read_log(self.folder, counted=0))[0]

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
        changed = modified(path)
        return _evaluation(path, changed) if changed else None

    def timing(self) -> dict[str, Any] | None:
        """Seconds by what they were spent on, or None while the run has not come that far."""
        path = self.folder / "timing.json"
        return read_json(path) if path.exists() else None

    @property
    def arithmetic(self) -> dict[str, Any] | None:
        """How it is computed (`cfu_core.training.compute_options.Arithmetic`); None while nobody has decided."""
        path = self.folder / "arithmetic.json"
        return read_json(path) if path.exists() else self.spec.get("arithmetic")

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


def runs_folder() -> Path:
    """Where all runs lie."""
    return home() / "runs"


def create_run(
    *,
    config: Mapping[str, Any],
    dataset: Dataset,
    split: Split,
    architecture_label: str,
    weights_label: str,
    batch: str = "",
    arithmetic: Mapping[str, Any] | None = None,
) -> Run:
    """Make the folder of a new run, complete before it can be seen.

    Parameters
    ----------
    config : mapping
        From `TrainingConfig.to_dict`.
    dataset : Dataset
    split : Split
    architecture_label, weights_label : str
        In words, for people.
    batch : str
        Runs that were asked for together share it.
    arithmetic : mapping, optional
        How to compute (see `Run.arithmetic`).
    """
    now = datetime.now(UTC)
    recipe = Recipe.from_dict(config["recipe"])
    # to the microsecond, so that identifiers sort by age
    identifier = f"{now:%Y%m%d-%H%M%S-%f}-{config['architecture']}-{recipe.images}-{secrets.token_hex(2)}"
    folder = runs_folder() / identifier
    draft = folder.with_name(f".{identifier}.part")
    with storage_errors(draft):
        draft.mkdir(parents=True)
    try:
        table = dataset.images[["path", "label"]].assign(partition=dataset.images["path"].map(split.assignment))
        write_csv(draft / "split.csv", table)
        if dataset.edits:
            write_bytes(draft / LOG, b"".join(log_line(edit) for edit in dataset.edits))
        write_json(
            draft / "spec.json",
            {
                "kind": "train",
                "created": now.isoformat(timespec="microseconds"),
                "batch": batch,
                "config": dict(config),
                "recipe_digest": recipe.digest,
                "architecture_label": architecture_label,
                "weights_label": weights_label,
                "dataset": {
                    "id": dataset.id,
                    "name": dataset.name,
                    "digest": dataset.digest,
                    "version": dataset.version,
                    "drawn": dataset.drawn,
                    "images": len(dataset.images),
                    "classes": dataset.classes,
                },
                "split": {
                    "seed": split.seed,
                    "version": split.version,
                    "moved": split.moved,
                    "counts": split.counts,
                    "nearness": split.nearness,
                    "folds": split.folds,
                    "fold": split.fold,
                },
                "arithmetic": dict(arithmetic) if arithmetic else None,
                "environment": environment(),
            },
        )
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Run(folder)


def environment() -> dict[str, str]:
    """Versions that decide whether a run can be repeated; ``commit`` is empty where this is no checkout."""
    return {
        "cfu_core": __version__,
        "commit": _commit(PROJECT),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in PACKAGES},
    }


def _commit(checkout: Path) -> str:
    """The commit of a git checkout, with ``-dirty`` where files differ from it."""
    if not (checkout / ".git").exists():
        return ""  # not the commit of some folder around it
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def open_run(reference: str) -> Run:
    """A run by its identifier, or by the name a person gave it.

    Raises
    ------
    RunError
        There is none, or several have that name.
    """
    if _SAFE_ID.fullmatch(reference) and (runs_folder() / reference / "spec.json").is_file():
        return Run(runs_folder() / reference)
    named = [run for run in list_runs() if run.name == reference]
    if len(named) == 1:
        return named[0]
    known = ", ".join(run.id for run in list_runs()[:5]) or "none yet"
    raise RunError(
        f"There is no run {reference!r}." if not named else f"{len(named)} runs are named {reference!r}.",
        f"The newest runs are: {known}.",
        "Use a run's identifier.",
    )


def list_runs() -> list[Run]:
    """All runs whose ``spec.json`` can be read, newest first."""
    found = (_run(path.parent, modified(path)) for path in sorted(runs_folder().glob("[!.]*/spec.json"), reverse=True))
    return [run for run in found if run.readable()]


@lru_cache(maxsize=4096)
def _run(folder: Path, changed: int) -> Run:  # noqa: ARG001 - a specification that has changed is read again
    """A run whose specification is parsed once, however often runs are listed."""
    return Run(folder)


@lru_cache(maxsize=4096)
def _evaluation(path: Path, changed: int) -> Evaluation:  # noqa: ARG001
    return Evaluation.from_dict(read_json(path))


def delete_run(run: Run) -> None:
    """Remove a run's folder; it vanishes from lists at once."""
    doomed = run.folder.with_name(f".{run.id}.deleted")
    with storage_errors(run.folder):
        run.folder.rename(doomed)
        shutil.rmtree(doomed)


def _read_predictions(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    return pd.read_csv(path, dtype={"path": str, "true": str, "predicted": str}, keep_default_na=False)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table, whole or not at all."""
    with replacing(path) as draft:
        table.to_csv(draft, index=False)


def result_of(run: Run) -> RunResult:
    """What the tables show of a run."""
    timing = run.timing() or {}
    learned = () if run.mode == "probe" else ("batch_size", "learning_rate", "optimizer", "schedule", "patience")
    return RunResult(
        run=run.id,
        name=run.name,
        architecture=run.config["architecture"],
        label=run.spec["architecture_label"],
        images=run.recipe.images,
        weights=run.spec["weights_label"],
        dataset=run.spec["dataset"]["name"],
        epochs=None if run.mode == "probe" else run.config["epochs"],
        mode=run.mode,
        seed=run.config["seed"],
        seconds=timing.get("seconds", {}),
        cache_reused=timing.get("cache_reused", False),
        drawn=run.spec["dataset"]["drawn"],
        recipe=run.recipe.summary,
        settings={"fold": run.fold, **{name: run.config.get(name) for name in ("split_seed", *learned)}},
        evaluation=run.evaluation(),
    )
