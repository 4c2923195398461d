"""Carry out a run, from what was planned to its results."""

from cfu_core.runs.fine_tuning import fine_tune
from cfu_core.runs.observer import Observer
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.store import Run
from cfu_core.training.config import TrainingConfig


def execute_run(run: Run, observer: Observer) -> None:
    """Train, keep the best network, test once, and write everything into the run's folder.

    Raises
    ------
    StopRequested
        The observer asked for the end, or for a pause; the test images stay unseen.
    CfuError
        The user can mend it.
    """
    config = TrainingConfig.from_dict(run.config)
    observer.report("Opening the dataset")
    fine_tune(run, planned_dataset(run), config, observer)
