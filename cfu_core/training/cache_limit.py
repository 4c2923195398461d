"""Size limit of the cache of prepared images and features: the least recently used items are removed first.

The environment variable ``CFU_CACHE_GB`` sets the limit; the default is 50 GB. Everything in the cache can be computed
again.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cfu_core.errors import StorageError
from cfu_core.training.cache import cache_folder, entry_lock

LIMIT_GB = 50.0
LIMIT_VARIABLE = "CFU_CACHE_GB"


@dataclass(frozen=True, kw_only=True)
class CacheItem:
    """Item of the cache: a folder of prepared images, or a file of features.

    Attributes
    ----------
    path : Path
    size : int
        Bytes on disk.
    used : float
        Time of the last use, in seconds since 1970.
    """

    path: Path
    size: int
    used: float

    def remove(self) -> bool:
        """Remove the item unless it is being filled; processes that have mapped it can read on.

        Returns
        -------
        bool
            Whether it was removed.
        """
        lock = entry_lock(self.path) if self.path.is_dir() else FileLock(self.path.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=0):
                if self.path.is_dir():
                    shutil.rmtree(self.path, ignore_errors=True)
                else:
                    with suppress(OSError):  # Windows cannot remove a file that is open
                        self.path.unlink()
                return not self.path.exists()
        except Timeout:
            return False


def cache_items() -> list[CacheItem]:
    """Return all items of the cache, the least recently used first."""
    return sorted(_items(), key=lambda item: item.used)


def limit_bytes() -> int:
    """Return the size limit of the cache in bytes.

    Returns
    -------
    int

    Raises
    ------
    StorageError
        The environment variable is not a number of 0 or more.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    try:
        size = float(text) if text else LIMIT_GB
        if not 0 <= size < float("inf"):
            raise ValueError
    except ValueError:
        raise StorageError(
            f"The environment variable {LIMIT_VARIABLE} is {text!r}.",
            "It must be a number of gigabytes, 0 or more.",
            f"Correct it, or unset it for the default of {LIMIT_GB:g} GB.",
        ) from None
    return int(size * 1e9)


def mark_used(path: Path) -> None:
    """Set the time of the last use of an item to now."""
    with suppress(OSError):
        os.utime(path)


def make_room(keep: Path) -> list[Path]:
    """Remove the least recently used items until the cache is within its limit.

    Parameters
    ----------
    keep : Path
        Item that is never removed.

    Returns
    -------
    list of Path
        The items that were removed.
    """
    items = cache_items()
    excess = sum(item.size for item in items) - limit_bytes()
    removed = []
    for item in items:
        if excess <= 0:
            break
        if item.path != keep and item.remove():
            removed.append(item.path)
            excess -= item.size
    return removed


def clear_cache() -> int:
    """Remove all items that are not being filled.

    Returns
    -------
    int
        Bytes that were removed.
    """
    return sum(item.size for item in cache_items() if item.remove())


def _items() -> Iterator[CacheItem]:
    folder = cache_folder()
    features = (folder / "features").glob("*.npz")
    earlier = folder.glob("*.npy")  # from versions before 0.2
    for path in (*folder.glob("[!.]*-*/"), *features, *earlier):
        with suppress(FileNotFoundError):  # another process may have removed it
            files = list(path.iterdir()) if path.is_dir() else [path]
            yield CacheItem(path=path, size=sum(file.stat().st_size for file in files), used=path.stat().st_mtime)
