"""A worker runs the jobs of one lane in order, each in a process of its own.

The worker holds its lane's lock while it lives. Whoever queues a job writes it to disk first and then makes sure that
a worker lives; a worker that finds nothing releases the lock and looks once more. So no job is left waiting, and no
two jobs train on one device at once.
"""

import subprocess
import sys
import time
from collections.abc import Callable

from filelock import Timeout

from cfu_core import PROJECT
from cfu_core.job import Job, State, Status
from cfu_core.jobs.queue import LANES, lane_lock, running, waiting
from cfu_core.jobs.tasks import execute
from cfu_core.processes import process_alive
from cfu_core.storage import modification_time


def work(lane: str) -> None:
    """Run the jobs of a lane until none waits; return at once where another worker lives."""
    while waiting(lane):
        try:
            held = lane_lock(lane).acquire(timeout=0)
        except Timeout:
            return
        with held:
            _wait_for_orphans(lane)
            while queue := waiting(lane):
                _run_in_child(queue[0])


def run_in_foreground(job: Job, *, tell: Callable[[Status], None] = lambda status: None) -> Status:
    """Run a job in this process as soon as its lane is free; where a worker runs it first, watch it.

    Parameters
    ----------
    job : Job
    tell : callable
        Receives the status of the job whenever it changes.

    Returns
    -------
    Status
        Final.
    """
    lock = lane_lock(LANES[job.kind])
    try:
        while not job.status().state.ended:
            try:
                held = lock.acquire(timeout=0.5)
            except Timeout:
                tell(job.status())
                continue
            with held:
                _wait_for_orphans(LANES[job.kind])
                if job.status().state is State.QUEUED:
                    execute(job, tell=tell)
    except KeyboardInterrupt:  # while waiting; execute handles the signal during the work
        job.request_stop()
    return job.status()


def _wait_for_orphans(lane: str) -> None:
    """Wait for jobs that went on when their worker was killed."""
    for job in running(lane):
        status = job.status()
        while process_alive(status.pid, status.pid_started):
            time.sleep(0.5)


def _run_in_child(job: Job) -> None:
    before = modification_time(job.status_file)
    with job.log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "cfu_core", "job", str(job.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            check=False,
        )
    # the process did not even start: without this, it would be tried forever
    if modification_time(job.status_file) == before:
        job.write_status(Status(state=State.FAILED, message="The process could not start. The log has the details."))
