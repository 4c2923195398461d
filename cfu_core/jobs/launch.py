"""Queue jobs, and start the workers that run them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import Timeout

from cfu_core import PROJECT
from cfu_core.dataset.catalog import delete_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import DatasetError, StorageError
from cfu_core.job import Job, create_job
from cfu_core.jobs.queue import LANES, all_jobs, lane_lock, waiting
from cfu_core.processes import process_alive, process_started
from cfu_core.runs.planning import plan_again, plan_runs
from cfu_core.runs.repeats import plan_repeats
from cfu_core.runs.run import Run
from cfu_core.storage import home, read_json, storage_errors, write_json
from cfu_core.training.config import TrainingConfig
from cfu_core.wording import plural

START_SECONDS = 10.0  # in which a worker acquires the lock of its lane, even on a busy computer


def submit(kind: str, spec: Mapping[str, Any]) -> Job:
    """Queue a job that is not a training run.

    Parameters
    ----------
    kind : str
        See `Job.kind`.
    spec : Mapping
        Request: further entries of ``spec.json``, plain JSON values.
    """
    job = create_job(kind, spec)
    ensure_worker(LANES[kind])
    return job


def submit_runs(configs: Sequence[TrainingConfig], dataset: Dataset) -> list[Run]:
    """Check and queue training runs, all or none.

    Parameters
    ----------
    configs : sequence of TrainingConfig
    dataset : Dataset
        Dataset of all these configurations.

    Returns
    -------
    list of Run
        In the order of `configs`.

    Raises
    ------
    CfuError
        As `cfu_core.runs.planning.plan_runs`; nothing is queued.
    """
    runs = plan_runs(configs, dataset)
    ensure_worker(LANES["train"])
    return runs


def run_again(run: Run, *, edited: bool = False) -> Run:
    """Queue a repetition of a run; parameters and errors as of `cfu_core.runs.planning.plan_again`."""
    again = plan_again(run, edited=edited)
    ensure_worker(LANES["train"])
    return again


def repeat(run: Run, configs: Sequence[TrainingConfig]) -> list[Run]:
    """Queue the variants of a run that do not exist yet; errors as of `cfu_core.runs.repeats.plan_repeats`."""
    new = plan_repeats(run, configs).new
    ensure_worker(LANES["train"])
    return new


def resume(job: Job) -> None:
    """Queue a paused, stopped, interrupted or failed job again; errors as of `Job.requeue`."""
    job.requeue()
    ensure_worker(LANES[job.kind])


def remove_dataset(identifier: str) -> None:
    """Delete a dataset that no active run uses, and stop its other jobs.

    Parameters
    ----------
    identifier : str
        Identifier of the dataset.

    Raises
    ------
    DatasetError
        The dataset does not exist, or a queued or running run uses it.
    """
    users = [
        job.id
        for job in all_jobs()
        if isinstance(job, Run) and job.plan.dataset.id == identifier and not job.status().state.ended
    ]
    if users:
        raise DatasetError(
            f"{plural(len(users), 'run on this dataset is', 'runs on this dataset are')} queued or running.",
            "A dataset can be deleted only if no run uses it.",
            "Stop the runs on the Train page first.",
        )
    for job in all_jobs():
        if job.spec.get("dataset") == identifier and not job.status().state.ended:
            job.request_stop()  # a survey or the preparation of images
    delete_dataset(identifier)


def ensure_worker(lane: str) -> None:
    """Start a worker for a lane with queued jobs, unless one is running.

    The worker continues when this process and its terminal end.

    Parameters
    ----------
    lane : str
        One of the lanes in `cfu_core.jobs.queue.LANES`.
    """
    if not waiting(lane):
        return
    lock = lane_lock(lane)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return  # the running worker checks the queue again before it ends
    lock.release()
    if _starting(lane):
        return  # pages call this twice a second, and a new worker needs a moment to acquire the lock
    log = home() / "jobs" / f"{lane}-worker.log"
    with storage_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "cfu_core", "work", lane],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=PROJECT,
                env=os.environ | {"CFU_HOME": str(home())},  # absolute: the worker has another working directory
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # the same, on Windows
            )
    with suppress(psutil.NoSuchProcess):
        started = process_started(process.pid)
        write_json(_marker(lane), {"pid": process.pid, "pid_started": started, "at": time.time()})
    threading.Thread(target=process.wait, daemon=True).start()  # reap the process when it ends


def _marker(lane: str) -> Path:
    return home() / "jobs" / f"{lane}-worker.json"


def _starting(lane: str) -> bool:
    """Return whether a worker was started a moment ago and is still alive."""
    try:
        last = read_json(_marker(lane))
    except (FileNotFoundError, StorageError):
        return False
    recent = abs(time.time() - last.get("at", 0)) < START_SECONDS
    return recent and process_alive(last["pid"], last["pid_started"])
