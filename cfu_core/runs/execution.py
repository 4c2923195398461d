"""Execution of a planned run."""

from cfu_core.observer import Observer
from cfu_core.runs.fine_tuning import fine_tune
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.probing import probe
from cfu_core.runs.run import Run
from cfu_core.training.memory import keep_freed_memory


def execute_run(run: Run, observer: Observer) -> None:
    """Train a network, keep the best epoch, test it once, and write everything into the folder of the run.

    Parameters
    ----------
    run : Run
        Planned or interrupted run.
    observer : Observer

    Raises
    ------
    StopRequested
        The observer requested a stop or a pause; the test images have not been used.
    CfuError
        The dataset or the weights cannot be used, or the disk is full.
    """
    keep_freed_memory()
    config = run.config
    observer.report("Opening the dataset")
    train = probe if config.mode == "probe" else fine_tune
    train(run, planned_dataset(run), config, observer)
