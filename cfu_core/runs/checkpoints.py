"""Where a run stands, on disk, so that no accident takes more than a minute of it.

``<run>/checkpoints/<step>.pt`` holds everything that decides how the training goes on, and ``<step>.json``, written
after it, where that is and the checksum of the file. The two newest are kept: should one turn out damaged, the one
before it serves.
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

KEPT = 2
BEST = "best"  # the folder, beside the checkpoints, of the best epoch's weights
CHUNK = 2**25  # bytes read or written at once
EVERY_S = 60.0  # the most that an accident may cost
PATIENCE = 50.0  # after an epoch there is one unless the last took more than a 50th of the processor's time since

torch.serialization.set_crc32_options(compute_crc32=False)  # of each tensor; the whole file has a checksum of ours


class Checkpoint(NamedTuple):
    """What was found on disk."""

    step: int
    """Grows from one to the next."""
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
        self._copy: Any = None  # of the state; its memory serves again and again, since fresh memory is slow

    @property
    def due(self) -> bool:
        """Within an epoch: whether a minute has passed since the last one."""
        return self._idle and time.monotonic() - self._kept >= EVERY_S

    @property
    def affordable(self) -> bool:
        """After an epoch: whether the last one took little of the time since; short epochs share one."""
        return self._idle and time.monotonic() - self._kept >= min(PATIENCE * self._took, EVERY_S)

    @property
    def _idle(self) -> bool:
        return self._writing is None or self._writing.done()

    def keep(
        self,
        step: int,
        state: dict[str, Any],
        facts: Mapping[str, Any],
        *,
        best: int = 0,
        best_weights: dict[str, torch.Tensor] | None = None,
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
        best : int, optional
            The best epoch, where its weights are not on disk yet. They are written first: whoever goes on from a
            checkpoint finds those that it speaks of, or later ones.
        best_weights : dict, optional
            A copy of them; by default they are those of the state.

        Raises
        ------
        StorageError
            The one before could not be written: the disk is full, or the folder may not be written.
        """
        self.wait()
        copied = self._copy = copied_to_cpu(state, self._copy)
        self._kept = time.monotonic()

        def work() -> None:
            began = time.thread_time()  # what it takes from the training; waiting for the disk takes nothing
            if best:
                self._write_best(best, best_weights or copied["network"], facts)
            _write(self._folder, step, copied, facts)
            self._took = time.thread_time() - began

        self._writing = self._pool.submit(work)

    def keep_best(self, epoch: int, weights: dict[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        """Write the best weights alone, and wait until they are on disk."""
        self.wait()
        self._write_best(epoch, weights, facts)

    def _write_best(self, epoch: int, weights: dict[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        _write(self._folder / BEST, epoch, weights, {**facts, "best_epoch": epoch})

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


def best_weights(run_folder: Path) -> Checkpoint | None:
    """The weights of the best epoch so far that are on disk; their facts name it as ``best_epoch``."""
    return _newest(checkpoints_folder(run_folder) / BEST)[0]


def newest_checkpoint(run_folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and what is wrong with any newer one, a sentence each."""
    return _newest(checkpoints_folder(run_folder))


def _newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    problems: list[str] = []
    for file in sorted(folder.glob("*.json"), reverse=True):
        try:
            facts = read_json(file)
            return Checkpoint(int(file.stem), _read(file.with_suffix(".pt"), facts["crc32"]), facts), problems
        except (OSError, StorageError, KeyError, TypeError) as error:
            problems.append(f"The checkpoint {file.stem} is damaged and was passed over ({error}).")
    return None, problems


def forget_after(run_folder: Path, found: Checkpoint | None) -> None:
    """Remove what is newer than the checkpoint that a run goes on from: damaged ones, and best epochs of a lost part.

    Only the newest few are kept, so what was left there would take the place of those that are to come.
    """
    folder = checkpoints_folder(run_folder)
    step, epoch = (found.step, found.facts["epoch"]) if found else (-1, 0)
    lost = [file for file in folder.glob("*.json") if int(file.stem) > step]
    lost += [file for file in (folder / BEST).glob("*.json") if int(file.stem) >= epoch]
    for file in lost:
        file.unlink(missing_ok=True)  # what is left of it goes with the next one that is written


def discard_checkpoints(run_folder: Path) -> None:
    """Remove them: the run has ended well, and they take three times the room of its weights."""
    shutil.rmtree(checkpoints_folder(run_folder), ignore_errors=True)


class _Summing(RawIOBase):
    """A file whose checksum is taken while it is written, and that does not stay in memory.

    The system would keep all of it, in memory that it has to find first: that costs more than the writing, and takes
    the place of the images.
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


def _write(folder: Path, step: int, state: dict[str, Any], facts: Mapping[str, Any]) -> None:
    path = folder / f"{step:09d}.pt"
    with replacing(path) as draft, draft.open("wb", buffering=0) as file:
        summing = _Summing(file)
        try:
            torch.save(state, cast(IO[bytes], summing))
        except RuntimeError as error:
            # torch cannot even end its file where writing failed, and says only that
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
    write_json(path.with_suffix(".json"), {**facts, "crc32": summing.crc32, "written": time.time()})
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


def _read(path: Path, crc32: int) -> dict[str, Any]:
    found = 0
    with storage_errors(path), path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found = zlib.crc32(chunk, found)
    if found != crc32:
        raise StorageError(f"{path.name} is not what was written: {path.stat().st_size} bytes of other content.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise StorageError(f"{path.name} cannot be read: {error}.") from error


def copied_to_cpu(value: Any, into: Any = None) -> Any:
    """The same structure of dicts and lists with tensors of its own, on the CPU.

    Parameters
    ----------
    value : dict, list, tensor or plain value
    into : the same, optional
        An earlier copy, no longer needed, whose memory is taken where it fits.
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
