"""Compute the reference of a run, by which images unlike all training images are found."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from filelock import FileLock
from torch import nn

from cfu_core import __version__
from cfu_core.errors import RunError
from cfu_core.evaluation.training_distance import TrainingReference, sample_rows
from cfu_core.job import State
from cfu_core.models.networks import count_features
from cfu_core.observer import Observer
from cfu_core.runs.model_files import load_model
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.training_data import TrainingData, training_data
from cfu_core.runs.training_reference_store import (
    REFERENCE,
    ReferenceRecord,
    model_checksum,
    read_reference,
    write_reference,
)
from cfu_core.training.cache import hold_lock
from cfu_core.training.compute_options import ComputeOptions, default_options
from cfu_core.training.devices import best_device
from cfu_core.training.loading import BatchLoader
from cfu_core.training.loop import predict_with_features
from cfu_core.training.prepared_images import PreparedImages, prepare


def training_reference(run: Run, observer: Observer) -> TrainingReference:
    """Return the reference of a run: the stored one, otherwise a new one, which is then stored.

    Runs of earlier versions, and runs that were stopped, have none. It is computed once; another process that needs it
    at the same time waits.

    Parameters
    ----------
    run : Run
        Run with a model.
    observer : Observer
        Receives the progress; its requests to stop are checked after each prepared image and each batch.

    Returns
    -------
    TrainingReference
        Of the present weights of the run.

    Raises
    ------
    RunError
        There is no stored reference, and the run has no model, is still training, its dataset has changed, or its
        features are not finite.
    StopRequested
        The observer requested to stop; nothing is stored.
    CfuError
        There is no stored reference, and the dataset was deleted or an image is missing, the model is damaged, the disk
        is full, or the home folder is not writable.
    """
    stored = read_reference(run)
    if stored is not None:
        return stored
    if run.status().state is State.RUNNING:
        raise RunError(f"The run {run.id} is still training.", "", "Wait until it has ended.")
    lock = FileLock((run.folder / REFERENCE).with_suffix(".lock"))
    with hold_lock(lock, observer.check):
        stored = read_reference(run)  # of the process that held the lock
        return _compute(run, observer) if stored is None else stored


def _compute(run: Run, observer: Observer) -> TrainingReference:
    network, dataset = load_model(run), planned_dataset(run)
    data = training_data(run, dataset)
    sampled = sampled_positions(run, network, data)
    needed = np.unique(np.concatenate([sampled, data.positions["validation"], data.positions["test"]]))
    prepared = prepare(dataset, run.recipe, progress=observer.progress("Decoding and preprocessing"), subset=needed)
    options = default_options(best_device())
    observer.report("Computing features of the training images")
    return compute_reference(run, options.prepare(network), prepared, data, {}, options, observer)


def sampled_positions(run: Run, network: nn.Module, data: TrainingData) -> np.ndarray:
    """Return the positions in ``dataset.images`` of the training images in the reference, by `sample_rows`.

    Parameters
    ----------
    run : Run
        Run that determines the architecture.
    network : Module
        Its network, with any weights.
    data : TrainingData
        From `training_data` for this run.
    """
    training = data.positions["training"]
    return training[sample_rows(data.labels[training], count_features(network, run.config.architecture))]


def compute_reference(
    run: Run,
    network: nn.Module,
    prepared: PreparedImages,
    data: TrainingData,
    known: Mapping[str, np.ndarray],
    options: ComputeOptions,
    observer: Observer,
) -> TrainingReference:
    """Compute the reference of a run from prepared images, and store it in the folder of the run.

    Parameters
    ----------
    run : Run
        Run with a model.
    network : Module
        Network of the model, prepared by ``options.prepare``.
    prepared : PreparedImages
        With the validation and test images, and the training images that `sample_rows` chooses.
    data : TrainingData
        From `training_data` for this run.
    known : mapping of str to ndarray of float32, shape (N, F)
        Features that need not be computed again, by partition.
    options : ComputeOptions
        Device, memory layout and precision.
    observer : Observer
        Receives the progress; its requests to stop are checked after each batch.

    Returns
    -------
    TrainingReference
        As stored.

    Raises
    ------
    RunError
        A feature is not finite. Nothing is stored.
    StopRequested
        The observer requested to stop.
    StorageError
        The disk is full, or the folder is not writable.
    """
    started = time.perf_counter()
    positions = {**data.positions, "training": sampled_positions(run, network, data)}
    found = dict(known)
    for partition in positions.keys() - known.keys():
        rows = prepared.rows[positions[partition]]
        loader = BatchLoader(prepared.pixels, rows, options.torch_device)
        size, key = run.config.batch_size, run.config.architecture
        _, found[partition] = predict_with_features(network, key, loader, rows, size, options, observer.check)
    return fit_reference(run, data, found, options.label, started)


def fit_reference(
    run: Run, data: TrainingData, features: Mapping[str, np.ndarray], arithmetic: str, started: float
) -> TrainingReference:
    """Fit the reference of a run to features, and store it in the folder of the run.

    Parameters
    ----------
    run : Run
        Run with a model.
    data : TrainingData
        From `training_data` for this run.
    features : mapping of str to ndarray of float32, shape (N, F)
        Of the partitions ``training`` (a sample by `sample_rows`), ``validation`` and ``test``.
    arithmetic : str
        Description of the compute options.
    started : float
        Value of `time.perf_counter` when the computation began.

    Returns
    -------
    TrainingReference
        As stored.

    Raises
    ------
    RunError
        A feature is not finite. Nothing is stored.
    StorageError
        The disk is full, or the folder is not writable.
    """
    if not all(np.isfinite(values).all() for values in features.values()):
        raise RunError(
            f"The network of the run {run.id} gives features that are not finite.",
            "Only finite features can be compared.",
            "Train again with a lower learning rate.",
        )
    reference = TrainingReference.fit(features["training"], features["validation"])
    compared = reference.compare(features["test"])
    record = ReferenceRecord(
        model_sha256=model_checksum(run),
        recipe_digest=run.recipe.digest,
        training_images=len(reference.features),
        all_training_images=len(data.positions["training"]),
        validation_images=len(reference.validation),
        threshold=reference.threshold,
        false_alarms=reference.false_alarms(),
        test_images=len(compared),
        unlike_test_images=sum(each.unlike for each in compared),
        arithmetic=arithmetic,
        seconds=time.perf_counter() - started,
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        program=__version__,
    )
    write_reference(run, reference, record)
    return reference
