"""Cache of prepared images on disk: an array that is filled row by row and stays valid if its process is killed.

The name of an entry, ``<home>/cache/<keys>-<recipe>/``, consists of a hash of the keys of its rows and a hash of the
recipe:

=================  ====================================================================================================
``pixels.npy``     uint8, shape (N, S, S, 3); its space is reserved before the first row is filled
``keys.txt``       a line per row: the key of the image, and the box of the colony if the recipe crops to it
``progress.json``  which rows are filled, which of them with fewer tiles of CLAHE than the recipe has, and how long
                   that took; replaced regularly, each time after the pixels
=================  ====================================================================================================
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
from cfu_core.storage import home, new_folder, read_json, storage_errors, write_bytes, write_json

WAIT_SECONDS = 0.5  # between two reports while another process holds a lock
ZEROS = 2**24  # bytes written at once where space cannot be reserved


def cache_folder() -> Path:
    """Return the folder of the cache.

    Returns
    -------
    Path
        ``<home>/cache``. It may not exist. It may be deleted while no job runs.
    """
    return home() / "cache"


def entry_folder(keys: Sequence[str], recipe_digest: str) -> Path:
    """Return the folder of an entry, whether it exists or not.

    Parameters
    ----------
    keys : sequence of str
        Key of each row, from `cfu_core.training.prepared_images.image_keys`.
    recipe_digest : str
        `Recipe.digest` of the recipe with which the images are prepared.

    Returns
    -------
    Path
        In `cache_folder`. The name differs if the keys, their order or the recipe differ.
    """
    return cache_folder() / f"{hashlib.sha256(_text(keys)).hexdigest()[:16]}-{recipe_digest}"


def entry_lock(folder: Path) -> FileLock:
    """Return the lock of an entry, which must be held while it is filled.

    Readers need no lock, because filled rows never change.

    Parameters
    ----------
    folder : Path
        Folder of the entry, from `entry_folder`.

    Returns
    -------
    FileLock
        Not acquired yet. Its file, ``<folder>.lock``, is next to the folder.
    """
    return FileLock(folder.with_name(f"{folder.name}.lock"))


@contextmanager
def hold_lock(lock: FileLock, on_wait: Callable[[], None]) -> Iterator[None]:
    """Acquire a lock, hold it within a ``with`` block and release it.

    Parameters
    ----------
    lock : FileLock
        From `entry_lock`. It is released after the block, also after an error in the block.
    on_wait : callable
        Called without arguments, every `WAIT_SECONDS` while another process holds the lock. There is no time limit; to
        end the waiting, `on_wait` must raise an error.

    Yields
    ------
    None
        The lock is held.

    Raises
    ------
    StorageError
        The disk is full, or the folder of the lock is not writable.
    """
    while True:
        try:
            with storage_errors(Path(lock.lock_file)):
                lock.acquire(timeout=WAIT_SECONDS)
            break
        except Timeout:
            on_wait()
    try:
        yield
    finally:
        lock.release()


@dataclass(kw_only=True, eq=False)
class CacheEntry:
    """Entry of the cache: an array on disk and the state of its rows.

    Attributes
    ----------
    folder : Path
        Contains ``pixels.npy``, ``keys.txt`` and ``progress.json``.
    pixels : ndarray of uint8, shape (N, S, S, 3)
        RGB, memory-mapped from ``pixels.npy``. Rows that are not filled have arbitrary values.
    keys : list of str
        Key of each row: that of its image, and the box if the recipe crops to it.
    filled : ndarray of bool, shape (N,)
        Which rows are filled.
    fewer_tiles : ndarray of bool, shape (N,)
        For which of the filled rows CLAHE used fewer tiles than the recipe has, because the image is small.
    dataset : str
        Identifier of the dataset for which the entry was made.
    decode_seconds, preprocess_seconds : float
        Wall time in seconds for reading and decoding the images of the filled rows, and for applying the recipe to
        them.
    """

    folder: Path
    pixels: np.ndarray
    keys: list[str]
    filled: np.ndarray
    fewer_tiles: np.ndarray
    dataset: str
    decode_seconds: float
    preprocess_seconds: float

    def save(self) -> None:
        """Write the filled rows, and then ``progress.json``, to disk.

        After this call they survive a crash of the process. After a crash of the computer the rows of the last call may
        be missing, but no row counts as filled whose pixels are not on disk.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable.
        """
        with storage_errors(self.folder):
            if isinstance(self.pixels, np.memmap):
                self.pixels.flush()  # before the list: a row must not be listed before it is on disk
            write_json(self.folder / "progress.json", _progress(self))

    def discard(self) -> None:
        """Remove the folder of the entry.

        Processes that have mapped its pixels can still read them. Errors are ignored: a file that cannot be removed
        stays.
        """
        shutil.rmtree(self.folder, ignore_errors=True)


def open_entry(folder: Path, *, mode: str) -> CacheEntry | None:
    """Open an entry of the cache.

    Parameters
    ----------
    folder : Path
        Folder of the entry, from `entry_folder`.
    mode : {"r", "r+"}
        ``r`` maps the pixels only for reading; ``r+`` maps them for reading and writing, and needs the entry's lock.

    Returns
    -------
    CacheEntry or None
        With the rows that were filled at the last `CacheEntry.save`. None if there is no entry, if a file is damaged or
        too short, or if it cannot be read.
    """
    try:
        keys = (folder / "keys.txt").read_bytes().decode().split("\n")
        progress = read_json(folder / "progress.json")
        filled = _flags(progress["done"], len(keys))
        # earlier versions refused such images
        fewer_tiles = _flags(progress["fewer_tiles"], len(keys)) if "fewer_tiles" in progress else filled & False
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")  # refuses a file that is too short; r+ would extend it
        if mode == "r+":
            pixels = np.load(folder / "pixels.npy", mmap_mode="r+")
        if pixels.dtype != np.uint8 or pixels.shape[0] != len(keys) or pixels.ndim != 4:
            return None
        return CacheEntry(
            folder=folder,
            pixels=pixels,
            keys=keys,
            filled=filled,
            fewer_tiles=fewer_tiles,
            dataset=progress["dataset"],
            decode_seconds=progress["decode_seconds"],
            preprocess_seconds=progress["preprocess_seconds"],
        )
    except (OSError, EOFError, ValueError, KeyError, TypeError, StorageError):
        return None


def make_entry(folder: Path, keys: Sequence[str], side: int, *, dataset: str) -> CacheEntry:
    """Make a new entry without any filled row.

    The entry's lock must be held. An existing entry in the same folder, and temporary folders of killed processes, are
    removed. The disk space for all pixels is reserved at once.

    Parameters
    ----------
    folder : Path
        From `entry_folder`.
    keys : sequence of str
        Key of each row, from `cfu_core.training.prepared_images.image_keys`.
    side : int
        Side of the images in pixels.
    dataset : str
        Identifier of the dataset.

    Returns
    -------
    CacheEntry
        Its pixels are mapped for reading and writing.

    Raises
    ------
    StorageError
        The disk is full, or the folder of the cache is not writable; then no files of the new entry are left. Or the
        new entry cannot be read back.
    """
    with storage_errors(folder):
        for leftover in (folder, *folder.parent.glob(f".{folder.name}.*part")):
            if leftover.exists():
                shutil.rmtree(leftover)
    with new_folder(folder) as draft:
        _reserve(draft / "pixels.npy", (len(keys), side, side, 3))
        write_bytes(draft / "keys.txt", _text(keys))
        empty = CacheEntry(
            folder=draft,
            pixels=np.empty(0),
            keys=list(keys),
            filled=np.zeros(len(keys), bool),
            fewer_tiles=np.zeros(len(keys), bool),
            dataset=dataset,
            decode_seconds=0.0,
            preprocess_seconds=0.0,
        )
        write_json(draft / "progress.json", _progress(empty))
    entry = open_entry(folder, mode="r+")
    if entry is None:
        raise StorageError(f"{folder} cannot be read back.", "", "Check the disk, then try again.")
    return entry


def same_recipe_entries(folder: Path) -> Iterator[CacheEntry]:
    """Find entries of the cache with the same recipe as a given entry, the most recently used first.

    Parameters
    ----------
    folder : Path
        Folder of an entry, from `entry_folder`. This entry is omitted.

    Yields
    ------
    CacheEntry
        Its pixels are mapped for reading. It may belong to any dataset, and some of its rows may not be filled. Damaged
        entries are skipped.
    """
    recipe_digest = folder.name.rpartition("-")[2]
    found = []
    for other in folder.parent.glob(f"[!.]*-{recipe_digest}"):
        with suppress(FileNotFoundError):  # another process may have removed it
            found.append((other.stat().st_mtime, other))
    for _, other in sorted(found, reverse=True):
        if other != folder and (entry := open_entry(other, mode="r")):
            yield entry


def remove_superseded(entry: CacheEntry) -> None:
    """Remove the entries that `entry` supersedes: those of the same dataset and recipe.

    Entries that a process is filling, and entries that the user may not lock or remove, are kept.

    Parameters
    ----------
    entry : CacheEntry
        The current entry, which is kept.
    """
    for other in same_recipe_entries(entry.folder):
        if other.dataset == entry.dataset:
            with suppress(OSError), entry_lock(other.folder).acquire(timeout=0):  # Timeout is an OSError
                other.discard()


def _text(keys: Sequence[str]) -> bytes:
    return "\n".join(keys).encode()


def _progress(entry: CacheEntry) -> dict[str, Any]:
    return {
        "dataset": entry.dataset,
        "decode_seconds": entry.decode_seconds,
        "preprocess_seconds": entry.preprocess_seconds,
        "done": np.packbits(entry.filled).tobytes().hex(),
        "fewer_tiles": np.packbits(entry.fewer_tiles).tobytes().hex(),
    }


def _flags(packed: str, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(packed), np.uint8), count=count).astype(bool)


def _reserve(path: Path, shape: tuple[int, ...]) -> None:
    """Make an array file and reserve its space: a full disk is an error here, but would be a crash in a memory map."""
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
