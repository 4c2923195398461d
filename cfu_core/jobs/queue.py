"""The queue: all jobs on disk, in order, with one lane for each resource such as the device."""

from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from cfu_core.job import Job, State, jobs_folder
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.storage import home, storage_errors

#: The lane of each kind of job. Jobs of one lane run one at a time; lanes run in parallel.
LANES = {
    "train": "device",
    "import": "data",
    "demo": "data",
    "survey": "background",
    "prepare": "background",
    # a user waits for the result, which takes seconds
    "estimate": "question",
    "explain": "question",
    "export": "question",
}


def open_job(folder: Path) -> Job:
    """Return the job in a folder.

    Parameters
    ----------
    folder : Path
        Folder of the job.

    Returns
    -------
    Job
        A `Run` if the job is a training run.

    Raises
    ------
    FileNotFoundError
        There is no ``spec.json`` in the folder.
    StorageError
        ``spec.json`` is damaged, or the user may not read it.
    """
    job = Job(folder)
    return Run(folder) if job.spec.get("kind") == "train" else job


def all_jobs() -> Iterator[Job]:
    """Yield all jobs, training runs included, oldest first; skip jobs whose ``spec.json`` cannot be read.

    Yields
    ------
    Job
        A `Run` if the job is a training run.
    """
    others = [Job(path.parent) for path in jobs_folder().glob("*/spec.json")]
    found: list[Job] = [*list_runs(), *(job for job in others if job.readable())]
    yield from sorted(found, key=lambda job: job.spec["created"])


def lane_lock(lane: str) -> FileLock:
    """Return the lock that the worker of a lane holds while it runs: on ``<home>/<lane>.lock``, not yet acquired.

    The home folder is created if missing.

    Raises
    ------
    StorageError
        The home folder cannot be created.
    """
    path = home() / f"{lane}.lock"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def start_marker(lane: str) -> Path:
    """Return the path of the file that exists while a lane's worker starts, until it has acquired the lane's lock."""
    return home() / "jobs" / f"{lane}-worker.json"


def waiting(lane: str) -> list[Job]:
    """Return the queued jobs of a lane, one of the values of `LANES`; the next job first, empty if there is none."""
    return _in_state(_jobs_of(lane), State.QUEUED)


def running(lane: str) -> list[Job]:
    """Return the running jobs of a lane; more than one only if a worker was killed while its job went on."""
    return _in_state(_jobs_of(lane), State.RUNNING)


def active(lane: str) -> list[Job]:
    """Return the running jobs of a lane, then the queued ones in the order of the queue.

    Each status file is read once, so that no job is missing or listed twice if its state changes meanwhile.
    """
    jobs = _jobs_of(lane)
    return [*_in_state(jobs, State.RUNNING), *_in_state(jobs, State.QUEUED)]


def move(job: Job, place: int) -> None:
    """Move a queued job within its lane.

    Parameters
    ----------
    job : Job
        Job to move; a run must be a `Run`, as from `all_jobs`. If it is no longer queued, nothing happens.
    place : int
        New position among the queued jobs of the lane: 0 is the next job. A position out of range means the first or
        the last one.

    Raises
    ------
    StorageError
        The folder of a job is not writable, or the disk is full.
    """
    queue = waiting(LANES[job.kind])
    if job not in queue:
        return
    others = [other for other in queue if other != job]
    place = min(max(place, 0), len(others))
    before, after = others[:place], others[place:]
    if before and after:
        low, high = before[-1].rank, after[0].rank
        rank = (low + high) / 2
        if not low < rank < high:  # there is no number between them
            rank = high - 1
            for distance, other in enumerate(reversed(before), start=1):
                other.set_rank(rank - distance)
        job.set_rank(rank)
    elif after:
        job.set_rank(after[0].rank - 1)
    elif before:
        job.set_rank(before[-1].rank + 1)


def _jobs_of(lane: str) -> list[tuple[Job, State]]:
    return [(job, job.status().state) for job in all_jobs() if LANES.get(job.kind) == lane]


def _in_state(jobs: list[tuple[Job, State]], wanted: State) -> list[Job]:
    return sorted((job for job, state in jobs if state is wanted), key=lambda job: job.rank)
