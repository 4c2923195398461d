"""The worker: runs the jobs of one lane in order, each in a separate process.

A worker holds the lock of its lane while it runs. A job is first written to disk, then a worker is started if none is
running. A worker that finds no queued job releases the lock and checks the queue once more. Therefore no job is left
in the queue without a worker, and no two jobs train on one device at the same time.
"""

import subprocess
import sys
import time
from collections.abc import Callable

from filelock import Timeout

from cfu_core import PROJECT
from cfu_core.job import Job, State, Status
from cfu_core.jobs.queue import LANES, lane_lock, running, start_marker, waiting
from cfu_core.jobs.tasks import execute
from cfu_core.processes import process_alive
from cfu_core.storage import modification_time


def work(lane: str) -> None:
    """Run the jobs of a lane one after the other, until none is queued.

    Each job runs in a process of its own, whose output is appended to its ``log.txt``. If that process cannot start,
    the job is marked as failed. Return at once if another worker is running.

    Parameters
    ----------
    lane : str
        One of the values of `cfu_core.jobs.queue.LANES`.

    Raises
    ------
    StorageError
        The home folder cannot be created, or the status of a job that could not start cannot be written.
    """
    try:
        while waiting(lane):
            try:
                held = lane_lock(lane).acquire(timeout=0)
            except Timeout:
                return
            with held:
                # from here on the lock says that this worker is there; when it is released, another one may be started
                start_marker(lane).unlink(missing_ok=True)
                _wait_for_orphans(lane)
                while queue := waiting(lane):
                    _run_in_child(queue[0])
    finally:
        start_marker(lane).unlink(missing_ok=True)


def run_in_foreground(job: Job, *, on_status: Callable[[Status], None] = lambda status: None) -> Status:
    """Run a job in this process when its lane is free, or wait for its end if a worker runs it first.

    Ctrl-C stops the job, also while it is waiting. Call this function in the main thread.

    Parameters
    ----------
    job : Job
        Queued or running job. Of an ended job, the status is returned at once.
    on_status : callable
        Callback ``(status)``. It is called with the `Status` of the job about every half second while this process
        waits for the lane, and as by `cfu_core.jobs.tasks.execute` while the job runs in this process.

    Returns
    -------
    Status
        Final status: finished, failed, stopped, paused or interrupted. After Ctrl-C while a worker runs the job, its
        status at that moment, which may still be running.

    Raises
    ------
    RunError
        The job has been deleted.
    StorageError
        The home folder cannot be created, or the final status or the request to stop cannot be written.
    ValueError
        The calling thread is not the main thread.
    """
    lock = lane_lock(LANES[job.kind])
    try:
        while not job.status().state.ended:
            try:
                held = lock.acquire(timeout=0.5)
            except Timeout:
                on_status(job.status())
                continue
            with held:
                _wait_for_orphans(LANES[job.kind])
                if job.status().state is State.QUEUED:
                    execute(job, on_status=on_status)
    except KeyboardInterrupt:  # while waiting; execute handles the signal during the work
        job.request_stop()
    return job.status()


def _wait_for_orphans(lane: str) -> None:
    """Wait for jobs that continued after their worker was killed."""
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
    # the process did not start; a job that stays queued would be tried forever
    if modification_time(job.status_file) == before:
        job.write_status(Status(state=State.FAILED, message="The process could not start. The log has the details."))
