"""Execution of a planned run."""

from cfu_core.errors import RunError
from cfu_core.observer import Observer
from cfu_core.runs.fine_tuning import fine_tune
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.probing import probe
from cfu_core.runs.run import Run
from cfu_core.training.memory import keep_freed_memory


def execute_run(run: Run, observer: Observer) -> None:
    """Train a run's network by fine-tuning or as a probe, test it once, and write everything into the run's folder.

    `cfu_core.runs.fine_tuning.fine_tune` and `cfu_core.runs.probing.probe` name the files. The status file is not
    written here (`cfu_core.jobs.tasks.execute` writes it). From then on, this process keeps the memory that it frees
    (`cfu_core.training.memory.keep_freed_memory`).

    Parameters
    ----------
    run : Run
        Planned run, or a paused, stopped, interrupted or failed run to continue.
    observer : Observer
        Receives the progress; its requests to stop are checked after each prepared image, batch or fit.

    Raises
    ------
    StopRequested
        The observer requested a stop or a pause, so that the run has no final results yet.
    CfuError
        The program crops images differently since the run was planned, the dataset has been deleted, is damaged or has
        changed, an image cannot be read or the recipe cannot be applied to it, the weights cannot be downloaded or
        loaded, the training diverges (the loss is not finite), the disk is full, the home folder is not writable, or
        the environment variable ``CFU_CACHE_GB`` is not valid.
    """
    keep_freed_memory()
    config = run.config
    if run.plan.earlier_crop:
        raise RunError(
            f"The run {run.id} was planned with an earlier version of the automatic crop.",
            "It would go on with images that are cropped differently.",
            "Start a new run with the same settings.",
        )
    observer.report("Opening the dataset")
    train = probe if config.mode == "probe" else fine_tune
    train(run, planned_dataset(run), config, observer)
