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
BEST = "best"  # folder of the weights of the best epoch, in the folder of checkpoints
CHUNK = 2**25  # bytes read or written at once
EVERY_S = 60.0  # seconds of work that a crash costs at most
INTERVAL_RATIO = 50.0  # after an epoch, the time since the last checkpoint must be this many times the time it took

torch.serialization.set_crc32_options(compute_crc32=False)  # of each tensor: the whole file has its own checksum


class Checkpoint(NamedTuple):
    """A checkpoint that was read from disk.

    Attributes
    ----------
    step : int
        Steps of the optimizer since the start of the run; of `best_weights`, the epoch.
    state : dict
        State of the training, as given to `CheckpointWriter.write`, with all tensors on the CPU; of `best_weights`, the
        state dict of the network.
    metadata : dict
        Content of the JSON file: ``epoch``, ``batch``, the other metadata given to `CheckpointWriter.write`,
        ``crc32`` and ``written`` (seconds since 1970); of `best_weights`, also ``best_epoch``.
    """

    step: int
    state: dict[str, Any]
    metadata: dict[str, Any]


class CheckpointWriter:
    """Writes checkpoints in a thread, so that the training waits only if two checkpoints come close together.

    Parameters
    ----------
    run_folder : Path
        Folder of the run; the files are written into its folder ``checkpoints``, which is created if missing.
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
        """Whether a minute has passed since the last checkpoint, or the start, and no checkpoint is being written."""
        return self._idle and time.monotonic() - self._last >= EVERY_S

    @property
    def due_after_epoch(self) -> bool:
        """Whether a checkpoint after this epoch would cost little time, and no checkpoint is being written.

        The time since the last checkpoint must be 50 times the processor time of writing it, or a minute. Therefore
        several short epochs share a checkpoint.
        """
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
        """Copy the state and begin to write a checkpoint; return without waiting until it is written.

        If the previous checkpoint is still being written, wait for it first. After writing, only the two newest
        checkpoints are kept.

        Parameters
        ----------
        step : int
            Steps of the optimizer since the start; greater than that of the previous checkpoint.
        state : dict
            State of the training: tensors, numbers, text, lists and dicts.
        metadata : mapping
            Plain JSON values, which include ``epoch`` and ``batch``. It is not copied: do not change it afterwards.
        best : int
            The best epoch, if its weights are not on disk yet; they are then written too. Otherwise 0.
        best_weights : dict of str to Tensor, optional
            Weights of epoch `best`. They are not copied: do not change them afterwards. By default,
            ``state["network"]``.

        Raises
        ------
        StorageError
            The previous checkpoint could not be written: the disk is full, or the folder is not writable. An error in
            writing this checkpoint is raised by the next call of `write`, `write_best` or `wait`.
        """
        self.wait()
        copied = self._copy = copied_to_cpu(state, self._copy)
        self._last = time.monotonic()

        def work() -> None:
            began = time.thread_time()  # time taken from the training, without waiting for the disk
            if best:  # first, so that the best weights on disk are never older than those the checkpoint refers to
                self._write_best(best, best_weights or copied["network"], metadata)
            _write(self._folder, step, copied, metadata)
            self._last_seconds = time.thread_time() - began

        self._writing = self._pool.submit(work)

    def write_best(self, epoch: int, weights: dict[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
        """Write only the weights of the best epoch, and wait until they are on disk.

        Parameters
        ----------
        epoch : int
            The best epoch, from 1.
        weights : dict of str to Tensor
            State dict of the network after that epoch.
        metadata : mapping
            Plain JSON values, saved with ``best_epoch``.

        Raises
        ------
        StorageError
            These weights or the previous checkpoint could not be written: the disk is full, or the folder is not
            writable.
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
            The checkpoint could not be written: the disk is full, or the folder is not writable.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def close(self) -> None:
        """Finish writing and end the thread; errors in writing are ignored (call `wait` first)."""
        self._pool.shutdown()


def checkpoints_folder(run_folder: Path) -> Path:
    """Return the folder of a run's checkpoints, which may not exist."""
    return run_folder / "checkpoints"


def best_weights(run_folder: Path) -> Checkpoint | None:
    """Read the weights of the best epoch that is on disk.

    Returns
    -------
    Checkpoint or None
        ``state`` is the state dict of the network, and ``metadata["best_epoch"]`` the epoch. If the newest file is
        damaged, the one before. None if there are no intact weights.
    """
    return _newest(checkpoints_folder(run_folder) / BEST)[0]


def newest_checkpoint(run_folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Read the newest intact checkpoint; damaged ones stay on disk.

    Returns
    -------
    checkpoint : Checkpoint or None
        None if there is no intact checkpoint.
    problems : list of str
        A sentence for users about each damaged checkpoint that is newer than `checkpoint`, or about all if that is
        None; the newest first.
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
    """Remove damaged checkpoints that are newer than a checkpoint, and best weights of epochs that will be repeated.

    Only the two newest checkpoints are kept. Without this removal, the newer files would be kept instead of those that
    the resumed run writes.

    Parameters
    ----------
    run_folder : Path
        Folder of the run.
    checkpoint : Checkpoint or None
        The checkpoint from which the run is resumed; None if it starts again, so that all are removed.
    """
    folder = checkpoints_folder(run_folder)
    step, epoch = (checkpoint.step, checkpoint.metadata["epoch"]) if checkpoint else (-1, 0)
    newer = [file for file in folder.glob("*.json") if int(file.stem) > step]
    newer += [file for file in (folder / BEST).glob("*.json") if int(file.stem) >= epoch]
    for file in newer:
        file.unlink(missing_ok=True)  # writing the next checkpoint removes the rest of it


def discard_checkpoints(run_folder: Path) -> None:
    """Remove the folder of checkpoints of a finished run, including the weights of its best epoch.

    The model of the run must have been written before. Files that cannot be removed are left, without an error. With
    Adam, a checkpoint takes three times the space of the weights.
    """
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
    """Copy a nested structure of dicts, lists and tuples, with all its tensors, to the CPU.

    Parameters
    ----------
    value : dict, list, tuple, Tensor or plain value
        Structure to copy. Values other than dicts, lists, tuples and tensors are not copied.
    into : dict, list, tuple, Tensor or plain value, optional
        An earlier copy that is no longer needed. Its tensors are overwritten and used in the result where shape, type
        and memory layout are equal.

    Returns
    -------
    dict, list, tuple, Tensor or plain value
        Structure like that of `value`, with all tensors on the CPU and without gradients.
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
