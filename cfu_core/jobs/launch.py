"""Put jobs into the queue, and start the workers that run them."""

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

START_S = 10.0  # within which a worker holds its lane's lock, also on a busy computer


def submit(kind: str, spec: Mapping[str, Any]) -> Job:
    """Queue a job that is no training run."""
    job = create_job(kind, spec)
    ensure_worker(LANES[kind])
    return job


def submit_runs(configs: Sequence[TrainingConfig], dataset: Dataset) -> list[Run]:
    """Check and queue training runs, all or none.

    Raises
    ------
    CfuError
        A configuration does not fit the dataset; nothing is queued.
    """
    runs = plan_runs(configs, dataset)
    ensure_worker(LANES["train"])
    return runs


def run_again(run: Run, *, edited: bool = False) -> Run:
    """Queue the same run once more, on the dataset as it was, or as it is now. Raises as `plan_again` does."""
    again = plan_again(run, edited=edited)
    ensure_worker(LANES["train"])
    return again


def repeat(run: Run, configs: Sequence[TrainingConfig]) -> list[Run]:
    """Queue these variants of a run that are not there yet. Raises as `plan_repeats` does."""
    new = plan_repeats(run, configs).new
    ensure_worker(LANES["train"])
    return new


def resume(job: Job) -> None:
    """Queue a job again that was paused, stopped or interrupted, or failed. Raises as `Job.requeue` does."""
    job.requeue()
    ensure_worker(LANES[job.kind])


def remove_dataset(identifier: str) -> None:
    """Delete a dataset that no active run uses.

    Raises
    ------
    DatasetError
        There is no such dataset, or a run still needs it.
    """
    users = [
        job.id
        for job in all_jobs()
        if isinstance(job, Run) and job.plan.dataset.id == identifier and not job.status().state.ended
    ]
    if users:
        raise DatasetError(
            f"{plural(len(users), 'run')} on this dataset {'trains or waits' if len(users) == 1 else 'train or wait'}.",
            "A dataset can be deleted when nothing uses it.",
            "Stop them on the Train page first.",
        )
    for job in all_jobs():
        if job.spec.get("dataset") == identifier and not job.status().state.ended:
            job.request_stop()  # a survey, or a preparation of images
    delete_dataset(identifier)


def ensure_worker(lane: str) -> None:
    """Start a worker for a lane where jobs wait and no worker lives; it outlives this process and its terminal."""
    if not waiting(lane):
        return
    lock = lane_lock(lane)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return  # it looks at the queue again before it ends
    lock.release()
    if _starting(lane):
        return  # pages ask twice a second, and a worker takes a moment until it holds the lock
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
                env=os.environ | {"CFU_HOME": str(home())},  # a relative one means another folder there
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # the same, on Windows
            )
    with suppress(psutil.NoSuchProcess):
        started = process_started(process.pid)
        write_json(_marker(lane), {"pid": process.pid, "pid_started": started, "at": time.time()})
    threading.Thread(target=process.wait, daemon=True).start()  # so that it never stays as a zombie


def _marker(lane: str) -> Path:
    return home() / "jobs" / f"{lane}-worker.json"


def _starting(lane: str) -> bool:
    """Whether a worker was started a moment ago and still lives."""
    try:
        last = read_json(_marker(lane))
    except (FileNotFoundError, StorageError):
        return False
    lately = abs(time.time() - last.get("at", 0)) < START_S
    return lately and process_alive(last["pid"], last["pid_started"])
