"""Labels, partitions and prepared pixels of the images of a run, and the files of its predictions."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.observer import Observer
from cfu_core.runs.phase_timer import PhaseTimer
from cfu_core.runs.run import Run
from cfu_core.training.prepared_images import PreparedImages, prepare


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Labels and partitions of the images of a run, in the order of ``dataset.images``.

    Attributes
    ----------
    labels : ndarray of int64, shape (N,)
        Class index of each image, in the order of `Run.classes`; -1 for an image without a class, which is in no
        partition.
    positions : dict of str to ndarray of int64
        Ascending positions in ``dataset.images`` of the images of each partition (``training``, ``validation``,
        ``test``).
    images : DataFrame, N rows
        Columns ``path`` and ``label`` (name of the class).
    """

    labels: np.ndarray
    positions: dict[str, np.ndarray]
    images: pd.DataFrame


def training_data(run: Run, dataset: Dataset) -> TrainingData:
    """Return the labels and partitions of the images of a run, as planned.

    Parameters
    ----------
    run : Run
        Run whose ``split.csv`` is read.
    dataset : Dataset
        Dataset with the edits at the time the run was planned (`cfu_core.runs.planning.planned_dataset`).
    """
    partition = dataset.images["path"].map(run.split()).to_numpy()
    positions = {name: np.flatnonzero(partition == name) for name in PARTITIONS}
    return TrainingData(labels=dataset.class_indices, positions=positions, images=dataset.images[["path", "label"]])


def prepare_images(run: Run, dataset: Dataset, timer: PhaseTimer, observer: Observer) -> PreparedImages:
    """Decode and preprocess the images of a run that are not in the cache yet, and add the time to a timer.

    Parameters
    ----------
    run : Run
        Run whose recipe is applied.
    dataset : Dataset
        Dataset with the edits at the time the run was planned.
    timer : PhaseTimer
        Receives the times, by `PhaseTimer.add_preparation`.
    observer : Observer
        Receives the number of prepared images; its requests to stop are checked after each image.

    Returns
    -------
    PreparedImages
        Pixels of the images of `dataset` that have a class, of this call and from the cache.

    Raises
    ------
    StopRequested
        The observer requested to stop. The images prepared so far stay in the cache.
    CfuError
        An image cannot be read or the recipe cannot be applied to it, the disk is full, the home folder is not
        writable, or the environment variable ``CFU_CACHE_GB`` is not valid.
    """
    started = time.perf_counter()
    used = None if dataset.unlabelled == 0 else np.flatnonzero(dataset.images["label"] != "")
    prepared = prepare(dataset, run.recipe, progress=observer.progress("Decoding and preprocessing"), subset=used)
    timer.add_preparation(prepared, time.perf_counter() - started)
    return prepared


def write_predictions(run: Run, data: TrainingData, partition: str, probabilities: np.ndarray) -> None:
    """Write the predictions for a partition into the run's folder: ``validation.csv`` or ``predictions.csv``.

    For the test images, ``evaluation.json`` is written as well. Existing files are replaced.

    Parameters
    ----------
    run : Run
        Run whose folder receives the files.
    data : TrainingData
        From `training_data` for this run.
    partition : {"validation", "test"}
        Partition of the images.
    probabilities : ndarray of float64, shape (N, C)
        Softmax outputs, 0 to 1. Rows in the order of ``data.positions[partition]``, columns in the order of
        ``run.classes``.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    images = data.images.iloc[data.positions[partition]]
    run.write_predictions(partition, images["path"].tolist(), images["label"].tolist(), probabilities)
