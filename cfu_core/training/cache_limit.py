"""The cache of prepared images and features is kept within a size: what was used longest ago goes first.

``CFU_CACHE_GB`` sets the size, 50 GB unless it says otherwise. Everything in the cache can be made again.
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
VARIABLE = "CFU_CACHE_GB"


@dataclass(frozen=True, kw_only=True)
class Cached:
    """Something in the cache: a folder of prepared images, or a file of features.

    Parameters
    ----------
    path : Path
    size : int
        Bytes on disk.
    used : float
        When it was used last, in seconds since 1970.
    """

    path: Path
    size: int
    used: float

    def remove(self) -> bool:
        """Remove it, unless someone fills it at this moment; who reads it keeps what is mapped."""
        lock = entry_lock(self.path) if self.path.is_dir() else FileLock(self.path.with_suffix(".lock"))
        try:
            with lock.acquire(timeout=0):
                if self.path.is_dir():
                    shutil.rmtree(self.path, ignore_errors=True)
                else:
                    with suppress(OSError):  # Windows does not remove what is open
                        self.path.unlink()
                return not self.path.exists()
        except Timeout:
            return False


def contents() -> list[Cached]:
    """All that is in the cache, used longest ago first."""
    return sorted(_contents(), key=lambda cached: cached.used)


def limit_bytes() -> int:
    """How large the cache may get.

    Raises
    ------
    StorageError
        The environment variable holds no number.
    """
    text = os.environ.get(VARIABLE, "").strip()
    try:
        size = float(text) if text else LIMIT_GB
        if not 0 <= size < float("inf"):
            raise ValueError
    except ValueError:
        raise StorageError(
            f"{VARIABLE} is {text!r}.",
            "It must be a number of gigabytes, 0 or more.",
            f"Set it, or unset it: {LIMIT_GB:g}.",
        ) from None
    return int(size * 1e9)


def mark_used(path: Path) -> None:
    """Note that something was used just now."""
    with suppress(OSError):
        os.utime(path)


def make_room(keep: Path) -> list[Path]:
    """Remove what was used longest ago until the cache is within its limit; `keep` stays in any case.

    Returns
    -------
    list of Path
        What was removed.
    """
    found = contents()
    excess = sum(cached.size for cached in found) - limit_bytes()
    removed = []
    for cached in found:
        if excess <= 0:
            break
        if cached.path != keep and cached.remove():
            removed.append(cached.path)
            excess -= cached.size
    return removed


def clear() -> int:
    """Remove all that nobody fills at this moment; returns how many bytes that was."""
    return sum(cached.size for cached in contents() if cached.remove())


def _contents() -> Iterator[Cached]:
    folder = cache_folder()
    features = (folder / "features").glob("*.npz")
    before = folder.glob("*.npy")  # of versions before 0.2
    for path in (*folder.glob("[!.]*-*/"), *features, *before):
        with suppress(FileNotFoundError):  # another process may remove it now
            files = list(path.iterdir()) if path.is_dir() else [path]
            yield Cached(path=path, size=sum(file.stat().st_size for file in files), used=path.stat().st_mtime)
