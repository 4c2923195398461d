"""Execution of jobs: the work of each kind of job, and its final status."""

import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.demo.demo_dataset import write_demo
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.source import discard_upload, import_source
from cfu_core.errors import CfuError, StopRequested
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job, State, Status
from cfu_core.models.network_features import WEIGHT_FILES, NetworkFeatures
from cfu_core.models.weight_files import local_weights
from cfu_core.observer import Observer
from cfu_core.processes import process_started
from cfu_core.runs.run import BUNDLE, Run
from cfu_core.runs.run_store import open_run
from cfu_core.storage import home, write_json
from cfu_core.training.prepared_images import prepare

REPORT_SECONDS = 0.5  # minimum time between two status files of one phase
ESTIMATE = "estimate.json"  # in the job's folder: a `cfu_core.training.accuracy_estimate.Comparison`
DEMO_NAME = "Demo colonies (drawn)"


class JobObserver(Observer):
    """Writes the progress of a job into its folder, and checks for requests to stop or pause.

    Parameters
    ----------
    job : Job
        Job whose ``status.json`` is written.
    on_status : callable
        Callback ``(status)``, called with every `Status` that is written.

    Attributes
    ----------
    signal : int
        Number of the signal (SIGINT or SIGTERM) that requested a stop; 0 if none did.
    details : dict
        Details of the last report that was written.
    """

    def __init__(self, job: Job, on_status: Callable[[Status], None] = lambda status: None) -> None:
        self.job = job
        self.signal = 0  # number of the signal that requested a stop
        self._process: dict[str, Any] = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
        self._on_status = on_status
        self._phase = ""
        self._written = 0.0
        self.details: dict[str, Any] = {}

    def report(self, phase: str, **details: Any) -> None:
        """Write the progress into ``status.json`` if the phase has changed or `REPORT_SECONDS` have passed.

        Parameters
        ----------
        phase : str
            `Status.phase`.
        **details
            `Status.details`.

        Raises
        ------
        StorageError
            The disk is full, or the folder of the job is not writable.
        """
        now = time.monotonic()
        if phase == self._phase and now - self._written < REPORT_SECONDS:
            return
        self._phase, self._written = phase, now
        self.details = details
        status = Status(state=State.RUNNING, phase=phase, details=details, **self._process)
        self.job.write_status(status)
        self._on_status(status)

    def stop_requested(self) -> bool:
        """Return whether a stop or a pause was requested, by the dashboard, a subcommand or a signal."""
        return bool(self.signal) or self.job.stop_requested() or self.job.pause_requested()


def execute(job: Job, *, on_status: Callable[[Status], None] = lambda status: None) -> Status:
    """Run a queued job in this process and write its final status.

    SIGINT (Ctrl-C) and SIGTERM stop the job at its next check, with a valid final status; therefore call this function
    in the main thread. If another process works on the job, wait until it has ended. Errors of the work, and of
    `on_status`, do not propagate: they are in the status. Unexpected ones, except a lack of memory, are also printed to
    stderr with their traceback.

    Parameters
    ----------
    job : Job
        Job to run. If it is not queued any more, nothing is done.
    on_status : callable
        Callback ``(status)``, called with every `Status` that is written while the job runs, except the final one.

    Returns
    -------
    Status
        Final status: finished, failed, stopped, paused, or interrupted (by SIGTERM). Of a job that was not queued, its
        current status.

    Raises
    ------
    RunError
        The job has been deleted.
    StorageError
        The final status cannot be written.
    ValueError
        The calling thread is not the main thread.
    """
    with job.lock():
        status = job.status()
        if status.state is not State.QUEUED:
            return status
        observer = JobObserver(job, on_status)
        with _signals_stop(observer):
            status = _attempt(job, observer)
        job.write_status(status)
        return status


def _attempt(job: Job, observer: JobObserver) -> Status:
    try:
        observer.report("Starting")
        details = TASKS[job.kind](job, observer)
    except StopRequested:
        return _stopped_status(job, observer)
    except CfuError as error:
        return Status(state=State.FAILED, message=str(error), details=observer.details)
    except Exception as error:  # noqa: BLE001 - every failure must be written into the status
        if _out_of_memory(error):
            message = "Out of memory. Choose a smaller batch or a smaller network."
            return Status(state=State.FAILED, message=message, details=observer.details)
        traceback.print_exc()
        return Status(
            state=State.FAILED,
            message=f"Unexpected error: {type(error).__name__}: {error}. The log has the details.",
            details=observer.details,
        )
    return Status(state=State.FINISHED, details=details)


def _stopped_status(job: Job, observer: JobObserver) -> Status:
    """Return the status after a request to stop: by SIGTERM, by the dashboard or a subcommand, or by Ctrl-C."""
    if observer.signal == signal.SIGTERM and not job.stop_requested():
        message = "The operating system ended the process, for example at a shutdown or a restart of the server."
        return Status(state=State.INTERRUPTED, message=message, details=observer.details)
    if job.pause_requested() and not (observer.signal or job.stop_requested()):
        return Status(state=State.PAUSED, message="Paused on request.", details=observer.details)
    return Status(state=State.STOPPED, message="Stopped on request.", details=observer.details)


def _out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out; on the CPU torch raises a RuntimeError that only its text identifies."""
    texts = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in texts)


def _train(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.runs.execution import execute_run  # imported here because it imports torch

    assert isinstance(job, Run)
    execute_run(job, observer)
    return {}


def _import(job: Job, observer: JobObserver) -> dict[str, Any]:
    source = Path(job.spec["source"])
    try:
        dataset = import_source(
            source,
            name=job.spec["name"],
            progress=observer.progress("Importing images"),
            zip_names=job.spec.get("zip_names"),
            layout=LayoutChoice.from_dict(job.spec.get("layout", {})),
        )
    finally:
        if job.spec.get("uploaded"):
            discard_upload(source)
    return {"dataset": dataset.id}


def _demo(job: Job, observer: JobObserver) -> dict[str, Any]:
    seed = job.spec["seed"]
    folder = write_demo(
        home() / "demo" / f"seed-{seed}", seed=seed, progress=observer.progress("Drawing the demo images")
    )
    name = DEMO_NAME if seed == 0 else f"{DEMO_NAME}, seed {seed}"
    dataset = import_source(folder, name=name, progress=observer.progress("Importing images"))
    shutil.rmtree(folder)  # the image store has its images
    return {"dataset": dataset.id}


def _survey(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.dataset.survey.survey import survey  # imported here because only this job needs it

    dataset = load_dataset(job.spec["dataset"])
    if hasattr(os, "nice"):
        os.nice(10)  # do not slow down a training run, whose time is measured
    survey(dataset, progress=observer.progress, network=_local_network())
    return {"dataset": dataset.id}


def _prepare(job: Job, observer: JobObserver) -> dict[str, Any]:
    dataset = load_dataset(job.spec["dataset"])
    recipe = Recipe.from_dict(job.spec["recipe"])
    started = time.perf_counter()
    prepared = prepare(dataset, recipe, progress=observer.progress("Preparing images"))
    return {
        "dataset": dataset.id,
        "seconds": time.perf_counter() - started,
        "bytes": prepared.pixels.nbytes,
        "images": len(prepared.rows),
        "reused": len(prepared.rows) - prepared.computed,
    }


def _estimate(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.training.accuracy_estimate import estimate  # imported here because it imports torch

    spec = job.spec
    found = estimate(
        load_dataset(spec["dataset"]),
        [Recipe.from_dict(recipe) for recipe in spec["recipes"].values()],
        spec["architecture"],
        spec["weights"],
        split_seed=spec["split_seed"],
        progress=observer.progress,
    )
    write_json(job.folder / ESTIMATE, found.to_dict())
    return {}


def _explain(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.runs.class_activation import explain  # imported here because it imports torch

    boxes = job.spec.get("boxes")
    known = None if boxes is None else {path: Box(*edges) for path, edges in boxes.items()}
    explain(open_run(job.spec["run"]), observer, known)
    return {}


def _export(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.exporting.export import export_zip  # imported here because it imports torch

    run = open_run(job.spec["run"])
    export_zip(run, run.folder / BUNDLE, observer)
    return {}


def _local_network() -> NetworkFeatures | None:
    """Return ResNet-18 if its ImageNet weights are on this disk; torch is imported at the first image."""

    def device() -> Any:
        from cfu_core.training.devices import best_device

        return best_device()

    file = local_weights(WEIGHT_FILES)
    return None if file is None else NetworkFeatures(file, device)


TASKS: dict[str, Callable[[Job, JobObserver], dict[str, Any]]] = {
    "train": _train,
    "import": _import,
    "demo": _demo,
    "survey": _survey,
    "prepare": _prepare,
    "estimate": _estimate,
    "explain": _explain,
    "export": _export,
}


@contextmanager
def _signals_stop(observer: JobObserver) -> Iterator[None]:
    """Within this context, SIGINT and SIGTERM request a stop instead of ending the process."""

    def request_stop(number: int, _frame: FrameType | None) -> None:
        observer.signal = number

    before = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
