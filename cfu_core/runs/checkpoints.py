"""Where a run stands, on disk, so that no accident takes more than a minute of it.

``<run>/checkpoints/<step>.pt`` holds everything that decides how the training goes on, and ``<step>.json``, written
after it, where that is and the digest of the file. The two newest are kept: should one turn out damaged, the one
before it serves.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from io import BufferedWriter, RawIOBase
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, NamedTuple, cast

import torch

from cfu_core.errors import StorageError
from cfu_core.storage import read_json, replacing, storage_errors, write_json

KEPT = 2
EVERY_S = 60.0  # within an epoch; after an epoch there is one anyway,
PATIENCE = 3.0  # unless the last one took more than a third of the time since it was begun


class Checkpoint(NamedTuple):
    """What was found on disk."""

    state: dict[str, Any]
    """As it was given to `CheckpointWriter.keep`."""
    facts: dict[str, Any]
    """What was said of it: ``epoch``, ``batch`` and more."""


class CheckpointWriter:
    """Writes checkpoints beside the training, which does not wait for the disk unless two come close together.

    Parameters
    ----------
    run_folder : Path
    """

    def __init__(self, run_folder: Path) -> None:
        self._folder = checkpoints_folder(run_folder)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        self._kept = time.monotonic()
        self._took = 0.0  # seconds for the last one

    @property
    def due(self) -> bool:
        """Within an epoch: whether a minute has passed since the last one."""
        return self._idle and time.monotonic() - self._kept >= EVERY_S

    @property
    def affordable(self) -> bool:
        """After an epoch: whether the last one took little of the time since; very short epochs share one."""
        return self._idle and time.monotonic() - self._kept >= PATIENCE * self._took

    @property
    def _idle(self) -> bool:
        return self._writing is None or self._writing.done()

    def keep(
        self,
        step: int,
        state: dict[str, Any],
        facts: Mapping[str, Any],
        *,
        first: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to write a checkpoint; the state is copied first, so that the training can go on.

        Parameters
        ----------
        step : int
            Grows from one to the next.
        state : dict
            Tensors, numbers, text, lists and dicts.
        facts : mapping
            Plain values, for people and for `newest_checkpoint`.
        first : callable
            Called in the background, before it is written.

        Raises
        ------
        StorageError
            The one before could not be written: the disk is full, or the folder may not be written.
        """
        self.wait()
        copied = copied_to_cpu(state)
        self._kept = time.monotonic()

        def work() -> None:
            began = time.monotonic()
            first()
            _write(self._folder, step, copied, facts)
            self._took = time.monotonic() - began

        self._writing = self._pool.submit(work)

    def wait(self) -> None:
        """Wait until the last one is on disk. Raises as `keep` does."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """End the thread; what it has begun is finished."""
        self._pool.shutdown()


def checkpoints_folder(run_folder: Path) -> Path:
    """Where a run's checkpoints lie."""
    return run_folder / "checkpoints"


def newest_checkpoint(run_folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and what is wrong with any newer one, a sentence each."""
    problems: list[str] = []
    for file in sorted(checkpoints_folder(run_folder).glob("*.json"), reverse=True):
        try:
            facts = read_json(file)
            return Checkpoint(_read(file.with_suffix(".pt"), facts["sha256"]), facts), problems
        except (FileNotFoundError, StorageError, KeyError, TypeError) as error:
            problems.append(f"The checkpoint {file.stem} is damaged and was passed over ({error}).")
    return None, problems


def discard_checkpoints(run_folder: Path) -> None:
    """Remove them: the run has ended well, and they take three times the room of its weights."""
    shutil.rmtree(checkpoints_folder(run_folder), ignore_errors=True)


class _Hashing(RawIOBase):
    """A file that is hashed while it is written."""

    def __init__(self, file: BufferedWriter) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: Any) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _write(folder: Path, step: int, state: dict[str, Any], facts: Mapping[str, Any]) -> None:
    path = folder / f"{step:09d}.pt"
    with replacing(path) as draft, draft.open("wb") as file:
        hashing = _Hashing(file)
        try:
            torch.save(state, cast(IO[bytes], hashing))
        except RuntimeError as error:
            # torch cannot even end its file where writing failed, and says only that
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
    write_json(path.with_suffix(".json"), {**facts, "sha256": hashing.digest, "written": time.time()})
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        with suppress(FileNotFoundError):
            old.unlink()  # first: without it the other file is no checkpoint
            old.with_suffix(".pt").unlink()
    _remove_orphans(folder)


def _remove_orphans(folder: Path) -> None:
    """Files of checkpoints that a killed process did not finish."""
    unfinished = [file for file in folder.glob("*.pt") if not file.with_suffix(".json").exists()]
    for file in (*unfinished, *folder.glob(".*.part")):
        file.unlink(missing_ok=True)


def _read(path: Path, digest: str) -> dict[str, Any]:
    with storage_errors(path), path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise StorageError(f"{path.name} is not what was written: {path.stat().st_size} bytes of other content.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise StorageError(f"{path.name} cannot be read: {error}.") from error


def copied_to_cpu(value: Any) -> Any:
    """The same structure of dicts and lists with tensors of its own, on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied_to_cpu(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied_to_cpu(item) for item in value)
    return value
