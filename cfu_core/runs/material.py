"""What a run learns from and is tested on: prepared images, their labels, and which of them are for what."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfu_core.dataset.catalog import Dataset
from cfu_core.runs.clock import Clock
from cfu_core.runs.observer import Observer
from cfu_core.runs.store import Run
from cfu_core.training.tensors import PreparedImages, prepare


@dataclass(frozen=True, kw_only=True)
class Material:
    """The images of a run.

    Parameters
    ----------
    prepared : PreparedImages
    labels : ndarray of int64, shape (N,)
        The class of each row of ``prepared.pixels``; -1 for images that are excluded.
    rows : dict of str to ndarray of int64
        The rows of each partition.
    test : DataFrame
        Path and label of the test images, in the order of ``rows["test"]``.
    """

    prepared: PreparedImages
    labels: np.ndarray
    rows: dict[str, np.ndarray]
    test: pd.DataFrame


def gather(run: Run, dataset: Dataset, clock: Clock, observer: Observer) -> Material:
    """Prepare the images of a run, as far as that was not done before, and part them as planned."""
    started = time.perf_counter()
    prepared = prepare(dataset, run.recipe, progress=observer.progress("Decoding and preprocessing"))
    partition = dataset.images["path"].map(run.split()).to_numpy()
    labels = np.full(len(prepared.pixels), -1, np.int64)
    labels[prepared.rows] = dataset.images["label"].map(dataset.classes.index)
    material = Material(
        prepared=prepared,
        labels=labels,
        rows={name: prepared.rows[partition == name] for name in ("training", "validation", "test")},
        test=dataset.images[["path", "label"]].iloc[np.flatnonzero(partition == "test")],
    )
    clock.prepared(prepared, time.perf_counter() - started)
    return material


def write_test(run: Run, material: Material, probabilities: np.ndarray) -> None:
    """Write down what was predicted of the test images, and how well."""
    run.write_predictions(material.test["path"].tolist(), material.test["label"].tolist(), probabilities)
