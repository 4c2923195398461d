"""The image store: the image files of all datasets, each stored once, addressed by the digest of its bytes.

An image is `<home>/images/<ab>/<sha256><extension>`; small images of large datasets share the pack files in
`<home>/images/packs/`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cfu_core.dataset.packs import PACKS, find_packed, read_packed
from cfu_core.errors import ImageError, StorageError
from cfu_core.storage import home, storage_errors

_LOCK_TIMEOUT_S = 600


def image_store() -> Path:
    """Return the folder that contains the images of all datasets, ``<home>/images``; it need not exist."""
    return home() / "images"


def image_file(digest: str, extension: str) -> Path:
    """Return the path that an image has if it is stored as a separate file, not in a pack; it need not exist.

    Parameters
    ----------
    digest : str
        SHA-256 (hex) of the file.
    extension : str
        Extension of the file, with its dot.
    """
    return image_store() / digest[:2] / f"{digest}{extension}"


def stored_bytes(digest: str, extension: str) -> bytes:
    """Read an image file from the store, from its separate file or else from a pack.

    Parameters
    ----------
    digest : str
        SHA-256 (hex) of the file.
    extension : str
        Extension of the file, with its dot.

    Raises
    ------
    FileNotFoundError
        If the image is missing from the image store.
    ImageError
        If the content of the stored file is not the one that was imported.
    StorageError
        If the image store is not readable.
    """
    file = image_file(digest, extension)
    remedy = f"Delete {file}, and import the dataset again."
    with storage_errors(file):
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            packed = read_packed(str(image_store() / PACKS), digest)
            if packed is None:
                raise
            content = packed
            pack = find_packed(str(image_store() / PACKS), digest)
            where = f" It is in the pack {pack.base}.data." if pack else ""
            remedy = f"Import the images again, which writes this one anew as a separate file.{where}"
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ImageError(
            f"The stored file has been changed since the import: its SHA-256 begins with {found[:12]}.",
            f"It must begin with {digest[:12]}.",
            remedy,
        )
    return content


@contextmanager
def store_lock() -> Iterator[None]:
    """Lock the image store and the datasets for the current process and thread, as a context manager.

    Other processes and threads wait up to ten minutes for the lock. It is reentrant: the holder may acquire it again.

    Raises
    ------
    StorageError
        If the home folder is not writable, or the lock was not released within ten minutes.
    """
    path = home() / "datasets.lock"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=_LOCK_TIMEOUT_S, is_singleton=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise StorageError(
                f"Another process has held {path} for {_LOCK_TIMEOUT_S // 60} minutes.",
                "An import or a deletion takes seconds to finish.",
                "Stop that process, then try again.",
            ) from error
    try:
        yield
    finally:
        lock.release()
