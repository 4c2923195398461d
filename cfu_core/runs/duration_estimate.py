"""Estimate of the duration of a run, from finished runs on this computer."""

from collections.abc import Sequence

from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig


def expected_seconds(config: TrainingConfig, training_images: int, runs: Sequence[Run]) -> float | None:
    """Estimate the duration of a run.

    Parameters
    ----------
    config : TrainingConfig
        Configuration of the run.
    training_images : int
        Number of images in its training partition.
    runs : sequence of Run
        Earlier runs on this computer, newest first.

    Returns
    -------
    float or None
        Seconds: the time of the newest finished run with the same network and mode, multiplied by the ratio of the
        numbers of training images and, for fine-tuning, of the planned epochs. Differences in the device, the
        preprocessing and the batch size are ignored. None if there is no such run.

    Raises
    ------
    StorageError
        ``timing.json`` or ``evaluation.json`` of a run is damaged or not readable.
    """
    for run in runs:
        if (run.config.architecture, run.mode) != (config.architecture, config.mode):
            continue
        timing = run.timing()
        if timing is None or run.evaluation() is None:
            continue
        work = _work(run.config, training_images_of(run))
        if work:
            return timing["seconds"]["total"] / work * _work(config, training_images)
    return None


def training_images_of(run: Run) -> int:
    """Return the number of images in the training partition of a run, as planned."""
    return sum(parts["training"] for parts in run.plan.split.counts.values())


def _work(config: TrainingConfig, training_images: int) -> int:
    """Return the number of images times epochs; a probe uses each image once."""
    return training_images * (1 if config.mode == "probe" else config.epochs)
