"""Execute a fine-tuning run: train all layers, write checkpoints, and predict the test images once at the end."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import RunError, StopRequested
from cfu_core.evaluation.training_comparison import LIGHTS
from cfu_core.models.registry import architecture
from cfu_core.observer import Observer
from cfu_core.runs.checkpoint_schedule import CheckpointSchedule
from cfu_core.runs.checkpoints import Checkpoint, discard_checkpoints, discard_newer, newest_checkpoint
from cfu_core.runs.model_files import build_run_network, initial_run_network, load_model, softmax
from cfu_core.runs.phase_timer import PhaseTimer
from cfu_core.runs.run import Run
from cfu_core.runs.training_data import TrainingData, prepare_images, training_data, write_predictions
from cfu_core.runs.training_progress import ProgressReporter
from cfu_core.runs.training_reference import compute_features, fit_reference, sampled_positions
from cfu_core.storage import write_json
from cfu_core.training.compute_options import ComputeOptions
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device, describe_device
from cfu_core.training.loading import BatchLoader
from cfu_core.training.loop import BatchResult, Training, TrainingImages, predict_with_features
from cfu_core.training.prepared_images import PreparedImages
from cfu_core.training.tuning import fastest_options


def fine_tune(run: Run, dataset: Dataset, config: TrainingConfig, observer: Observer) -> None:
    """Train all layers of a run's network, from its newest checkpoint or from the start, and write the results.

    Files in the folder of the run: ``arithmetic.json`` before the training; checkpoints, ``timing.json`` and a line of
    ``metrics.jsonl`` for each batch and epoch during it; then the model of the best epoch (``model.safetensors``,
    ``model.json``), predictions for the validation and test images, and ``evaluation.json``. The test images are
    predicted once, at the end, in float32. After ``timing.json`` is complete, the reference by which images unlike all
    training images are found (``reference.npz``, ``reference.json``) is written. The checkpoints are then removed.
    Damaged checkpoints are skipped; a message about them is printed and is in ``timing.json``.

    Parameters
    ----------
    run : Run
        Run whose folder receives the files, and whose recipe and split are used.
    dataset : Dataset
        Dataset with the edits at the time the run was planned (`cfu_core.runs.planning.planned_dataset`).
    config : TrainingConfig
        Configuration of the run, with mode ``fine-tune``.
    observer : Observer
        Receives the progress; its requests to stop are checked after each prepared image and each batch.

    Raises
    ------
    StopRequested
        The observer requested a stop or a pause. During the training, a checkpoint and the model of the best epoch so
        far, if an epoch has ended, are written.
    CfuError
        An image cannot be read or the recipe cannot be applied to it, the weights cannot be downloaded or loaded, the
        training diverges (the loss is not finite), the disk is full, the home folder is not writable, or the
        environment variable ``CFU_CACHE_GB`` is not valid.
    """
    checkpoint, problems = newest_checkpoint(run.folder)
    discard_newer(run.folder, checkpoint)
    for problem in problems:
        print(problem)
    began = time.perf_counter()
    network, initial_weights = _network(run, config, checkpoint, observer)
    loading = time.perf_counter() - began

    # begins here: tables compare times, which must not include a download
    timer = PhaseTimer(run, checkpoint.metadata["timing"] if checkpoint else {})
    timer.details["loading_weights_seconds"] = loading
    if problems:
        timer.details["remarks"] = [*timer.details.get("remarks", []), *problems]
    prepared, data = prepare_images(run, dataset, timer, observer), training_data(run, dataset)
    with timer.measure("tune"):
        options = _options(run, network, config, len(data.positions["training"]), observer)
    timer.details |= {"device": describe_device(options.torch_device), "arithmetic": options.label}
    with timer.measure("load"):
        training = Training(network, _images(prepared, data), config, options)
        if checkpoint:
            training.restore(checkpoint.state)
            checkpoint.state.clear()
        run.drop_metrics_after(training.epoch, training.batch)
    timer.seconds["transfer"] += training.loader.wait_seconds
    timer.seconds["load"] -= training.loader.wait_seconds
    after = len(LIGHTS) * len(data.positions["validation"]) + len(data.positions["test"])
    after += len(sampled_positions(run, network, data))
    reporter = ProgressReporter(run, training, after, observer)
    _train(training, CheckpointSchedule(run, training, timer, initial_weights), reporter, observer)
    del training, reporter  # frees their memory for the test

    options = replace(options, precision="float32")  # in which the model will be used
    with timer.measure("load"):
        network = options.prepare(load_model(run))
    features = _test(run, network, prepared, data, options, timer, observer)
    timer.write()  # the paper's times do not include what follows
    began = time.perf_counter()
    compared = compute_features(run, network, prepared, data, options, observer, known=features)
    try:
        fit_reference(run, prepared, data, compared, arithmetic=options.label, started=began)
    except RunError as error:
        print(error)  # `predict` says it again
    discard_checkpoints(run.folder)


def _network(
    run: Run, config: TrainingConfig, checkpoint: Checkpoint | None, observer: Observer
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network and the record of its initial weights; a checkpoint's weights are loaded later."""
    if checkpoint:
        observer.report("Loading the checkpoint")
        return build_run_network(run), checkpoint.metadata["weights_at_start"]
    network, weights = initial_run_network(run, config, observer)
    return network, weights.to_dict()


def _options(run: Run, network: nn.Module, config: TrainingConfig, images: int, observer: Observer) -> ComputeOptions:
    """Return the options with which the run, or the run that it repeats, began; otherwise the fastest ones."""
    stored, device = run.compute_options, best_device()
    if stored and stored["device"] == device.type:
        return ComputeOptions.from_dict(stored)
    side = architecture(config.architecture).input_size
    options = fastest_options(
        network,
        config.architecture,
        (config.batch_size, 3, side, side),
        device,
        steps=-(-images // config.batch_size) * config.epochs,
        full_precision=config.precision == "float32",
        progress=observer.progress("Measuring the fastest way to compute"),
    )
    write_json(run.folder / "arithmetic.json", options.to_dict())
    return options


def _images(prepared: PreparedImages, data: TrainingData) -> TrainingImages:
    """Return the images and labels by their row in the cache."""
    labels = np.full(len(prepared.pixels), -1, np.int64)  # -1 for excluded images
    labels[prepared.rows] = data.labels
    training, validation = (prepared.rows[data.positions[name]] for name in ("training", "validation"))
    return TrainingImages(pixels=prepared.pixels, labels=labels, training=training, validation=validation)


def _train(training: Training, schedule: CheckpointSchedule, reporter: ProgressReporter, observer: Observer) -> None:
    """Train to the end, or until the observer requests to stop."""
    timer = schedule.timer

    def on_batch(result: BatchResult) -> None:
        timer.seconds["train"] += result.seconds
        timer.seconds["transfer"] += result.transfer_seconds
        with timer.measure("save"):
            reporter.after_batch(result)
        schedule.after_batch()

    with schedule:
        try:
            for result in training.epochs(on_batch=on_batch, check_stop=observer.check):
                timer.seconds["validate"] += result.validate_seconds
                with timer.measure("save"):
                    reporter.after_epoch(result)
                    schedule.after_epoch(best=result.best)
                observer.check()
        except StopRequested:
            schedule.save()
            raise


def _test(
    run: Run,
    network: nn.Module,
    prepared: PreparedImages,
    data: TrainingData,
    options: ComputeOptions,
    timer: PhaseTimer,
    observer: Observer,
) -> dict[str, np.ndarray]:
    """Predict the validation and test images by the best network; return their features by partition."""
    observer.report("Testing")
    features, size, key = {}, run.config.batch_size, run.config.architecture
    for partition, phase in (("validation", "validate"), ("test", "test")):
        with timer.measure(phase):
            rows = prepared.rows[data.positions[partition]]
            loader = BatchLoader(prepared.pixels, rows, options.torch_device)
            logits, features[partition] = predict_with_features(
                network, key, loader, rows, size, options, observer.check
            )
            write_predictions(run, data, partition, softmax(logits))
    return features
