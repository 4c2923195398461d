"""A job: a folder with what is asked for (``spec.json``), how it stands (``status.json``) and what was printed.

A training run's folder is its job's folder. Whoever looks - a page, another page, a shell - reads the same files.
A job that says it is running is believed only while the process that wrote so is alive: a process is told from
another with the same number by its start time.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from cfu_core.errors import StorageError
from cfu_core.runs.store import runs_folder
from cfu_core.storage import SpecFolder, home, read_json, storage_errors, write_json

LOCK = "lock"  # a file in the job's folder, locked by the process that works on it


class State(StrEnum):
    """How a job stands. ``queued`` and ``running`` may become anything below them; the rest is final."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a job stands, in the words of the process that works on it.

    Parameters
    ----------
    state : State
    phase : str
        What it is doing, for people.
    message : str
        Why it failed or was interrupted.
    details : dict
        Progress: done and total, or epoch, batch, images_per_second, seconds_left, ...
    pid, pid_started : int, float
        The process that works on it, and when that process started.
    updated : float
        Seconds since 1970.
    """

    state: State
    phase: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    pid: int = 0
    pid_started: float = 0.0
    updated: float = 0.0

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        d = self.details
        if self.state is State.FINISHED:
            return 1.0
        if "total" in d:
            return d["done"] / max(1, d["total"])
        if "epoch" in d:
            return ((d["epoch"] - 1) * d["batches"] + d["batch"]) / (d["epochs"] * d["batches"])
        return 0.0


class Job(SpecFolder):
    """Work described by a folder."""

    @property
    def kind(self) -> str:
        """``train``, ``import``, ``demo``, ``survey`` or ``prepare``."""
        return self.spec["kind"]

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.folder / "log.txt"

    def status(self) -> Status:
        """How the job stands now; a job whose process is gone is interrupted, whatever its file says."""
        try:
            saved = read_json(self.folder / "status.json")
        except FileNotFoundError:
            return Status(state=State.QUEUED)
        except StorageError as error:
            return Status(state=State.FAILED, message=str(error))
        try:
            status = Status(**{**saved, "state": State(saved["state"])})
        except (KeyError, TypeError, ValueError):
            return Status(state=State.FAILED, message=f"{self.folder / 'status.json'} is damaged.")
        if status.state is State.RUNNING and not process_alive(status.pid, status.pid_started):
            return Status(
                state=State.INTERRUPTED,
                phase=status.phase,
                details=status.details,
                message="The process that worked on it ended without a word: it was killed, ran out of memory, "
                "or the computer was switched off.",
                updated=status.updated,
            )
        return status

    def write_status(self, status: Status) -> None:
        """Replace the status file; a job that was deleted meanwhile stays deleted."""
        if not self.folder.is_dir():
            return
        write_json(self.folder / "status.json", {**asdict(status), "updated": time.time()})

    def request_stop(self) -> None:
        """Ask whoever works on it to end; a job that has not begun ends at once."""
        with storage_errors(self.folder):
            (self.folder / "stop").touch()
        with (
            suppress(Timeout),
            FileLock(self.folder / LOCK, timeout=0),
        ):  # held by whoever works on it, who looks for the file
            if self.status().state is State.QUEUED:
                self.write_status(Status(state=State.STOPPED, message="Taken out of the queue before it began."))

    def stop_requested(self) -> bool:
        """Whether someone asked for the end."""
        return (self.folder / "stop").exists()


def process_alive(pid: int, started: float) -> bool:
    """Whether the process with this number is still the one that started then, and no zombie."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def jobs_folder() -> Path:
    """Where jobs other than training runs lie."""
    return home() / "jobs"


def create_job(kind: str, spec: Mapping[str, Any]) -> Job:
    """Write down a job that is no training run."""
    now = datetime.now(UTC)
    folder = jobs_folder() / f"{now:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}"
    write_json(folder / "spec.json", {"kind": kind, "created": now.isoformat(timespec="microseconds"), **spec})
    return Job(folder)


def all_jobs() -> Iterator[Job]:
    """Every job there is, training runs among them, oldest first."""
    found = [*jobs_folder().glob("*/spec.json"), *runs_folder().glob("[!.]*/spec.json")]
    jobs = [job for job in (Job(path.parent) for path in found) if job.readable()]
    yield from sorted(jobs, key=lambda job: job.spec["created"])
