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

from filelock import FileLock

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
        The folder or the file.
    size : int
        Sum of the sizes of its files in bytes.
    used : float
        Time of the last use, from `mark_used`, in seconds since 1970.
    """

    path: Path
    size: int
    used: float

    def remove(self) -> bool:
        """Remove the item unless another process is filling it.

        Processes that have mapped its pixels can still read them.

        Returns
        -------
        bool
            Whether it was removed. False if it is being filled, or if the user may not lock it or remove its files.
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
        except OSError:  # Timeout is one
            return False


def cache_items() -> list[CacheItem]:
    """List all items of the cache.

    Returns
    -------
    list of CacheItem
        The least recently used first. Empty if there is no cache.
    """
    return sorted(_items(), key=lambda item: item.used)


def limit_bytes() -> int:
    """Return the size limit of the cache in bytes.

    Returns
    -------
    int
        The environment variable ``CFU_CACHE_GB`` times 10^9; 50 GB if it is not set or blank.

    Raises
    ------
    StorageError
        The environment variable is not a finite number of 0 or more.
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
    """Set the time of the last use of an item to now.

    Errors are ignored, for example if the item does not exist.

    Parameters
    ----------
    path : Path
        Folder of prepared images, or file of features. Its time of modification is set.
    """
    with suppress(OSError):
        os.utime(path)


def make_room(keep: Path) -> list[Path]:
    """Remove the least recently used items until the size of the cache is within its limit.

    Items that are being filled, and items that cannot be removed, for example in a read-only folder, are kept, so that
    the size may stay above the limit.

    Parameters
    ----------
    keep : Path
        Item that is never removed, even if it is larger than the limit.

    Returns
    -------
    list of Path
        The items that were removed, in this order. Empty if the size was within the limit, or if no item could be
        removed.

    Raises
    ------
    StorageError
        The environment variable ``CFU_CACHE_GB`` is not a finite number of 0 or more.
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
    """Remove all items of the cache.

    Items that another process is filling, and items that cannot be removed, for example in a read-only folder, are
    kept. Datasets, runs and weights are not part of the cache.

    Returns
    -------
    int
        Sum of the sizes of the removed items in bytes; 0 if nothing was removed.
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
