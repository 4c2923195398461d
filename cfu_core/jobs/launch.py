"""Put jobs into the queue, and see to it that someone works on them."""

import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from filelock import Timeout

from cfu_core.dataset.catalog import Dataset
from cfu_core.jobs.job import Job, create_job
from cfu_core.jobs.worker import LANES, lane_lock, project_folder, waiting
from cfu_core.runs.planning import plan_run
from cfu_core.runs.store import Run
from cfu_core.storage import home, storage_errors
from cfu_core.training.config import TrainingConfig


def submit(kind: str, spec: Mapping[str, Any]) -> Job:
    """Queue an import or the drawing of the demo dataset."""
    job = create_job(kind, spec)
    ensure_worker(LANES[kind])
    return job


def submit_run(config: TrainingConfig, dataset: Dataset, *, batch: str = "") -> Run:
    """Check and queue a training run.

    Raises
    ------
    CfuError
        The configuration does not fit the dataset; nothing is queued.
    """
    run = plan_run(config, dataset, batch=batch)
    ensure_worker(LANES["train"])
    return run


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
    log = home() / "jobs" / f"{lane}-worker.log"
    with storage_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "cfu_core", "work", lane],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=project_folder(),
                start_new_session=True,
            )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it never stays as a zombie
