"""Images of a run: their labels, their partitions and their prepared pixels."""

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
        Class of each image.
    positions : dict of str to ndarray of int64
        Positions of the images of each partition.
    images : DataFrame
        Columns ``path`` and ``label``.
    """

    labels: np.ndarray
    positions: dict[str, np.ndarray]
    images: pd.DataFrame


def training_data(run: Run, dataset: Dataset) -> TrainingData:
    """Return the labels and partitions of the images of a run, as planned.

    Parameters
    ----------
    run : Run
    dataset : Dataset
        As it was when the run was planned.

    Returns
    -------
    TrainingData
    """
    partition = dataset.images["path"].map(run.split()).to_numpy()
    positions = {name: np.flatnonzero(partition == name) for name in PARTITIONS}
    labels = dataset.images["label"].map(dataset.classes.index).to_numpy(np.int64)
    return TrainingData(labels=labels, positions=positions, images=dataset.images[["path", "label"]])


def prepare_images(run: Run, dataset: Dataset, timer: PhaseTimer, observer: Observer) -> PreparedImages:
    """Prepare the images of a run that are not in the cache yet, and add the time to `timer`.

    Parameters
    ----------
    run : Run
    dataset : Dataset
    timer : PhaseTimer
    observer : Observer

    Returns
    -------
    PreparedImages

    Raises
    ------
    StopRequested
        The observer requested to stop.
    CfuError
        An image cannot be read or the recipe cannot be applied to it, or the disk is full.
    """
    started = time.perf_counter()
    prepared = prepare(dataset, run.recipe, progress=observer.progress("Decoding and preprocessing"))
    timer.add_preparation(prepared, time.perf_counter() - started)
    return prepared


def write_predictions(run: Run, data: TrainingData, partition: str, probabilities: np.ndarray) -> None:
    """Write the predictions for the validation or test images, and for test images also their evaluation.

    Parameters
    ----------
    run : Run
    data : TrainingData
    partition : {"validation", "test"}
    probabilities : ndarray of float64, shape (N, C)
        In the order of ``data.positions[partition]``.
    """
    images = data.images.iloc[data.positions[partition]]
    run.write_predictions(partition, images["path"].tolist(), images["label"].tolist(), probabilities)
