"""Runs with known results, written as a worker writes them, and the tiles that a page shows."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import split_of
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, Status
from cfu_core.models.registry import architecture
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import PlannedDataset, PlannedSplit, RunPlan
from cfu_core.runs.run_store import create_run
from cfu_core.runs.training_reference_store import RECORD, ReferenceRecord
from cfu_core.storage import write_json
from cfu_core.training.config import TrainingConfig

EPOCHS = 3


def write_run(
    dataset: Dataset,
    state: State = State.FINISHED,
    *,
    key: str = "alexnet",
    preprocessed: bool = False,
    clip_limit: float = 2.0,
    message: str = "",
    wrong: Sequence[int] = (),
    **status: Any,
) -> Run:
    """Write a run of `EPOCHS` epochs; a finished one predicts the next class for the test images at `wrong`."""
    size = architecture(key).input_size
    recipe = Recipe.preprocessed(size, clip_limit=clip_limit) if preprocessed else Recipe.original(size)
    config = TrainingConfig(dataset=dataset.id, architecture=key, recipe=recipe, weights="none", epochs=EPOCHS)
    split = split_of(dataset, seed=config.split_seed)
    plan = RunPlan(
        config=config,
        dataset=PlannedDataset.of(dataset),
        split=PlannedSplit.of(split),
        architecture_label=architecture(key).label,
        weights_label="random weights",
        environment={},
    )
    run = create_run(plan, dataset, split)
    if state is State.FINISHED:
        for epoch in range(1, EPOCHS + 1):
            _write_epoch(run, epoch)
        test = dataset.images[dataset.images["path"].map(split.assignment) == "test"]
        true = [dataset.classes.index(label) for label in test["label"]]
        predicted = [(c + (i in wrong)) % len(dataset.classes) for i, c in enumerate(true)]
        probabilities = np.full((len(true), len(dataset.classes)), 0.1)
        probabilities[np.arange(len(true)), predicted] = 0.8
        run.write_predictions("test", test["path"].tolist(), test["label"].tolist(), probabilities)
        seconds = {"decode": 1.5, "preprocess": 2.5, "train": 30.0, "validate": 4.0, "test": 2.0, "total": 40.5}
        write_json(run.folder / "timing.json", {"seconds": seconds, "cache_reused": False})
    if state is not State.QUEUED:
        run.write_status(Status(state=state, message=message, **status))
    return run


def write_folds(folds: Sequence[Run], dataset: Dataset) -> None:
    """Write the predictions of a cross-validation: no error in the first fold, one more in each further fold."""
    for place, run in enumerate(sorted(folds, key=lambda run: run.fold)):
        test = dataset.images.set_index("path").loc[[p for p, part in run.split().items() if part == "test"]]
        predicted = [
            (run.classes.index(label) + (i < place)) % len(run.classes) for i, label in enumerate(test["label"])
        ]
        run.write_predictions("test", test.index.tolist(), test["label"].tolist(), np.eye(len(run.classes))[predicted])


def write_reference_record(run: Run, *, test_images: int, unlike_test_images: int) -> None:
    """Write where the reference of a run comes from, without the reference itself."""
    record = ReferenceRecord(
        model_sha256="",
        recipe_digest=run.recipe.digest,
        training_images=20,
        measured_images=20,
        all_training_images=20,
        validation_images=5,
        unlike_validation_images=0,
        threshold=0.5,
        false_alarms=(0.005, 0.52),
        test_images=test_images,
        unlike_test_images=unlike_test_images,
        arithmetic="CPU",
        seconds=1.0,
        created="2026-01-01T00:00:00Z",
        program="0.1.0",
    )
    write_json(run.folder / RECORD, record.to_dict())


def _write_epoch(run: Run, epoch: int) -> None:
    """Write the metrics of an epoch and its two batches."""
    for batch in (1, 2):
        values = {"epoch": epoch, "batch": batch, "batches": 2, "loss": 1.2 / epoch, "accuracy": 0.4 + 0.1 * epoch}
        run.append_metrics("batch", values)
    run.append_metrics(
        "epoch",
        {
            "epoch": epoch,
            "training_loss": 1.1 / epoch,
            "training_accuracy": 0.45 + 0.1 * epoch,
            "validation_loss": 1.3 / epoch,
            "validation_accuracy": 0.4 + 0.1 * epoch,
            "train_seconds": 10.0,
            "validate_seconds": 1.0,
            "images_per_second": 25.0,
            "memory_bytes": 2_500_000_000,
            "best": True,
        },
    )


def tiles(app) -> list[dict]:
    """Return the tiles of the grid, as they were sent to the browser."""
    for element in app.get("bidi_component"):
        if element.proto.component_name.endswith("cfu_tiles"):
            sent = element.proto.bytes
            return json.loads(sent[4 : 4 + int.from_bytes(sent[:4], "little")])["items"]
    return []
