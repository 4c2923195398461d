"""Put jobs into the queue, and see to it that someone works on them."""

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
from cfu_core.jobs.job import Job, State, all_jobs, create_job, process_alive, process_started
from cfu_core.jobs.worker import LANES, lane_lock, waiting
from cfu_core.runs.planning import plan_again, plan_runs
from cfu_core.runs.repeats import plan_repeats, still_to_do
from cfu_core.runs.store import Run, list_runs
from cfu_core.storage import home, read_json, storage_errors, write_json
from cfu_core.training.config import TrainingConfig

START_S = 10.0  # within which a worker holds its lane's lock, also on a busy computer


def submit(kind: str, spec: Mapping[str, Any]) -> Job:
    """Queue an import or the drawing of the demo dataset."""
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
    """Queue these variants of a run, less those that have finished or are under way. Raises as `plan_runs` does."""
    useful = (State.FINISHED, State.QUEUED, State.RUNNING, State.PAUSED)
    kept = [other for other in list_runs() if Job(other.folder).status().state in useful]
    runs = plan_repeats(run, still_to_do(run, configs, kept))
    ensure_worker(LANES["train"])
    return runs


def resume(job: Job) -> None:
    """Let a job that ended before its time go on: it waits in its lane again. Raises as `Job.requeue` does."""
    job.requeue()
    ensure_worker(LANES[job.kind])


def remove_dataset(identifier: str) -> None:
    """Delete a dataset that no run trains on or waits for.

    Raises
    ------
    DatasetError
        There is no such dataset, or a run still needs it.
    """
    users = [
        job.id
        for job in all_jobs()
        if job.kind == "train" and job.spec["dataset"]["id"] == identifier and not job.status().state.ended
    ]
    if users:
        raise DatasetError(
            f"{len(users)} run{'s' if len(users) > 1 else ''} on this dataset still train or wait.",
            "A dataset can be deleted when nothing uses it.",
            "Stop them on the Train page first.",
        )
    for job in all_jobs():
        if job.spec.get("dataset") == identifier and not job.status().state.ended:
            job.request_stop()  # a survey, or the preparing of images
    delete_dataset(identifier)


def ensure_worker(lane: str) -> None:
    """Start a worker for a lane where jobs wait and none lives. It outlives this process and its terminal."""
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
