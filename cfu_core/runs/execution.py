"""Carry out a run: data, network, epochs, and the test images once at the end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from cfu_core.dataset.catalog import Dataset, load_dataset
from cfu_core.errors import CfuError, RunError, StopRequested, WeightsError
from cfu_core.imaging import recipe as recipes
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.models.weights import initial_network
from cfu_core.runs.observer import Observer
from cfu_core.runs.store import Run
from cfu_core.storage import write_bytes, write_json
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device, describe
from cfu_core.training.loop import BatchResult, TrainingImages, predict_logits, train
from cfu_core.training.tensors import prepare


def execute_run(run: Run, observer: Observer) -> None:
    """Train, keep the best epoch, test once, and write everything into the run's folder.

    Raises
    ------
    StopRequested
        The observer asked for the end; what the epochs so far gave is kept, the test images stay unseen.
    CfuError
        The user can mend it.
    """
    seconds = dict.fromkeys(("decode", "preprocess", "train", "validate", "test"), 0.0)
    config = TrainingConfig.from_dict(run.config)
    observer.report("Opening the dataset")
    dataset = _planned_dataset(run, config.dataset)
    device = best_device()
    observer.report(f"Loading {run.spec['weights_label']}", device=describe(device))
    loading = time.perf_counter()
    network, weights = initial_network(
        config.architecture,
        config.weights,
        len(dataset.classes),
        seed=config.seed,
        progress=observer.progress("Downloading ImageNet weights (MB)"),
    )
    network.to(device)

    started = time.perf_counter()  # from here on: a download is no part of the time that tables compare
    prepared = prepare(dataset, config.recipe, progress=observer.progress("Decoding and preprocessing"))
    seconds |= {"decode": prepared.decode_seconds, "preprocess": prepared.preprocess_seconds}
    partition = dataset.images["path"].map(run.split()).to_numpy()
    labels = np.full(len(prepared.pixels), -1, np.int64)  # of excluded images
    labels[prepared.rows] = dataset.images["label"].map(dataset.classes.index)
    images = TrainingImages(
        pixels=prepared.pixels,
        labels=labels,
        training=prepared.rows[partition == "training"],
        validation=prepared.rows[partition == "validation"],
    )
    timing_facts = {
        "cache_reused": prepared.reused,
        "cache_built": {
            "decode": prepared.built_decode_seconds,
            "preprocess": prepared.built_preprocess_seconds,
        },
        "loading_weights_seconds": started - loading,
        "device": describe(device),
    }
    watch = _BatchWatch(run, observer, config.epochs)
    for result in train(network, images, config, device, on_batch=watch, between=watch.check):
        run.append_metrics("epoch", result.to_dict())
        seconds["train"] += result.train_seconds
        seconds["validate"] += result.validate_seconds
        watch.epoch_ended(result.validate_seconds)
        if result.best:
            save_model(run, network, {"best_epoch": result.epoch, "weights_at_start": weights.to_dict()})
        write_timing(run, seconds, started, timing_facts)

    observer.report("Testing")
    test_started = time.perf_counter()
    test = np.flatnonzero(partition == "test")
    best = load_model(run).to(device)
    probabilities = _probabilities(best, prepared.pixels, prepared.rows[test], config.batch_size, device, watch.check)
    rows = dataset.images.iloc[test]
    run.write_predictions(rows["path"].tolist(), rows["label"].tolist(), probabilities)
    seconds["test"] = time.perf_counter() - test_started
    write_timing(run, seconds, started, timing_facts)


def _planned_dataset(run: Run, identifier: str) -> Dataset:
    """The dataset with the edits that counted when the run was planned; later ones are for later runs."""
    planned = run.spec["dataset"]
    now = load_dataset(identifier)
    dataset = replace(now, edits=now.edits[: planned.get("version", 0)])
    if dataset.digest != planned["digest"]:
        raise RunError("The dataset has changed since this run was planned.", "", "Start a new run.")
    return dataset


@dataclass
class _BatchWatch:
    """Writes each batch down, tells the observer, and ends the training when asked to."""

    run: Run
    observer: Observer
    epochs: int
    started: float = 0.0
    validation: float = 0.0
    steps: int = 0

    def __call__(self, result: BatchResult) -> None:
        now = time.perf_counter()
        self.steps += 1
        self.run.append_metrics(
            "batch",
            {
                "epoch": result.epoch,
                "batch": result.batch,
                "batches": result.batches,
                "loss": result.loss,
                "accuracy": result.accuracy,
            },
        )
        if self.steps == 1:  # the first step also warms up; time is counted from its end
            self.started = now
        left = None
        if self.steps > 1:
            step = (now - self.started - self.validation * (result.epoch - 1)) / (self.steps - 1)
            steps_left = result.batches * self.epochs - self.steps
            left = step * steps_left + self.validation * (self.epochs - result.epoch + 1)
        self.observer.report(
            "Training",
            epoch=result.epoch,
            epochs=self.epochs,
            batch=result.batch,
            batches=result.batches,
            images_per_second=result.images_per_second,
            seconds_left=left,
        )
        self.check()

    def check(self) -> None:
        if self.observer.stop_requested():
            raise StopRequested

    def epoch_ended(self, validate_seconds: float) -> None:
        self.validation = validate_seconds


def _probabilities(
    network: nn.Module,
    pixels: np.ndarray,
    rows: np.ndarray,
    batch_size: int,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> np.ndarray:
    logits = predict_logits(network, pixels, rows, batch_size, device, between)
    return logits.double().softmax(dim=1).numpy()


def write_timing(run: Run, seconds: dict[str, float], started: float, facts: dict[str, Any]) -> None:
    """Keep where the time went; `total` is wall time since `started`."""
    write_json(run.folder / "timing.json", {"seconds": {**seconds, "total": time.perf_counter() - started}, **facts})


def save_model(run: Run, network: nn.Module, facts: dict[str, Any]) -> None:
    """Keep the network's weights, with all that is needed to use them beside them."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in network.state_dict().items()}
    # by way of bytes: safetensors' own writer hides from us that the disk is full
    write_bytes(run.folder / "model.safetensors", save(tensors))
    write_json(
        run.folder / "model.json",
        {
            "architecture": run.config["architecture"],
            "classes": run.classes,
            "recipe": run.config["recipe"],
            "normalisation": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
            **facts,
        },
    )


def load_model(run: Run) -> nn.Module:
    """The network of the run's best epoch, on the CPU, in evaluation mode.

    Raises
    ------
    RunError
        The run has not finished an epoch yet.
    WeightsError
        The file is damaged.
    """
    path = run.folder / "model.safetensors"
    if not path.exists():
        raise RunError(f"The run {run.id} has no trained model.", "It has not finished an epoch.", "Train it first.")
    network = build_network(run.config["architecture"], seed=0)
    replace_head(network, run.config["architecture"], len(run.classes), seed=0)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} is damaged: {error}.", "", "Train the run again.") from error
    return network.eval()


def predict(run: Run, images: list[np.ndarray]) -> np.ndarray:
    """Class probabilities that a run's network gives to new images.

    Parameters
    ----------
    run : Run
    images : list of ndarray of uint8, shape (H, W, 3)
        RGB, as decoded; the run's own recipe is applied.

    Returns
    -------
    ndarray of float64, shape (len(images), classes)
    """
    if not images:
        raise CfuError("No images were given.", "Name at least one image.")
    device = best_device()
    network = load_model(run).to(device)
    pixels = np.stack([recipes.apply(run.recipe, image) for image in images])
    return _probabilities(network, pixels, np.arange(len(images)), run.config["batch_size"], device)
