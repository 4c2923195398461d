"""A job: a folder that holds what was requested, how it stands and what was printed.

``spec.json`` is written once. ``status.json`` is replaced as the work goes on, and ``log.txt`` takes what the process
prints. A training run is a job as well (`cfu_core.runs.run`). Pages and the shell read the same files.

A job that is marked as running counts as running only while the process that wrote so is alive.
"""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cfu_core.errors import RunError, StorageError
from cfu_core.processes import process_alive
from cfu_core.storage import home, json_text, read_json, storage_errors, write_json

BLOCK = 4096  # bytes that a small file takes on disk in any case
RELEASED_S = 5.0  # seconds within which the system releases the locks of a killed process
LOCK = "lock"  # a file in the job's folder, locked by the process that works on it


class State(StrEnum):
    """The state of a job. A queued or running job may take any other state."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether the job is neither waiting nor running."""
        return self not in (State.QUEUED, State.RUNNING)

    @property
    def resumable(self) -> bool:
        """Whether the job can be resumed."""
        return self in (State.PAUSED, State.STOPPED, State.INTERRUPTED, State.FAILED)


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state and progress of a job, as its process wrote them.

    Attributes
    ----------
    state : State
    phase : str
        The current step, for people.
    message : str
        Why it failed, was interrupted, paused or stopped.
    details : dict
        Progress: done and total, or epoch, batch, images_per_second, seconds_left, ...
    pid, pid_started : int, float
        The process that works on it, and when it started (from `cfu_core.processes.process_started`).
    """

    state: State
    phase: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    pid: int = 0
    pid_started: float = 0.0

    @property
    def fraction(self) -> float:
        """Share of the work that is done, from 0 to 1."""
        d = self.details
        if self.state is State.FINISHED:
            return 1.0
        if "total" in d:
            return d["done"] / max(1, d["total"])
        if "epoch" in d:
            return ((d["epoch"] - 1) * d["batches"] + d["batch"]) / (d["epochs"] * d["batches"])
        return 0.0


@dataclass(frozen=True)
class Job:
    """Work described by a folder.

    Attributes
    ----------
    folder : Path
        Its name is the job's identifier.
    """

    folder: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What was requested, as plain values; read once."""
        return read_json(self.folder / "spec.json")

    def readable(self) -> bool:
        """Return whether the specification is complete; the folder may have been deleted a moment ago."""
        try:
            return {"kind", "created"} <= set(self.spec)
        except (FileNotFoundError, StorageError):
            return False

    @property
    def kind(self) -> str:
        """``train``, ``import``, ``demo``, ``survey``, ``prepare``, ``estimate``, ``explain`` or ``export``."""
        return self.spec["kind"]

    @property
    def created(self) -> datetime:
        """When it was requested, in UTC."""
        return datetime.fromisoformat(self.spec["created"])

    @property
    def log(self) -> Path:
        """The file that holds what the process printed."""
        return self.folder / "log.txt"

    @property
    def status_file(self) -> Path:
        """The file that holds the status; missing while the job waits for the first time."""
        return self.folder / "status.json"

    def status(self) -> Status:
        """Return the current status; a running job whose process is gone is interrupted."""
        try:
            saved = read_json(self.status_file)
        except FileNotFoundError:
            return Status(state=State.QUEUED)
        except StorageError as error:
            return Status(state=State.FAILED, message=str(error))
        try:
            known = {f.name: saved[f.name] for f in fields(Status) if f.name in saved}
            status = Status(**{**known, "state": State(saved["state"])})
        except (KeyError, TypeError, ValueError):
            return Status(state=State.FAILED, message=f"{self.status_file} is damaged.")
        if status.state is State.RUNNING and not process_alive(status.pid, status.pid_started):
            return Status(
                state=State.INTERRUPTED,
                phase=status.phase,
                details=status.details,
                message="The process ended unexpectedly: it was killed, ran out of memory, or the computer was "
                "switched off.",
            )
        return status

    def write_status(self, status: Status) -> None:
        """Replace the status file; do nothing where the job was deleted meanwhile."""
        if not self.folder.is_dir():
            return
        value = asdict(status)
        try:
            write_json(self.status_file, value)
        except StorageError:
            if not _written_over(self.status_file, json_text(value).encode()):
                raise

    def request_stop(self) -> None:
        """Ask the process to stop; a job that waits or is paused stops at once."""
        self._request("stop")
        # the process that works on the job holds its lock, and looks for the request itself
        with suppress(Timeout), FileLock(self.folder / LOCK, timeout=0):
            if (status := self.status()).state in (State.QUEUED, State.PAUSED):
                waited = status.state is State.QUEUED
                message = "Removed from the queue before it began." if waited else "Stopped while it was paused."
                self.write_status(Status(state=State.STOPPED, message=message, details=status.details))

    def stop_requested(self) -> bool:
        """Return whether somebody asked for a stop."""
        return (self.folder / "stop").exists()

    def request_pause(self) -> None:
        """Ask the process to save its state, free the device and end; a job that waits is paused at once."""
        self._request("pause")
        with suppress(Timeout), FileLock(self.folder / LOCK, timeout=0):
            if (status := self.status()).state is State.QUEUED:
                message = "Paused before it began." if not status.details else "Paused again before it went on."
                self.write_status(Status(state=State.PAUSED, message=message, details=status.details))

    def pause_requested(self) -> bool:
        """Return whether somebody asked for a pause."""
        return (self.folder / "pause").exists()

    def _request(self, request: str) -> None:
        with storage_errors(self.folder):
            (self.folder / request).touch()

    @property
    def rank(self) -> float:
        """Its place in the queue: the lowest is next. By age, unless it was moved."""
        try:
            return float(read_json(self.folder / "rank.json")["rank"])
        except (FileNotFoundError, StorageError, KeyError, TypeError, ValueError):
            return self.created.timestamp()

    def set_rank(self, rank: float) -> None:
        """Move the job within the queue."""
        write_json(self.folder / "rank.json", {"rank": rank})

    def requeue(self) -> None:
        """Queue a job again that has not finished; a training run continues from its last checkpoint.

        Raises
        ------
        RunError
            The job waits, runs or has finished.
        """
        only = "Only a job that was paused, stopped, interrupted or failed can be resumed."
        try:
            # a killed process holds the lock until the system has reclaimed all its memory
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
    """Overwrite a small file in place; on a full disk that needs no more room."""
    if not path.exists() or len(content) > BLOCK:
        return False
    with storage_errors(path), path.open("r+b") as file:
        file.write(content)
        file.truncate()
    return True


def jobs_folder() -> Path:
    """Return the folder of all jobs that are no training runs."""
    return home() / "jobs"


def create_job(kind: str, spec: Mapping[str, Any]) -> Job:
    """Write the folder of a new job that is no training run.

    Parameters
    ----------
    kind : str
        See `Job.kind`.
    spec : Mapping
        What is requested; plain JSON values.
    """
    now = datetime.now(UTC)
    folder = jobs_folder() / f"{now:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}"
    write_json(folder / "spec.json", {"kind": kind, "created": now.isoformat(timespec="microseconds"), **spec})
    return Job(folder)
