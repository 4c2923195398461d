"""The images of all datasets, each kept once, by the digest of its bytes.

`<home>/images/<ab>/<sha256><extension>` holds them; small ones of large datasets share the files in
`<home>/images/packs/`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cfu_core.dataset.packs import PACKS, read_packed
from cfu_core.errors import StorageError
from cfu_core.storage import home, storage_errors

_LOCK_PATIENCE_S = 600


def image_store() -> Path:
    """The folder that holds the images of all datasets."""
    return home() / "images"


def image_file(digest: str, extension: str) -> Path:
    """Where the image with this SHA-256 (hex) lies in the image store, unless in a pack; `extension` has its dot."""
    return image_store() / digest[:2] / f"{digest}{extension}"


def stored_bytes(digest: str, extension: str) -> bytes:
    """The image with this SHA-256 (hex), from a file of its own or from a pack.

    Raises
    ------
    FileNotFoundError
        It is gone from the image store.
    """
    file = image_file(digest, extension)
    with storage_errors(file):
        try:
            return file.read_bytes()
        except FileNotFoundError:
            packed = read_packed(str(image_store() / PACKS), digest)
            if packed is None:
                raise
            return packed


@contextmanager
def store_lock() -> Iterator[None]:
    """Hold the image store and the list of datasets still. One process and thread at a time; may be nested.

    Raises
    ------
    StorageError
        The home folder may not be written, or another process has held the lock for ten minutes.
    """
    path = home() / "datasets.lock"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=_LOCK_PATIENCE_S, is_singleton=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise StorageError(
                f"Another process has held {path} for {_LOCK_PATIENCE_S // 60} minutes.",
                "An import or a deletion takes seconds to finish.",
                "Stop that process, then try again.",
            ) from error
    try:
        yield
    finally:
        lock.release()
