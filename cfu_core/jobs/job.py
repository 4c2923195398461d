"""A job: a folder with what is asked for (``spec.json``), how it stands (``status.json``) and what was printed.

A training run's folder is its job's folder. Whoever looks - a page, another page, a shell - reads the same files.
A job that says it is running is believed only while the process that wrote so is alive: a process is told from
another with the same number by its start time.
"""

import os
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

from cfu_core.errors import RunError, StorageError
from cfu_core.runs.store import runs_folder
from cfu_core.storage import SpecFolder, home, json_text, read_json, storage_errors, write_json

BLOCK = 4096  # bytes that a small file takes on disk in any case
RELEASED_S = 5.0  # within which the system has let go of what a killed process held
LOCK = "lock"  # a file in the job's folder, locked by the process that works on it


class State(StrEnum):
    """How a job stands. ``queued`` and ``running`` may become anything below them."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (State.QUEUED, State.RUNNING)

    @property
    def resumable(self) -> bool:
        """Whether what was begun may go on when someone asks for it."""
        return self in (State.PAUSED, State.STOPPED, State.INTERRUPTED, State.FAILED)


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
        The process that works on it, and when that process started, from `process_started`.
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
        """``train``, ``import``, ``demo``, ``survey``, ``prepare`` or ``estimate``."""
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
        path, value = self.folder / "status.json", {**asdict(status), "updated": time.time()}
        try:
            write_json(path, value)
        except StorageError:
            if not _written_over(path, json_text(value).encode()):
                raise

    def request_stop(self) -> None:
        """Ask whoever works on it to end; a job that has not begun ends at once."""
        with storage_errors(self.folder):
            (self.folder / "stop").touch()
        with (
            suppress(Timeout),
            FileLock(self.folder / LOCK, timeout=0),
        ):  # held by whoever works on it, who looks for the file
            if (status := self.status()).state in (State.QUEUED, State.PAUSED):
                waited = status.state is State.QUEUED
                message = "Taken out of the queue before it began." if waited else "Stopped while it was paused."
                self.write_status(Status(state=State.STOPPED, message=message, details=status.details))

    def stop_requested(self) -> bool:
        """Whether someone asked for the end."""
        return (self.folder / "stop").exists()

    def request_pause(self) -> None:
        """Ask whoever works on it to put it down and free the device; a job that has not begun is put aside at once."""
        with storage_errors(self.folder):
            (self.folder / "pause").touch()
        with suppress(Timeout), FileLock(self.folder / LOCK, timeout=0):
            if (status := self.status()).state is State.QUEUED:
                message = "Put aside before it began." if not status.details else "Put aside again."
                self.write_status(Status(state=State.PAUSED, message=message, details=status.details))

    def pause_requested(self) -> bool:
        """Whether someone asked for a pause."""
        return (self.folder / "pause").exists()

    @property
    def rank(self) -> float:
        """Its place in the queue: the lowest is next. By age, unless someone moved it."""
        path = self.folder / "rank.json"
        if path.exists():
            return read_json(path)["rank"]
        return datetime.fromisoformat(self.spec["created"]).timestamp()

    def set_rank(self, rank: float) -> None:
        """Move it in the queue."""
        write_json(self.folder / "rank.json", {"rank": rank})

    def requeue(self) -> None:
        """Put a job that ended before its time back into the queue; a training goes on from its last checkpoint.

        Raises
        ------
        RunError
            It waits or runs, or has finished.
        """
        only = "Only what ended before its time can be resumed."
        try:
            # a process that was killed holds the lock until the system has taken all its memory back
            wait = RELEASED_S if self.status().state.ended else 0
            with storage_errors(self.folder), FileLock(self.folder / LOCK, timeout=wait):
                status = self.status()
                if not status.state.resumable:
                    raise RunError(f"{self.id} is {status.state}.", only)
                for request in ("stop", "pause"):
                    (self.folder / request).unlink(missing_ok=True)
                self.write_status(Status(state=State.QUEUED, details=status.details))
        except Timeout as error:
            raise RunError(f"A process still works on {self.id}.", only, "Wait a moment, then try again.") from error


def _written_over(path: Path, content: bytes) -> bool:
    """Put a small file's content in place of what it holds; where a disk is full, that needs no more room."""
    if not path.exists() or len(content) > BLOCK:
        return False
    with storage_errors(path), path.open("r+b") as file:
        file.write(content)
        file.truncate()
    return True


def process_started(pid: int) -> float:
    """When a process started, in seconds since the computer did; where that is not to be had, since 1970.

    Raises
    ------
    psutil.NoSuchProcess
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")  # a clock that is set back changes nothing here
    except (OSError, AttributeError, ValueError, IndexError):
        return psutil.Process(pid).create_time()


def process_alive(pid: int, started: float) -> bool:
    """Whether the process with this number is still the one that started then, and no zombie."""
    try:
        same = abs(process_started(pid) - started) < 1
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
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
