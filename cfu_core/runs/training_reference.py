"""Compute the reference of a run, by which images unlike all training images are found."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from torch import nn

from cfu_core import __version__
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import RunError
from cfu_core.evaluation.training_comparison import (
    LIGHTS,
    MOST_MEASURED,
    TrainingReference,
    measure_images,
    most_images,
    sample_rows,
)
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
    prepared = prepare_compared(run, dataset, sampled_positions(run, network, data), data, observer)
    options = default_options(best_device())
    observer.report("Computing features of the training images")
    started = time.perf_counter()
    features = compute_features(run, options.prepare(network), prepared, data, options, observer)
    return fit_reference(run, prepared, data, features, arithmetic=options.label, started=started)


def prepare_compared(
    run: Run, dataset: Dataset, sampled: np.ndarray, data: TrainingData, observer: Observer
) -> PreparedImages:
    """Prepare the images that the reference of a run needs, as far as they are not in the cache.

    Parameters
    ----------
    run : Run
        Run whose recipe is applied.
    dataset : Dataset
        Dataset with the edits at the time the run was planned.
    sampled : ndarray of int64
        From `sampled_positions`.
    data : TrainingData
        From `training_data` for this run.
    observer : Observer
        Receives the number of prepared images; its requests to stop are checked after each image.

    Raises
    ------
    StopRequested
        The observer requested to stop.
    CfuError
        As from `cfu_core.training.prepared_images.prepare`.
    """
    training = data.positions["training"]
    measured = training[sample_rows(data.labels[training], MOST_MEASURED)]
    needed = np.unique(np.concatenate([sampled, measured, data.positions["validation"], data.positions["test"]]))
    return prepare(dataset, run.recipe, progress=observer.progress("Decoding and preprocessing"), subset=needed)


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
    return training[sample_rows(data.labels[training], most_images(count_features(network, run.config.architecture)))]


class ComparedFeatures(NamedTuple):
    """Features from which the reference of a run is computed.

    Attributes
    ----------
    training : ndarray of float32, shape (M, F)
        Of the training images of `sampled_positions`.
    validation : list of ndarray of float32, shape (V, F)
        Of the validation images, once for each of `LIGHTS`.
    test : ndarray of float32, shape (N, F)
        Of the test images.
    """

    training: np.ndarray
    validation: list[np.ndarray]
    test: np.ndarray


def compute_features(
    run: Run,
    network: nn.Module,
    prepared: PreparedImages,
    data: TrainingData,
    options: ComputeOptions,
    observer: Observer,
    *,
    known: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> ComparedFeatures:
    """Compute the features from which the reference of a run is computed.

    Parameters
    ----------
    run : Run
        Run with a model.
    network : Module
        Network of the model, prepared by ``options.prepare``.
    prepared : PreparedImages
        With the validation and test images, and the training images of `sampled_positions`.
    data : TrainingData
        From `training_data` for this run.
    options : ComputeOptions
        Device, memory layout and precision.
    observer : Observer
        Its requests to stop are checked after each batch.
    known : mapping of str to ndarray of float32, shape (N, F)
        Features of the partitions ``validation`` and ``test``, which are then not computed again.

    Returns
    -------
    ComparedFeatures
        On the CPU.

    Raises
    ------
    StopRequested
        The observer requested to stop.
    """
    size, key = run.config.batch_size, run.config.architecture

    def features(positions: np.ndarray, light: float = 1.0) -> np.ndarray:
        rows = prepared.rows[positions]
        loader = BatchLoader(prepared.pixels, rows, options.torch_device)
        return predict_with_features(network, key, loader, rows, size, options, observer.check, light=light)[1]

    plain = {name: known[name] if name in known else features(data.positions[name]) for name in ("validation", "test")}
    changed = [features(data.positions["validation"], light) for light in LIGHTS[1:]]
    return ComparedFeatures(
        training=features(sampled_positions(run, network, data)),
        validation=[plain["validation"], *changed],
        test=plain["test"],
    )


def fit_reference(
    run: Run,
    prepared: PreparedImages,
    data: TrainingData,
    features: ComparedFeatures,
    *,
    arithmetic: str,
    started: float,
) -> TrainingReference:
    """Fit the reference of a run to features and images, and store it in the folder of the run.

    Parameters
    ----------
    run : Run
        Run with a model.
    prepared : PreparedImages
        With the images of `features`.
    data : TrainingData
        From `training_data` for this run.
    features : ComparedFeatures
        From `compute_features`, or from the cache.
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
    if not all(np.isfinite(values).all() for values in (features.training, *features.validation, features.test)):
        raise RunError(
            f"The network of the run {run.id} gives features that are not finite.",
            "Only finite features can be compared.",
            "Train again with a lower learning rate.",
        )
    training = data.positions["training"]
    measured = training[sample_rows(data.labels[training], MOST_MEASURED)]
    reference = TrainingReference.fit(
        features.training,
        [measure_images(_images(prepared, measured), light=light) for light in LIGHTS],
        features.validation,
        measure_images(_images(prepared, data.positions["validation"])),
    )
    compared = reference.compare(features.test, _images(prepared, data.positions["test"]))
    record = ReferenceRecord(
        model_sha256=model_checksum(run),
        recipe_digest=run.recipe.digest,
        training_images=len(reference.features),
        measured_images=len(measured),
        all_training_images=len(training),
        validation_images=len(reference.validation),
        unlike_validation_images=reference.unlike_validation,
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


def _images(prepared: PreparedImages, positions: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the prepared images at positions in ``dataset.images``."""
    return (prepared.pixels[row] for row in prepared.rows[positions])
