"""Carry out a run: data, network, epochs, and the test images once at the end."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from cfu_core.errors import CfuError, RunError, StopRequested, WeightsError
from cfu_core.imaging import recipe as recipes
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.models.weights import initial_network
from cfu_core.runs.checkpoints import CheckpointWriter, copied_to_cpu, discard_checkpoints, newest_checkpoint
from cfu_core.runs.observer import Observer
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.store import Run
from cfu_core.storage import write_bytes, write_json
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device, describe
from cfu_core.training.loop import BatchResult, Training, TrainingImages, predict_logits
from cfu_core.training.tensors import PreparedImages, prepare

MODEL = "model.safetensors"


def execute_run(run: Run, observer: Observer) -> None:
    """Train from where the run stands, keep the best epoch, test once, and write everything into the run's folder.

    Raises
    ------
    StopRequested
        The observer asked for the end, or for a pause; where it stood is kept, the test images stay unseen.
    CfuError
        The user can mend it.
    """
    config = TrainingConfig.from_dict(run.config)
    observer.report("Opening the dataset")
    dataset = planned_dataset(run)
    device = best_device()
    found, problems = newest_checkpoint(run.folder)
    for problem in problems:
        print(problem)
    loading = time.perf_counter()
    if found:
        observer.report("Loading the checkpoint", device=describe(device))
        network, began_with = _empty_network(run), found.facts["weights_at_start"]
    else:
        observer.report(f"Loading {run.spec['weights_label']}", device=describe(device))
        network, weights = initial_network(
            config.architecture,
            config.weights,
            len(dataset.classes),
            seed=config.seed,
            progress=observer.progress("Downloading ImageNet weights (MB)"),
        )
        began_with = weights.to_dict()
    network.to(device)

    clock = _Clock(run, found.facts["timing"] if found else {})  # a download is no part of the time that tables compare
    clock.facts |= {"loading_weights_seconds": time.perf_counter() - loading, "device": describe(device)}
    prepared = prepare(dataset, config.recipe, progress=observer.progress("Decoding and preprocessing"))
    clock.prepared(prepared)
    partition = dataset.images["path"].map(run.split()).to_numpy()
    labels = np.full(len(prepared.pixels), -1, np.int64)  # of excluded images
    labels[prepared.rows] = dataset.images["label"].map(dataset.classes.index)
    images = TrainingImages(
        pixels=prepared.pixels,
        labels=labels,
        training=prepared.rows[partition == "training"],
        validation=prepared.rows[partition == "validation"],
    )
    training = Training(network, images, config, device)
    if found:
        training.restore(found.state)
        run.forget_metrics_after(training.epoch, training.batch)
        if problems:
            clock.facts["remarks"] = [*clock.facts.get("remarks", []), *problems]
    else:
        run.forget_metrics_after(1, 0)
    _train(run, training, _Keeper(run, training, clock, began_with), observer)

    observer.report("Testing")
    with clock.measuring("test"):
        test = np.flatnonzero(partition == "test")
        best = load_model(run).to(device)
        seen = prepared.rows[test]
        probabilities = _probabilities(best, prepared.pixels, seen, config.batch_size, device, observer.check)
        rows = dataset.images.iloc[test]
        run.write_predictions(rows["path"].tolist(), rows["label"].tolist(), probabilities)
    clock.write()
    discard_checkpoints(run.folder)


def _train(run: Run, training: Training, keeper: "_Keeper", observer: Observer) -> None:
    watch = _BatchWatch(run, observer, training.config.epochs)

    def on_batch(result: BatchResult) -> None:
        keeper.clock.seconds["train"] += result.seconds
        watch(result)
        keeper.now_and_then()

    with keeper:
        try:
            for result in training.epochs(on_batch=on_batch, between=observer.check):
                keeper.clock.seconds["validate"] += result.validate_seconds
                with keeper.clock.measuring("save"):
                    run.append_metrics("epoch", result.to_dict())
                    keeper.epoch_ended(best=result.best)
                watch.epoch_ended(result.validate_seconds)
                observer.check()
        except StopRequested:
            keeper.keep()
            raise


class _Clock:
    """Where the time goes: seconds by what they were spent on, over all sittings of a run.

    Parameters
    ----------
    run : Run
    earlier : mapping
        What `to_dict` gave when the run was put down; empty in its first sitting.
    """

    def __init__(self, run: Run, earlier: Mapping[str, Any]) -> None:
        parts = ("decode", "preprocess", "train", "validate", "save", "test")
        spent = dict(earlier.get("seconds", {}))
        self._earlier = spent.pop("total", 0.0)
        self._started = time.perf_counter()
        self._run = run
        self.seconds = dict.fromkeys(parts, 0.0) | spent
        self.facts: dict[str, Any] = {name: value for name, value in earlier.items() if name != "seconds"}
        self.facts["sittings"] = self.facts.get("sittings", 0) + 1

    def prepared(self, images: PreparedImages) -> None:
        """What decoding and preprocessing took."""
        self.seconds["decode"] += images.decode_seconds
        self.seconds["preprocess"] += images.preprocess_seconds
        if self.facts["sittings"] == 1:
            self.facts["cache_reused"] = images.reused
        self.facts["cache_built"] = {
            "decode": images.built_decode_seconds,
            "preprocess": images.built_preprocess_seconds,
        }

    @contextmanager
    def measuring(self, part: str) -> Iterator[None]:
        """Count the time of a block to a part."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - began

    def to_dict(self) -> dict[str, Any]:
        """As ``timing.json`` holds it; ``total`` is the wall time of all sittings."""
        total = self._earlier + time.perf_counter() - self._started
        return {"seconds": {**self.seconds, "total": total}, **self.facts}

    def write(self) -> None:
        """Keep it beside the run."""
        write_json(self._run.folder / "timing.json", self.to_dict())


class _Keeper:
    """Keeps where a run stands: after each epoch, each minute, and when it is put down."""

    def __init__(self, run: Run, training: Training, clock: _Clock, began_with: dict[str, Any]) -> None:
        self.clock = clock
        self._run = run
        self._training = training
        self._began_with = began_with
        self._writer = CheckpointWriter(run.folder)
        self._at = (0, 0)  # where the newest one stands
        self._best: tuple[int, dict[str, torch.Tensor]] | None = None  # an epoch and its weights, not on disk yet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._writer.wait()
            self._save(self._best)
        finally:
            self._writer.close()

    def now_and_then(self) -> None:
        """After a batch."""
        if self._writer.due:
            with self.clock.measuring("save"):
                self.keep()

    def epoch_ended(self, *, best: bool) -> None:
        """After an epoch; the weights of the best one so far are the run's result."""
        if best:
            self._best = (self._training.epoch - 1, copied_to_cpu(self._training.network.state_dict()))
        if self._writer.affordable:
            self.keep()
        self.clock.write()

    def keep(self) -> None:
        """Where it stands now.

        The best weights are written first: whoever goes on from a checkpoint finds those that it speaks of, or later
        ones.
        """
        epoch, batch = self._training.epoch, self._training.batch
        if (epoch, batch) == self._at:
            return
        self._at = (epoch, batch)
        facts = {
            "epoch": epoch,
            "batch": batch,
            "weights_at_start": self._began_with,
            "timing": self.clock.to_dict(),
        }
        step = (epoch - 1) * self._training.batches + batch
        best, self._best = self._best, None
        self._writer.keep(step, self._training.state(), facts, first=lambda: self._save(best))

    def _save(self, best: tuple[int, dict[str, torch.Tensor]] | None) -> None:
        if best:
            epoch, weights = best
            save_model(self._run, weights, {"best_epoch": epoch, "weights_at_start": self._began_with})


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
        self.observer.check()

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


def save_model(run: Run, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Keep a network's weights, with all that is needed to use them beside them."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
    # by way of bytes: safetensors' own writer hides from us that the disk is full
    write_bytes(run.folder / MODEL, save(tensors))
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
    path = run.folder / MODEL
    if not path.exists():
        raise RunError(f"The run {run.id} has no trained model.", "It has not finished an epoch.", "Train it first.")
    network = _empty_network(run)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} is damaged: {error}.", "", "Train the run again.") from error
    return network.eval()


def _empty_network(run: Run) -> nn.Module:
    """The run's network, to be filled with weights."""
    network = build_network(run.config["architecture"], seed=0)
    replace_head(network, run.config["architecture"], len(run.classes), seed=0)
    return network


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
