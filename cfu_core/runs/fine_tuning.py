"""Carry out a run in which all layers learn: epochs, checkpoints, and the test images once at the end."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import StopRequested
from cfu_core.models.registry import architecture
from cfu_core.observer import Observer
from cfu_core.runs.checkpoint_schedule import Keeper
from cfu_core.runs.checkpoints import Checkpoint, discard_checkpoints, forget_after, newest_checkpoint
from cfu_core.runs.model_files import empty_network, load_model, network_to_train, probabilities_of
from cfu_core.runs.phase_timer import Clock
from cfu_core.runs.store import Run
from cfu_core.runs.training_data import part, prepared_images, write_predictions
from cfu_core.runs.training_progress import BatchWatch
from cfu_core.storage import write_json
from cfu_core.training.compute_options import Arithmetic
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device, describe
from cfu_core.training.loading import Feed
from cfu_core.training.loop import BatchResult, Training, TrainingImages, predict_logits
from cfu_core.training.tuning import fastest


def fine_tune(run: Run, dataset: Dataset, config: TrainingConfig, observer: Observer) -> None:
    """Train from where the run stands, keep the best epoch, test once, and write everything into the run's folder.

    Raises
    ------
    StopRequested
        The observer asked for the end, or for a pause; where it stood is kept, the test images stay unseen.
    CfuError
        The user can mend it.
    """
    found, problems = newest_checkpoint(run.folder)
    forget_after(run.folder, found)
    for problem in problems:
        print(problem)
    loading = time.perf_counter()
    network, began_with = _network(run, config, found, observer)
    loading = time.perf_counter() - loading

    clock = Clock(run, found.facts["timing"] if found else {})  # a download is no part of the time that tables compare
    clock.facts["loading_weights_seconds"] = loading
    if problems:
        clock.facts["remarks"] = [*clock.facts.get("remarks", []), *problems]
    prepared, material = prepared_images(run, dataset, clock, observer), part(run, dataset)
    rows = {name: prepared.rows[places] for name, places in material.places.items()}
    with clock.measuring("tune"):
        arithmetic = _arithmetic(run, network, config, len(rows["training"]), observer)
    clock.facts |= {"device": describe(arithmetic.on), "arithmetic": arithmetic.label}
    with clock.measuring("load"):
        labels = np.full(len(prepared.pixels), -1, np.int64)  # of excluded images
        labels[prepared.rows] = material.labels
        images = TrainingImages(
            pixels=prepared.pixels, labels=labels, training=rows["training"], validation=rows["validation"]
        )
        training = Training(network, images, config, arithmetic)
        if found:
            training.restore(found.state)
            found.state.clear()
        run.forget_metrics_after(training.epoch, training.batch)
    clock.seconds["transfer"] += training.feed.seconds
    clock.seconds["load"] -= training.feed.seconds
    watch = BatchWatch(run, training, len(rows["validation"]) + len(rows["test"]), observer)
    _train(training, Keeper(run, training, clock, began_with), watch, observer)
    del training, watch  # their memory is free for the test

    observer.report("Testing")
    with clock.measuring("load"):
        # in full precision, as whoever loads the model will use it
        exact = replace(arithmetic, precision="float32")
        best = exact.settle(load_model(run))
    for partition, spent_on in (("validation", "validate"), ("test", "test")):
        with clock.measuring(spent_on):
            feed = Feed(prepared.pixels, rows[partition], exact.on)
            logits = predict_logits(best, feed, rows[partition], config.batch_size, exact, observer.check)
            write_predictions(run, material, partition, probabilities_of(logits))
    clock.write()
    discard_checkpoints(run.folder)


def _network(
    run: Run, config: TrainingConfig, found: Checkpoint | None, observer: Observer
) -> tuple[nn.Module, dict[str, Any]]:
    """The network to train, and what it began with; still to be filled where there is a checkpoint."""
    if found:
        observer.report("Loading the checkpoint")
        return empty_network(run), found.facts["weights_at_start"]
    network, weights = network_to_train(run, config, observer)
    return network, weights.to_dict()


def _arithmetic(run: Run, network: nn.Module, config: TrainingConfig, images: int, observer: Observer) -> Arithmetic:
    """How this run is computed: as it, or the run that it repeats, was begun; else as is the fastest here."""
    kept, device = run.arithmetic, best_device()
    if kept and kept["device"] == device.type:
        return Arithmetic.from_dict(kept)
    side = architecture(config.architecture).input_size
    arithmetic = fastest(
        network,
        config.architecture,
        (config.batch_size, 3, side, side),
        device,
        steps=-(-images // config.batch_size) * config.epochs,
        full_precision=config.precision == "float32",
        progress=observer.progress("Measuring how this computer is fastest"),
    )
    write_json(run.folder / "arithmetic.json", arithmetic.to_dict())
    return arithmetic


def _train(training: Training, keeper: Keeper, watch: BatchWatch, observer: Observer) -> None:
    clock = keeper.clock

    def on_batch(result: BatchResult) -> None:
        clock.seconds["train"] += result.seconds
        clock.seconds["transfer"] += result.transfer_seconds
        with clock.measuring("save"):
            watch.step_ended(result)
        keeper.now_and_then()

    with keeper:
        try:
            for result in training.epochs(on_batch=on_batch, between=observer.check):
                clock.seconds["validate"] += result.validate_seconds
                with clock.measuring("save"):
                    watch.epoch_ended(result)
                    keeper.epoch_ended(best=result.best)
                observer.check()
        except StopRequested:
            keeper.keep()
            raise
