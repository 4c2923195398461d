"""What a run learns from and is tested on: images, their labels, and which of them are for what."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.observer import Observer
from cfu_core.runs.phase_timer import Clock
from cfu_core.runs.store import Run
from cfu_core.training.prepared_images import PreparedImages, prepare


@dataclass(frozen=True, kw_only=True)
class Material:
    """The images of a run, in the order of ``dataset.images``.

    Parameters
    ----------
    labels : ndarray of int64, shape (N,)
        The class of each.
    places : dict of str to ndarray of int64
        Which are in each partition.
    images : DataFrame
        Path and label of each.
    """

    labels: np.ndarray
    places: dict[str, np.ndarray]
    images: pd.DataFrame


def part(run: Run, dataset: Dataset) -> Material:
    """Labels and partitions of the images of a run, as planned."""
    partition = dataset.images["path"].map(run.split()).to_numpy()
    places = {name: np.flatnonzero(partition == name) for name in PARTITIONS}
    labels = dataset.images["label"].map(dataset.classes.index).to_numpy(np.int64)
    return Material(labels=labels, places=places, images=dataset.images[["path", "label"]])


def prepared_images(run: Run, dataset: Dataset, clock: Clock, observer: Observer) -> PreparedImages:
    """Prepare the images of a run, as far as that was not done before."""
    started = time.perf_counter()
    prepared = prepare(dataset, run.recipe, progress=observer.progress("Decoding and preprocessing"))
    clock.prepared(prepared, time.perf_counter() - started)
    return prepared


def write_predictions(run: Run, material: Material, partition: str, probabilities: np.ndarray) -> None:
    """Write down what was predicted of the validation or test images; of the latter also, how well."""
    images = material.images.iloc[material.places[partition]]
    run.write_predictions(partition, images["path"].tolist(), images["label"].tolist(), probabilities)
