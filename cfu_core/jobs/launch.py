"""Queue jobs, and start the workers that run them."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil
from filelock import Timeout

from cfu_core import PROJECT
from cfu_core.dataset.catalog import delete_dataset, discard_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import DatasetError, StorageError
from cfu_core.job import Job, create_job
from cfu_core.jobs.dataset_use import jobs_using
from cfu_core.jobs.queue import LANES, lane_lock, start_marker, waiting
from cfu_core.processes import process_alive, process_started
from cfu_core.runs.planning import plan_again, plan_runs
from cfu_core.runs.repeats import plan_repeats
from cfu_core.runs.run import Run
from cfu_core.storage import home, read_json, storage_errors, write_json
from cfu_core.training.config import TrainingConfig
from cfu_core.wording import plural

START_SECONDS = 10.0  # time in which a worker acquires the lock of its lane, even on a busy computer


def submit(kind: str, spec: Mapping[str, Any]) -> Job:
    """Queue a job that is not a training run, and start a worker for its lane if none is running.

    Parameters
    ----------
    kind : str
        One of `Job.kind` except ``train``.
    spec : mapping of str to object
        Request, plain JSON values, by kind:

        - ``import``: ``source`` (absolute path), ``name`` (None for that of the source), and optionally ``uploaded``
          (whether to delete the source afterwards);
        - ``demo``: ``seed``;
        - ``survey``: ``dataset`` (identifier);
        - ``prepare``: ``dataset``, ``recipe`` (from `Recipe.to_dict`);
        - ``estimate``: ``dataset``, ``recipes`` (from `Recipe.to_dict`, by label), ``architecture``, ``weights``,
          ``split_seed``;
        - ``explain``: ``run`` (identifier), and optionally ``boxes`` (left, top, right and bottom edge of the colony
          in pixels, by path of the image);
        - ``export``: ``run``.

    Returns
    -------
    Job
        Queued; a worker may have started it already.

    Raises
    ------
    StorageError
        The home folder is not writable, or the disk is full.
    """
    job = create_job(kind, spec)
    ensure_worker(LANES[kind])
    return job


def submit_runs(configs: Sequence[TrainingConfig], dataset: Dataset) -> list[Run]:
    """Check and queue training runs, and start a worker if none is running.

    Parameters
    ----------
    configs : sequence of TrainingConfig
        Configurations that all refer to `dataset`.
    dataset : Dataset
        Dataset in its present state; each run records its edits and its split.

    Returns
    -------
    list of Run
        The new runs, queued, in the order of `configs`.

    Raises
    ------
    CfuError
        A configuration cannot be trained, for the reasons listed in `cfu_core.runs.planning.plan_runs`; no run is
        queued.
    StorageError
        The disk is full, or the home folder is not writable; some of the runs may be queued.
    """
    runs = plan_runs(configs, dataset)
    ensure_worker(LANES["train"])
    return runs


def run_again(run: Run, *, edited: bool = False) -> Run:
    """Queue a repetition of a run with the same settings and compute options.

    Parameters
    ----------
    run : Run
        Run to repeat.
    edited : bool
        Use the dataset with all its present edits; by default, with the edits at the time the run was planned.

    Returns
    -------
    Run
        The new run, queued.

    Raises
    ------
    CfuError
        The dataset has been deleted, differs from that of the run (unless `edited`), or can no longer be used for
        training; a file with initial weights is missing or damaged; the disk is full; or the home folder is not
        writable.
    """
    again = plan_again(run, edited=edited)
    ensure_worker(LANES["train"])
    return again


def repeat(run: Run, configs: Sequence[TrainingConfig]) -> list[Run]:
    """Queue variants of a run, for example with other seeds, that do not exist yet.

    Parameters
    ----------
    run : Run
        Run whose dataset and compute options the variants use.
    configs : sequence of TrainingConfig
        From `cfu_core.runs.repeats.with_seeds` or `cfu_core.runs.repeats.in_folds`.

    Returns
    -------
    list of Run
        The new runs, queued, in the order of `configs`; without those that `cfu_core.runs.repeats.plan_repeats` counts
        as existing. Empty if all exist.

    Raises
    ------
    CfuError
        The dataset has been deleted or differs from that of the run, or a configuration cannot be trained (see
        `cfu_core.runs.planning.plan_runs`); no run is queued.
    StorageError
        The disk is full, or the home folder is not writable; some of the runs may be queued.
    """
    new = plan_repeats(run, configs).new
    ensure_worker(LANES["train"])
    return new


def resume(job: Job) -> None:
    """Queue a paused, stopped, interrupted or failed job again, and start a worker if none is running.

    `cfu_core.job.Job.requeue` describes where the work continues. If a process still works on the job, wait up to five
    seconds for its end.

    Raises
    ------
    RunError
        The job is queued, running or finished, has been deleted, or a process still works on it after the wait.
    StorageError
        The home folder or the folder of the job is not writable, or the disk is full.
    """
    job.requeue()
    ensure_worker(LANES[job.kind])


def remove_dataset(identifier: str, *, who: str = "", for_good: bool = False) -> None:
    """Move a dataset that no queued or running run uses to the bin, or delete it for good.

    Queued and running surveys, preparations of images and estimates of this dataset are first requested to stop. The
    deletion does not wait for their end. Paused and ended runs do not prevent the deletion: they keep their results,
    but cannot be resumed or repeated unless the dataset is restored (`cfu_core.dataset.bin.restore_dataset`).

    Parameters
    ----------
    identifier : str
        Identifier of the dataset.
    who : str
        Name of the person who deletes it, for the record in the bin.
    for_good : bool
        Delete it and its images at once.

    Raises
    ------
    DatasetError
        The dataset does not exist, or a queued or running run uses it.
    StorageError
        The disk is full (unless `for_good`), the home folder is not writable, or another process has locked the image
        store for ten minutes.
    """
    active = [job for job, state in jobs_using(identifier) if not state.ended]
    users = sum(isinstance(job, Run) for job in active)
    if users:
        raise DatasetError(
            f"{plural(users, 'run on this dataset is', 'runs on this dataset are')} queued or running.",
            "A dataset can be deleted only if no run uses it.",
            "Stop the runs on the Train page first.",
        )
    for job in active:
        job.request_stop()  # a survey or the preparation of images
    if for_good:
        delete_dataset(identifier)
    else:
        discard_dataset(identifier, who=who)


def ensure_worker(lane: str) -> None:
    """Start a worker process for a lane, unless no job is queued or a worker is running.

    Nothing is started either if a worker was started in the last `START_SECONDS` and is alive. Return without waiting
    for the worker. The worker continues when this process and its terminal end; its output is appended to
    ``<home>/jobs/<lane>-worker.log``.

    Parameters
    ----------
    lane : str
        One of the values of `cfu_core.jobs.queue.LANES`.

    Raises
    ------
    StorageError
        The home folder is not writable, or the disk is full.
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
        write_json(start_marker(lane), {"pid": process.pid, "pid_started": started, "at": time.time()})
    threading.Thread(target=process.wait, daemon=True).start()  # reap the process when it ends


def _starting(lane: str) -> bool:
    """Return whether a worker was started a moment ago, is alive and has not yet acquired the lock of its lane."""
    try:
        last = read_json(start_marker(lane))
    except (FileNotFoundError, StorageError):
        return False
    recent = abs(time.time() - last.get("at", 0)) < START_SECONDS
    return recent and process_alive(last["pid"], last["pid_started"])
