"""A job: a folder with the request, the status and the output of a piece of work.

``spec.json`` holds the request and is written once. ``status.json`` is replaced as the work proceeds. ``log.txt`` is
the output of the process. Empty files ``stop`` and ``pause`` are requests to the process. ``rank.json`` holds the rank
of a job that was moved within the queue. The process locks the file ``lock`` while it works on the job. A training run
is also a job (`cfu_core.runs.run`). The dashboard and the command line read the same files.

A job whose status is "running" counts as running only while the process that wrote the status is alive.
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

BLOCK = 4096  # bytes: smallest unit of disk space, so a file up to this size can be replaced on a full disk
LOCK_RELEASE_SECONDS = 5.0  # time in which the system releases the locks of a killed process
LOCK = "lock"  # file in the job's folder, locked by the process that works on the job


class State(StrEnum):
    """State of a job.

    A queued job starts to run, or it is paused or stopped before; it fails if its process cannot start. A running job
    changes to any other state except queued. A paused job may be stopped. `Job.requeue` queues a resumable job again. A
    finished job does not change any more.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether the job is neither queued nor running; a paused job has ended in this sense."""
        return self not in (State.QUEUED, State.RUNNING)

    @property
    def resumable(self) -> bool:
        """Whether the job can be resumed: it is paused, stopped, interrupted or failed."""
        return self in (State.PAUSED, State.STOPPED, State.INTERRUPTED, State.FAILED)


@dataclass(frozen=True, kw_only=True)
class Status:
    """State and progress of a job: the content of ``status.json``.

    Attributes
    ----------
    state : State
        State at the time of writing. `Job.status` corrects it if the process has ended since then.
    phase : str
        The current step of a running job, or the last step of a job whose process ended unexpectedly, as a text for
        users. Empty in other states.
    message : str
        Why the job failed, was interrupted, paused or stopped; empty in other states.
    details : dict
        Progress within the phase: ``done`` and ``total`` (numbers of items), or ``epoch``, ``epochs``, ``batch``,
        ``batches``, ``images_per_second``, ``seconds_left`` (None if unknown), ``learning_rate`` and ``memory_bytes``.
        Empty if the phase reports no progress. Of a job that ended before it finished, the last progress. Of a finished
        job, its result, for example ``dataset`` (the identifier of an imported dataset).
    pid : int
        Number of the process that works on a running job; 0 in other states.
    pid_started : float
        Start time of the process, from `cfu_core.processes.process_started`; 0 in other states.
    """

    state: State
    phase: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    pid: int = 0
    pid_started: float = 0.0

    @property
    def fraction(self) -> float:
        """Finished fraction of the work, from 0 to 1: of items, or of the batches of all epochs; 0 if unknown.

        1 for a finished job. The fraction of a job with several phases begins again at 0 in each phase.
        """
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
    """A piece of work, stored in a folder.

    Attributes
    ----------
    folder : Path
        Folder of the job; its name is the job's identifier.
    """

    folder: Path

    @property
    def id(self) -> str:
        """Identifier: the name of the folder."""
        return self.folder.name

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Request as plain JSON values, from ``spec.json``; read once.

        Raises
        ------
        FileNotFoundError
            The job has been deleted.
        StorageError
            The file is damaged, or the user may not read it.
        """
        file = self.folder / "spec.json"
        spec = read_json(file)
        if not isinstance(spec, dict):
            raise StorageError(
                f"{file} is damaged: it is JSON of another form.", "It must contain an object.", "Delete its folder."
            )
        return spec

    def readable(self) -> bool:
        """Return whether ``spec.json`` has the entries of every job: ``kind`` and ``created``.

        False if the file is damaged or not readable, or missing because the job has just been deleted.
        """
        try:
            return {"kind", "created"} <= set(self.spec)
        except (FileNotFoundError, StorageError):
            return False

    @property
    def kind(self) -> str:
        """One of ``train``, ``import``, ``demo``, ``survey``, ``prepare``, ``estimate``, ``explain`` or ``export``."""
        return self.spec["kind"]

    @property
    def created(self) -> datetime:
        """Time of the request, in UTC."""
        return datetime.fromisoformat(self.spec["created"])

    @property
    def log(self) -> Path:
        """File with the output of the process."""
        return self.folder / "log.txt"

    @property
    def status_file(self) -> Path:
        """File with the status; missing as long as the job is queued for the first time."""
        return self.folder / "status.json"

    def status(self) -> Status:
        """Read the current status.

        Returns
        -------
        Status
            Queued if there is no status file, also if the job has been deleted. Failed if the file is damaged or not
            readable. Interrupted if the file says "running" but its process has ended.
        """
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
        """Replace the status file; do nothing if the job has been deleted.

        If the file cannot be replaced, for example on a full disk, an existing file is overwritten in place, provided
        that the new content has at most 4096 bytes.

        Raises
        ------
        StorageError
            The disk is full or the folder is not writable, and the file cannot be overwritten in place.
        """
        if not self.folder.is_dir():
            return
        value = asdict(status)
        try:
            write_json(self.status_file, value)
        except StorageError:
            if not _overwrite(self.status_file, json_text(value).encode()):
                raise

    def lock(self, *, timeout: float = -1) -> FileLock:
        """Return the lock that the process which works on the job holds; not yet acquired.

        Parameters
        ----------
        timeout : float
            Seconds to wait when it is acquired; -1 for any time.

        Raises
        ------
        RunError
            The job has been deleted. The lock would create its folder again.
        """
        if not self.folder.is_dir():
            raise RunError(f"{self.id} has been deleted.")
        return FileLock(self.folder / LOCK, timeout=timeout)

    def request_stop(self) -> None:
        """Request a stop; return at once.

        A running job stops at its next check and can be resumed. A queued or paused job is marked as stopped
        immediately. A job in any other state is not changed.

        Raises
        ------
        FileNotFoundError
            The job has been deleted.
        StorageError
            The folder is not writable, or the disk is full.
        """
        self._request("stop")
        # a process that works on the job holds its lock and checks for the request itself
        with suppress(Timeout), self.lock(timeout=0):
            if (status := self.status()).state in (State.QUEUED, State.PAUSED):
                waited = status.state is State.QUEUED
                message = "Removed from the queue before it started." if waited else "Stopped while it was paused."
                self.write_status(Status(state=State.STOPPED, message=message, details=status.details))

    def stop_requested(self) -> bool:
        """Return whether a stop was requested since the job was last queued."""
        return (self.folder / "stop").exists()

    def request_pause(self) -> None:
        """Request a pause; return at once.

        The process of a running job pauses at its next check: it saves its state and ends, so that the device is free.
        A queued job is marked as paused immediately. A job in any other state is not changed.

        Raises
        ------
        FileNotFoundError
            The job has been deleted.
        StorageError
            The folder is not writable, or the disk is full.
        """
        self._request("pause")
        with suppress(Timeout), self.lock(timeout=0):
            if (status := self.status()).state is State.QUEUED:
                message = "Paused before it started." if not status.details else "Paused again before it continued."
                self.write_status(Status(state=State.PAUSED, message=message, details=status.details))

    def pause_requested(self) -> bool:
        """Return whether a pause was requested since the job was last queued."""
        return (self.folder / "pause").exists()

    def _request(self, request: str) -> None:
        with storage_errors(self.folder):
            (self.folder / request).touch()

    @property
    def rank(self) -> float:
        """Rank in the queue: the job with the lowest rank is next.

        The time of the request in seconds since 1970, unless `set_rank` has set another number.
        """
        try:
            return float(read_json(self.folder / "rank.json")["rank"])
        except (FileNotFoundError, StorageError, KeyError, TypeError, ValueError):
            return self.created.timestamp()

    def set_rank(self, rank: float) -> None:
        """Set the rank in the queue, in ``rank.json``.

        Raises
        ------
        StorageError
            The folder is not writable, or the disk is full.
        """
        write_json(self.folder / "rank.json", {"rank": rank})

    def requeue(self) -> None:
        """Queue an unfinished job again.

        Earlier requests to stop or pause are removed. A fine-tuning run continues from its last checkpoint, if there is
        one. A job of another kind starts again, but uses what it has stored (measurements of a survey, prepared
        images). No worker is started (`cfu_core.jobs.launch.resume` starts one).

        Raises
        ------
        RunError
            The job is queued, running or finished, has been deleted, or a process still works on it after a wait of
            five seconds.
        StorageError
            The folder is not writable, or the disk is full.
        """
        expected = "Only a job that was paused, stopped, interrupted or failed can be resumed."
        try:
            # a killed process holds the lock until the system has reclaimed all its memory
            wait = LOCK_RELEASE_SECONDS if self.status().state.ended else 0
            with storage_errors(self.folder), self.lock(timeout=wait):
                status = self.status()
                if not status.state.resumable:
                    raise RunError(f"{self.id} is {status.state}.", expected)
                for request in ("stop", "pause"):
                    (self.folder / request).unlink(missing_ok=True)
                self.write_status(Status(state=State.QUEUED, details=status.details))
        except Timeout as error:
            raise RunError(
                f"A process is still working on {self.id}.", expected, "Wait a moment, then try again."
            ) from error


def _overwrite(path: Path, content: bytes) -> bool:
    """Overwrite a small file in place, which works on a full disk; return whether it was overwritten."""
    if not path.exists() or len(content) > BLOCK:
        return False
    with storage_errors(path), path.open("r+b") as file:
        file.write(content)
        file.truncate()
    return True


def jobs_folder() -> Path:
    """Return the folder of all jobs except training runs: ``<home>/jobs``. It may not exist yet."""
    return home() / "jobs"


def create_job(kind: str, spec: Mapping[str, Any]) -> Job:
    """Create a job that is not a training run, without starting it.

    Parameters
    ----------
    kind : str
        One of `Job.kind` except ``train``.
    spec : mapping of str to object
        Request: further entries of ``spec.json``, plain JSON values. `cfu_core.jobs.launch.submit` lists them by kind;
        they are not checked.

    Returns
    -------
    Job
        Queued, in a new folder.

    Raises
    ------
    StorageError
        The home folder is not writable, or the disk is full.
    """
    now = datetime.now(UTC)
    folder = jobs_folder() / f"{now:%Y%m%d-%H%M%S}-{kind}-{secrets.token_hex(2)}"
    write_json(folder / "spec.json", {"kind": kind, "created": now.isoformat(timespec="microseconds"), **spec})
    return Job(folder)
