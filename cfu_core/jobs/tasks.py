"""What each kind of job does, and how its end is written down."""

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

from filelock import FileLock

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.demo.demo_dataset import write_demo
from cfu_core.dataset.importing.source import discard_upload, import_source
from cfu_core.errors import CfuError, StopRequested
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import LOCK, Job, State, Status
from cfu_core.models.network_features import WEIGHT_FILES, NetworkFeatures
from cfu_core.models.weight_files import local_weights
from cfu_core.observer import Observer
from cfu_core.processes import process_started
from cfu_core.runs.run import BUNDLE, Run
from cfu_core.runs.run_store import open_run
from cfu_core.storage import home, write_json
from cfu_core.training.prepared_images import prepare

REPORT_SECONDS = 0.5  # how often a status file is written at most
ESTIMATE = "estimate.json"  # in the job's folder: a `cfu_core.training.accuracy_estimate.Comparison`
DEMO_NAME = "Demo colonies (drawn)"


class JobObserver(Observer):
    """Writes progress into the job's folder, now and then, and knows whether it is to end."""

    def __init__(self, job: Job, tell: Callable[[Status], None] = lambda status: None) -> None:
        self.job = job
        self.signal = 0  # that asked for the end
        self._who: dict[str, Any] = {"pid": os.getpid(), "pid_started": process_started(os.getpid())}
        self._tell = tell
        self._phase = ""
        self._written = 0.0
        self.details: dict[str, Any] = {}

    def report(self, phase: str, **details: Any) -> None:
        """Progress; written when the phase changes or half a second has passed."""
        now = time.monotonic()
        if phase == self._phase and now - self._written < REPORT_SECONDS:
            return
        self._phase, self._written = phase, now
        self.details = details
        status = Status(state=State.RUNNING, phase=phase, details=details, **self._who)
        self.job.write_status(status)
        self._tell(status)

    def stop_requested(self) -> bool:
        """Whether a page, a shell or a signal asked for the end or for a pause."""
        return bool(self.signal) or self.job.stop_requested() or self.job.pause_requested()


def execute(job: Job, *, tell: Callable[[Status], None] = lambda status: None) -> Status:
    """Do a queued job in this process and write down how it ended. Ctrl-C and a termination signal stop it properly.

    A job that another process has begun is left to it.

    Parameters
    ----------
    job : Job
    tell : callable
        Called with every status that is written while it runs.

    Returns
    -------
    Status
        Final.
    """
    with FileLock(job.folder / LOCK):
        status = job.status()
        if status.state is not State.QUEUED:
            return status
        observer = JobObserver(job, tell)
        with _signals_stop(observer):
            status = _attempt(job, observer)
        job.write_status(status)
        return status


def _attempt(job: Job, observer: JobObserver) -> Status:
    try:
        observer.report("Starting")
        details = TASKS[job.kind](job, observer)
    except StopRequested:
        return _put_down(job, observer)
    except CfuError as error:
        return Status(state=State.FAILED, message=str(error), details=observer.details)
    except Exception as error:  # noqa: BLE001 - a job that fails must say so, whatever the reason
        if _out_of_memory(error):
            message = "The memory did not suffice. Choose a smaller batch or a smaller network."
            return Status(state=State.FAILED, message=message, details=observer.details)
        traceback.print_exc()
        return Status(
            state=State.FAILED,
            message=f"Unexpected: {type(error).__name__}: {error}. The log has the details.",
            details=observer.details,
        )
    return Status(state=State.FINISHED, details=details)


def _put_down(job: Job, observer: JobObserver) -> Status:
    """A person asked for it, by a button or Ctrl-C; or the system did, when it shut down or restarted the server."""
    if observer.signal == signal.SIGTERM and not job.stop_requested():
        message = "The system asked the process to end: a shutdown, perhaps, or a restart of the server."
        return Status(state=State.INTERRUPTED, message=message, details=observer.details)
    if job.pause_requested() and not (observer.signal or job.stop_requested()):
        return Status(state=State.PAUSED, message="Paused on request.", details=observer.details)
    return Status(state=State.STOPPED, message="Stopped on request.", details=observer.details)


def _out_of_memory(error: Exception) -> bool:
    """torch says so with a RuntimeError: of its own class on a GPU, told apart by its words on a processor."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(w in str(error).lower() for w in words)


def _train(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.runs.execution import execute_run  # late: torch is needed here and nowhere else in the queue

    assert isinstance(job, Run)
    execute_run(job, observer)
    return {}


def _import(job: Job, observer: JobObserver) -> dict[str, Any]:
    source = Path(job.spec["source"])
    try:
        dataset = import_source(source, name=job.spec["name"], progress=observer.progress("Importing images"))
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
    shutil.rmtree(folder)  # its images are in the store now
    return {"dataset": dataset.id}


def _survey(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.dataset.survey.survey import survey  # late: all that it needs is needed here only

    dataset = load_dataset(job.spec["dataset"])
    if hasattr(os, "nice"):
        os.nice(10)  # nobody waits for it, and a training beside it is being timed
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
    from cfu_core.training.accuracy_estimate import estimate  # late: torch

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
    from cfu_core.runs.class_activation import explain  # late: torch

    boxes = job.spec.get("boxes")
    known = None if boxes is None else {path: Box(*edges) for path, edges in boxes.items()}
    explain(open_run(job.spec["run"]), observer, known)
    return {}


def _export(job: Job, observer: JobObserver) -> dict[str, Any]:
    from cfu_core.exporting.export import export_zip  # late: torch

    run = open_run(job.spec["run"])
    export_zip(run, run.folder / BUNDLE, observer)
    return {}


def _local_network() -> NetworkFeatures | None:
    """ResNet-18 where its ImageNet weights lie on this disk; torch is imported when the first image is seen."""

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
    """While this holds, SIGINT and SIGTERM ask for the end instead of breaking off."""

    def ask(number: int, _frame: FrameType | None) -> None:
        observer.signal = number

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
