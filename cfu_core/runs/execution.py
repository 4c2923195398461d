"""Carry out a run, from what was planned to its results."""

from cfu_core.observer import Observer
from cfu_core.runs.fine_tuning import fine_tune
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.probing import probe
from cfu_core.runs.run import Run
from cfu_core.training.memory import keep_freed_memory


def execute_run(run: Run, observer: Observer) -> None:
    """Train, keep the best network, test once, and write everything into the run's folder.

    Raises
    ------
    StopRequested
        The observer asked for the end, or for a pause; the test images stay unseen.
    CfuError
        The user can mend it.
    """
    keep_freed_memory()
    config = run.config
    observer.report("Opening the dataset")
    carry_out = probe if config.mode == "probe" else fine_tune
    carry_out(run, planned_dataset(run), config, observer)
