"""Classify image files with the network of a run, a batch at a time."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cfu_core.errors import CfuError
from cfu_core.imaging.reading import read_with_ranges
from cfu_core.imaging.recipe import apply
from cfu_core.imaging.sample_range import ranges_from_json
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
    """

    path: Path
    probabilities: np.ndarray | None
    error: str
    remark: str = ""


def predict_files(run: Run, paths: Iterable[Path]) -> Iterator[FilePrediction]:
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
    names: list[Path] = []
    pixels: dict[int, np.ndarray] = {}  # by position in `names`
    errors: dict[int, str] = {}
    remarks: dict[int, str] = {}
    ranges = ranges_from_json(run.plan.dataset.sample_ranges)

    def results() -> Iterator[FilePrediction]:
        rows = predictor(np.stack(list(pixels.values()))) if pixels else ()
        probabilities = dict(zip(pixels, rows, strict=True))
        for i, path in enumerate(names):
            yield FilePrediction(path, probabilities.get(i), errors.get(i, ""), remarks.get(i, ""))
        for filled in (names, pixels, errors, remarks):
            filled.clear()

    for path in paths:
        try:
            image, remarks[len(names)] = read_with_ranges(path, ranges)
            pixels[len(names)] = apply(run.recipe, image)
        except CfuError as error:
            errors[len(names)] = str(error)
        names.append(path)
        if len(names) >= run.config.batch_size:
            yield from results()
    yield from results()
