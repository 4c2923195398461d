"""Classify image files with the network of a run, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfu_core.errors import CfuError
from cfu_core.evaluation.training_comparison import TrainingComparison, TrainingReference
from cfu_core.imaging.reading import read_with_ranges
from cfu_core.imaging.recipe import apply
from cfu_core.imaging.sample_range import SampleRange, ranges_from_json
from cfu_core.runs.model_files import load_predictor
from cfu_core.runs.run import Run


class FilePrediction(NamedTuple):
    """Prediction for one image file, or the reason why there is none.

    Attributes
    ----------
    path : Path
        The file, as it was given.
    probabilities : ndarray of float64, shape (C,), or None
        In the order of ``run.classes``; None if the image could not be classified.
    error : str
        Why the image could not be classified; empty if it was.
    remark : str
        A sentence if the image has samples of more than 8 bits of a kind that the run's dataset does not have, so that
        their range was chosen for this image alone; otherwise empty.
    comparison : TrainingComparison or None
        Whether the image is unlike all training images of the run, in which case the probabilities mean nothing. None
        if this was not checked, or if the image could not be classified.
    """

    path: Path
    probabilities: np.ndarray | None
    error: str
    remark: str = ""
    comparison: TrainingComparison | None = None


class _ReadFile(NamedTuple):
    """An image file of a batch: the network's input, or why there is none."""

    path: Path
    pixels: np.ndarray | None
    error: str
    remark: str


def predict_files(
    run: Run, paths: Iterable[Path], reference: TrainingReference | None = None
) -> Iterator[FilePrediction]:
    """Predict the class probabilities of image files with a run's network, on the best device of this computer.

    The memory does not depend on the number of files: one decoded image and one batch of preprocessed images are held
    at a time. A file that cannot be used does not affect the others. Samples of more than 8 bits are shown in the range
    of the run's dataset.

    Parameters
    ----------
    run : Run
        Run with a model; it determines the recipe and the size of a batch.
    paths : iterable of Path
        Image files. The next batch is taken when the results of the previous one have been consumed.
    reference : TrainingReference, optional
        From `cfu_core.runs.training_reference.training_reference` for the same run. By default it is not checked
        whether the images are unlike the training images.

    Yields
    ------
    FilePrediction
        For each file, in the order of `paths`.

    Raises
    ------
    RunError
        The run has no model yet.
    WeightsError
        The model is damaged, or the user may not read it.
    """
    predictor = load_predictor(run)
    ranges = ranges_from_json(run.plan.dataset.sample_ranges)
    batch: list[_ReadFile] = []
    for path in paths:
        batch.append(_read(run, path, ranges))
        if len(batch) >= run.config.batch_size:
            yield from _predictions(predictor, batch, reference)
            batch.clear()
    yield from _predictions(predictor, batch, reference)


def _read(run: Run, path: Path, ranges: dict[str, SampleRange] | None) -> _ReadFile:
    remark = ""
    try:
        image, remark = read_with_ranges(path, ranges)
        return _ReadFile(path, apply(run.recipe, image), "", remark)
    except CfuError as error:
        return _ReadFile(path, None, str(error), remark)


def _predictions(
    predictor: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    batch: Sequence[_ReadFile],
    reference: TrainingReference | None,
) -> Iterator[FilePrediction]:
    """Yield the prediction for each file of a batch."""
    pixels = [file.pixels for file in batch if file.pixels is not None]
    results: Iterator[tuple[np.ndarray, TrainingComparison | None]] = iter(())
    if pixels:
        probabilities, features = predictor(np.stack(pixels))
        compared = reference.compare(features, pixels) if reference else [None] * len(pixels)
        results = zip(probabilities, compared, strict=True)
    for file in batch:
        row, comparison = (None, None) if file.pixels is None else next(results)
        yield FilePrediction(file.path, row, file.error, file.remark, comparison)
