"""Checkpoints of a training run on disk, so that a crash costs at most about a minute of work.

``<run>/checkpoints/<step>.pt`` contains everything that decides how the training continues. ``<step>.json``, written
after it, contains the epoch, the batch and the checksum of the first file. The two newest checkpoints are kept: if one
is damaged, the one before it is used.
"""

import os
import shutil
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from io import FileIO, RawIOBase
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any, NamedTuple, cast

import torch

from cfu_core.errors import StorageError
from cfu_core.storage import read_json, replacing, storage_errors, write_json

KEPT = 2  # checkpoints
BEST = "best"  # folder of the weights of the best epoch, inside the folder of checkpoints
CHUNK = 2**25  # bytes read or written at once
EVERY_S = 60.0  # seconds of work that a crash costs at most
INTERVAL_RATIO = 50.0  # after an epoch, the time since the last checkpoint must be this many times the time it took

torch.serialization.set_crc32_options(compute_crc32=False)  # of each tensor: the whole file has its own checksum


class Checkpoint(NamedTuple):
    """A checkpoint that was read from disk.

    Attributes
    ----------
    step : int
        Steps of the optimizer since the start of the run.
    state : dict
        The state that was given to `CheckpointWriter.write`.
    metadata : dict
        Content of the JSON file: ``epoch``, ``batch`` and the other values that were given.
    """

    step: int
    state: dict[str, Any]
    metadata: dict[str, Any]


class CheckpointWriter:
    """Writes checkpoints in a thread, so that the training waits only if two checkpoints come close together.

    Parameters
    ----------
    run_folder : Path
    """

    def __init__(self, run_folder: Path) -> None:
        self._folder = checkpoints_folder(run_folder)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        self._last = time.monotonic()  # time of the last checkpoint, or of the start
        self._last_seconds = 0.0  # processor time of writing it
        self._copy: Any = None  # of the state; its memory is used again, as new memory is slow

    @property
    def due_within_epoch(self) -> bool:
        """Whether a minute has passed since the last checkpoint, and it is on disk."""
        return self._idle and time.monotonic() - self._last >= EVERY_S

    @property
    def due_after_epoch(self) -> bool:
        """Whether the last checkpoint is on disk and took little of the time since; short epochs share a checkpoint."""
        return self._idle and time.monotonic() - self._last >= min(INTERVAL_RATIO * self._last_seconds, EVERY_S)

    @property
    def _idle(self) -> bool:
        return self._writing is None or self._writing.done()

    def write(
        self,
        step: int,
        state: dict[str, Any],
        metadata: Mapping[str, Any],
        *,
        best: int = 0,
        best_weights: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Begin to write a checkpoint. The state is copied first, so that the training can continue.

        Parameters
        ----------
        step : int
            Steps of the optimizer since the start; greater than that of the checkpoint before.
        state : dict
            Tensors, numbers, text, lists and dicts.
        metadata : mapping
            Plain JSON values, which include ``epoch`` and ``batch``.
        best : int, optional
            The best epoch, if its weights are not on disk yet. They are written before the checkpoint, so that the
            best weights on disk are always those that the newest checkpoint refers to, or later ones.
        best_weights : dict, optional
            A copy of these weights; by default those of ``state["network"]``.

        Raises
        ------
        StorageError
            The checkpoint before could not be written: the disk is full, or the folder is not writable.
        """
        self.wait()
        copied = self._copy = copied_to_cpu(state, self._copy)
        self._last = time.monotonic()

        def work() -> None:
            began = time.thread_time()  # time taken from the training, without waiting for the disk
            if best:
                self._write_best(best, best_weights or copied["network"], metadata)
            _write(self._folder, step, copied, metadata)
            self._last_seconds = time.thread_time() - began

        self._writing = self._pool.submit(work)

    def write_best(self, epoch: int, weights: dict[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
        """Write only the weights of the best epoch, and wait until they are on disk.

        Parameters
        ----------
        epoch : int
        weights : dict of str to Tensor
        metadata : mapping
            Plain JSON values.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable.
        """
        self.wait()
        self._write_best(epoch, weights, metadata)

    def _write_best(self, epoch: int, weights: dict[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
        _write(self._folder / BEST, epoch, weights, {**metadata, "best_epoch": epoch})

    def wait(self) -> None:
        """Wait until the last checkpoint is on disk.

        Raises
        ------
        StorageError
            It could not be written: the disk is full, or the folder is not writable.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """Finish writing and end the thread."""
        self._pool.shutdown()


def checkpoints_folder(run_folder: Path) -> Path:
    """Return the folder of a run's checkpoints."""
    return run_folder / "checkpoints"


def best_weights(run_folder: Path) -> Checkpoint | None:
    """Read the weights of the best epoch that is on disk.

    Parameters
    ----------
    run_folder : Path

    Returns
    -------
    Checkpoint or None
        ``metadata["best_epoch"]`` is the epoch. None if there are no intact weights.
    """
    return _newest(checkpoints_folder(run_folder) / BEST)[0]


def newest_checkpoint(run_folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest intact checkpoint.

    Parameters
    ----------
    run_folder : Path

    Returns
    -------
    checkpoint : Checkpoint or None
        None if there is no intact one.
    problems : list of str
        For each newer checkpoint that is damaged, a sentence for users.
    """
    return _newest(checkpoints_folder(run_folder))


def _newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    problems: list[str] = []
    for file in sorted(folder.glob("*.json"), reverse=True):
        try:
            metadata = read_json(file)
            return Checkpoint(int(file.stem), _read(file.with_suffix(".pt"), metadata["crc32"]), metadata), problems
        except (OSError, StorageError, KeyError, TypeError) as error:
            problems.append(f"The checkpoint {file.stem} is damaged and was skipped ({error}).")
    return None, problems


def discard_newer(run_folder: Path, checkpoint: Checkpoint | None) -> None:
    """Remove what is newer than a checkpoint: damaged checkpoints, and weights of epochs that will be repeated.

    Only the newest checkpoints are kept, so that these files would displace the ones that the resumed run writes.

    Parameters
    ----------
    run_folder : Path
    checkpoint : Checkpoint or None
        The checkpoint from which the run is resumed; None if it starts again.
    """
    folder = checkpoints_folder(run_folder)
    step, epoch = (checkpoint.step, checkpoint.metadata["epoch"]) if checkpoint else (-1, 0)
    newer = [file for file in folder.glob("*.json") if int(file.stem) > step]
    newer += [file for file in (folder / BEST).glob("*.json") if int(file.stem) >= epoch]
    for file in newer:
        file.unlink(missing_ok=True)  # writing the next checkpoint removes the rest of it


def discard_checkpoints(run_folder: Path) -> None:
    """Remove all checkpoints of a finished run; they take three times the space of its weights."""
    shutil.rmtree(checkpoints_folder(run_folder), ignore_errors=True)


class _ChecksumFile(RawIOBase):
    """A file that computes its checksum while it is written, and that does not stay in the system's page cache.

    Finding memory for the page cache would take longer than the writing, and would displace the cached images.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self.crc32 = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for first in range(0, len(view), CHUNK):
            self._write_some(view[first : first + CHUNK])
        return len(view)

    def _write_some(self, data: memoryview) -> None:
        self.crc32 = zlib.crc32(data, self.crc32)
        left = data
        while left:
            left = left[self._file.write(left) :]
        if hasattr(os, "posix_fadvise") and len(data) == CHUNK:
            os.fdatasync(self._file.fileno())
            os.posix_fadvise(self._file.fileno(), 0, self._file.tell(), os.POSIX_FADV_DONTNEED)


def _write(folder: Path, step: int, state: dict[str, Any], metadata: Mapping[str, Any]) -> None:
    path = folder / f"{step:09d}.pt"
    with replacing(path) as draft, draft.open("wb", buffering=0) as file:
        output = _ChecksumFile(file)
        try:
            torch.save(state, cast(IO[bytes], output))
        except RuntimeError as error:
            # torch then fails to close its archive, and raises that error instead of the one from writing
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
    write_json(path.with_suffix(".json"), {**metadata, "crc32": output.crc32, "written": time.time()})
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        with suppress(FileNotFoundError):
            old.unlink()  # first: without it, the other file is not a checkpoint
            old.with_suffix(".pt").unlink()
    _remove_orphans(folder)


def _remove_orphans(folder: Path) -> None:
    """Remove files of checkpoints that a killed process did not finish."""
    unfinished = [file for file in folder.glob("*.pt") if not file.with_suffix(".json").exists()]
    for file in (*unfinished, *folder.glob(".*.part")):
        file.unlink(missing_ok=True)


def _read(path: Path, crc32: int) -> dict[str, Any]:
    found = 0
    with storage_errors(path), path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found = zlib.crc32(chunk, found)
    if found != crc32:
        raise StorageError(f"The checksum of {path.name} ({path.stat().st_size} bytes) is wrong.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise StorageError(f"{path.name} cannot be read: {error}.") from error


def copied_to_cpu(value: Any, into: Any = None) -> Any:
    """Copy a structure of dicts and lists with all its tensors to the CPU.

    Parameters
    ----------
    value : dict, list, Tensor or plain value
    into : dict, list, Tensor or plain value, optional
        An earlier copy that is no longer needed. Its memory is used again where shape, type and layout are equal.

    Returns
    -------
    dict, list, Tensor or plain value
        With the structure of `value`.
    """
    if isinstance(value, torch.Tensor):
        fits = isinstance(into, torch.Tensor) and into.shape == value.shape and into.dtype == value.dtype
        if fits and into.stride() == value.stride():
            return into.copy_(value.detach())
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        earlier = into if isinstance(into, dict) else {}
        return {key: copied_to_cpu(item, earlier.get(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        known = into if isinstance(into, list | tuple) and len(into) == len(value) else [None] * len(value)
        return type(value)(copied_to_cpu(item, old) for item, old in zip(value, known, strict=True))
    return value
