"""Prepared images on disk: an array that is filled row by row and outlives whoever fills it.

``<home>/cache/<rows>-<recipe>/`` is keyed by what its rows are of, and by the recipe:

=================  ====================================================================================
``pixels.npy``     uint8, shape (N, S, S, 3), reserved as a whole before the first row is filled
``keys.txt``       a line a row: the image's digest, and the colony's box where the recipe crops to it
``progress.json``  which rows are filled, and how long that took; replaced now and then, after the pixels
=================  ====================================================================================
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from cfu_core.errors import StorageError
from cfu_core.storage import home, read_json, storage_errors, write_bytes, write_json

WAIT_SECONDS = 0.5  # how often the progress of another process is told

ZEROS = 2**24  # bytes written at once where a file cannot be reserved


def cache_folder() -> Path:
    """Where prepared images are kept; safe to delete when nothing trains."""
    return home() / "cache"


def entry_folder(keys: Sequence[str], recipe_digest: str) -> Path:
    """Where the images of these keys under this recipe lie, or would."""
    return cache_folder() / f"{hashlib.sha256(_text(keys)).hexdigest()[:16]}-{recipe_digest}"


def entry_lock(folder: Path) -> FileLock:
    """Held by whoever fills an entry. Its readers hold nothing: a row that is filled never changes."""
    return FileLock(folder.with_name(f"{folder.name}.lock"))


@contextmanager
def waited_for(lock: FileLock, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock; while another process has it, `waiting` is called now and then, and may raise."""
    while True:
        try:
            lock.acquire(timeout=WAIT_SECONDS)
            break
        except Timeout:
            waiting()
    try:
        yield
    finally:
        lock.release()


@dataclass(kw_only=True, eq=False)
class CacheEntry:
    """An array on disk with what is known of its rows.

    Parameters
    ----------
    folder : Path
    pixels : ndarray of uint8, shape (N, S, S, 3)
        Memory-mapped.
    keys : list of str
        What each row is of.
    done : ndarray of bool, shape (N,)
        Which rows are filled.
    dataset : str
        The dataset for which it was made.
    decode_seconds, preprocess_seconds : float
        What the rows that are filled took when they were made.
    """

    folder: Path
    pixels: np.ndarray
    keys: list[str]
    done: np.ndarray
    dataset: str
    decode_seconds: float
    preprocess_seconds: float

    def save(self) -> None:
        """Make what is filled so far outlast this process, and the machine."""
        with storage_errors(self.folder):
            if isinstance(self.pixels, np.memmap):
                self.pixels.flush()  # first: a row must not count before it is there
            write_json(self.folder / "progress.json", _progress(self))

    def discard(self) -> None:
        """Remove it. Who reads it at this moment keeps what is mapped."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_entry(folder: Path, *, mode: str) -> CacheEntry | None:
    """An entry, or None where there is none or it is damaged.

    Parameters
    ----------
    folder : Path
    mode : {"r", "r+"}
    """
    try:
        keys = (folder / "keys.txt").read_bytes().decode().split("\n")
        progress = read_json(folder / "progress.json")
        done = np.unpackbits(np.frombuffer(bytes.fromhex(progress["done"]), np.uint8), count=len(keys)).astype(bool)
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")  # tells a file that is too short; r+ would lengthen it
        if mode == "r+":
            pixels = np.load(folder / "pixels.npy", mmap_mode="r+")
        if pixels.dtype != np.uint8 or pixels.shape[0] != len(keys) or pixels.ndim != 4:
            return None
        return CacheEntry(
            folder=folder,
            pixels=pixels,
            keys=keys,
            done=done,
            dataset=progress["dataset"],
            decode_seconds=progress["decode_seconds"],
            preprocess_seconds=progress["preprocess_seconds"],
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, StorageError):
        return None


def make_entry(folder: Path, keys: Sequence[str], side: int, *, dataset: str) -> CacheEntry:
    """A new entry without any row filled; call it with the entry's lock held.

    Raises
    ------
    StorageError
        The disk is full, or the home folder may not be written; nothing is left behind.
    """
    draft = folder.with_name(f".{folder.name}.part")
    try:
        with storage_errors(draft):
            for left in (draft, folder):  # of a process that was killed while it made one; a damaged one
                if left.exists():
                    shutil.rmtree(left)
            draft.mkdir(parents=True)
            _reserve(draft / "pixels.npy", (len(keys), side, side, 3))
            write_bytes(draft / "keys.txt", _text(keys))
            nothing = np.zeros(len(keys), bool)
            blank = CacheEntry(
                folder=draft,
                pixels=np.empty(0),
                keys=list(keys),
                done=nothing,
                dataset=dataset,
                decode_seconds=0.0,
                preprocess_seconds=0.0,
            )
            write_json(draft / "progress.json", _progress(blank))
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    entry = open_entry(folder, mode="r+")
    if entry is None:
        raise StorageError(f"{folder} cannot be read back.", "", "Check the disk, then try again.")
    return entry


def siblings(folder: Path) -> Iterator[CacheEntry]:
    """Other entries of the same recipe, the newest first."""
    recipe_digest = folder.name.rpartition("-")[2]
    found = []
    for other in folder.parent.glob(f"[!.]*-{recipe_digest}"):
        with suppress(FileNotFoundError):  # another process may remove it now
            found.append((other.stat().st_mtime, other))
    for _, other in sorted(found, reverse=True):
        if other != folder and (entry := open_entry(other, mode="r")):
            yield entry


def evict_older(entry: CacheEntry) -> None:
    """Remove what was made for the same dataset and recipe before, unless someone fills it at this moment."""
    for other in siblings(entry.folder):
        if other.dataset == entry.dataset:
            try:
                with entry_lock(other.folder).acquire(timeout=0):
                    other.discard()
            except Timeout:
                continue


def _text(keys: Sequence[str]) -> bytes:
    return "\n".join(keys).encode()


def _progress(entry: CacheEntry) -> dict[str, Any]:
    return {
        "dataset": entry.dataset,
        "decode_seconds": entry.decode_seconds,
        "preprocess_seconds": entry.preprocess_seconds,
        "done": np.packbits(entry.done).tobytes().hex(),
    }


def _reserve(path: Path, shape: tuple[int, ...]) -> None:
    """An array file whose bytes are taken from the disk now: a full disk is an error here, and a crash in a map."""
    size = int(np.prod(shape))
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), file.tell(), size)
        else:
            _write_zeros(file, size)


def _write_zeros(file: BinaryIO, size: int) -> None:
    for start in range(0, size, ZEROS):
        file.write(bytes(min(ZEROS, size - start)))
