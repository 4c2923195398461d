"""The queue: one worker a lane takes what waits, in order, each job in a process of its own.

The worker holds its lane's lock while it lives. Whoever puts a job into the queue writes it down first and then sees
to it that a worker lives; a worker that has found nothing gives the lock back and looks once more. So no job is
left waiting, and no two train at once on one device.
"""

import subprocess
import sys
import time
from collections.abc import Callable

from filelock import FileLock, Timeout

from cfu_core import PROJECT
from cfu_core.jobs.job import Job, State, Status, all_jobs, process_alive
from cfu_core.jobs.tasks import execute
from cfu_core.storage import home, storage_errors

#: Training jobs wait for the device; imports need not wait for them, and nobody waits for what is in the background.
#: Somebody does wait for an answer, and it takes seconds.
LANES = {
    **{"train": "device", "import": "data", "demo": "data"},
    **{"survey": "background", "prepare": "background", "estimate": "question", "explain": "question"},
    "export": "question",
}


def lane_lock(lane: str) -> FileLock:
    """The lock that whoever works in a lane holds."""
    path = home() / f"{lane}.lock"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def waiting(lane: str) -> list[Job]:
    """The queue of a lane, first in front."""
    return _in_state(_standing(lane), State.QUEUED)


def move(job: Job, place: int) -> None:
    """Move a waiting job to a place in its lane's queue, 0 for the front; doing so twice changes nothing more."""
    queue = waiting(LANES[job.kind])
    if job not in queue:
        return  # it has begun meanwhile
    others = [other.rank for other in queue if other != job]
    place = min(max(place, 0), len(others))
    before, after = others[:place], others[place:]
    if before and after:
        job.set_rank((before[-1] + after[0]) / 2)
    elif after:
        job.set_rank(after[0] - 1)
    elif before:
        job.set_rank(before[-1] + 1)


def running(lane: str) -> list[Job]:
    """Jobs of a lane that a living process works on."""
    return _in_state(_standing(lane), State.RUNNING)


def active(lane: str) -> list[Job]:
    """Both: what runs, then what waits; every job is looked at once."""
    standing = _standing(lane)
    return [*_in_state(standing, State.RUNNING), *_in_state(standing, State.QUEUED)]


def _standing(lane: str) -> list[tuple[Job, State]]:
    return [(job, job.status().state) for job in all_jobs() if LANES.get(job.kind) == lane]


def _in_state(standing: list[tuple[Job, State]], wanted: State) -> list[Job]:
    return sorted((job for job, state in standing if state is wanted), key=lambda job: job.rank)


def work(lane: str) -> None:
    """Take jobs of a lane until none waits. Returns at once where another worker lives."""
    while waiting(lane):
        try:
            held = lane_lock(lane).acquire(timeout=0)
        except Timeout:
            return
        with held:
            _outlive_orphans(lane)
            while queue := waiting(lane):
                _run_in_child(queue[0])


def run_in_foreground(job: Job, *, tell: Callable[[Status], None] = lambda status: None) -> Status:
    """Do a job in this process as soon as its lane is free; where a worker takes it first, watch.

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
                _outlive_orphans(LANES[job.kind])
                if job.status().state is State.QUEUED:
                    execute(job, tell=tell)
    except KeyboardInterrupt:  # while waiting; at work, the signal is handled by execute
        job.request_stop()
    return job.status()


def _outlive_orphans(lane: str) -> None:
    """Wait for jobs whose worker was killed while they went on."""
    for job in running(lane):
        status = job.status()
        while process_alive(status.pid, status.pid_started):
            time.sleep(0.5)


def _run_in_child(job: Job) -> None:
    before = job.status()
    with job.log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "cfu_core", "job", str(job.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            check=False,
        )
    if job.status() == before:  # it could not even start (a job that was resumed meanwhile is another): not forever
        job.write_status(Status(state=State.FAILED, message="The process could not start. The log has the details."))
