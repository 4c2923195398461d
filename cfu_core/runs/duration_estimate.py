"""How long a run will take, from runs that this computer has finished."""

from collections.abc import Sequence

from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig


def expected_seconds(config: TrainingConfig, training_images: int, runs: Sequence[Run]) -> float | None:
    """Return about how long a run will take.

    Parameters
    ----------
    config : TrainingConfig
        Of the run.
    training_images : int
        Images in its training partition.
    runs : sequence of Run
        Earlier runs, newest first.

    Returns
    -------
    float or None
        Seconds. The time of the newest finished run with the same network and mode is scaled by epochs and training
        images; None where there is no such run.
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
    """Return how many images a run is trained on."""
    return sum(parts["training"] for parts in run.plan.split.counts.values())


def _work(config: TrainingConfig, training_images: int) -> int:
    """Return images times epochs; a probe takes each image once."""
    return training_images * (1 if config.mode == "probe" else config.epochs)
