"""The home folder, and atomic reading and writing of files."""

import errno
import json
import math
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from cfu_core.errors import StorageError

if TYPE_CHECKING:
    import pandas as pd


def home() -> Path:
    """Return the folder that contains datasets, runs, caches and weights.

    Returns
    -------
    Path
        Absolute path: ``$CFU_HOME`` if it is set and not blank, else the platform's folder for user data
        (on Linux ``~/.local/share/cfu-workbench``). In ``$CFU_HOME``, ``~`` is expanded, and a relative path begins at
        the working directory. The folder is created when a file is first written to it.

    Raises
    ------
    StorageError
        ``$CFU_HOME`` begins with ``~`` and the name of a user who does not exist.
    """
    named = os.environ.get("CFU_HOME", "").strip()
    if not named:
        return Path(platformdirs.user_data_dir("cfu-workbench", False))
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:  # unknown user
        raise _unusable_home(named, "this user is not known") from error


def check_home() -> None:
    """Check that the home folder can be used: that it can be opened, or can be created if it does not exist.

    It is not created. A home folder that exists need not be writable, because it can be read nevertheless.

    Raises
    ------
    StorageError
        The home folder, or what should be a folder above it, is a file or a link to nothing; this user may not open the
        home folder or may not create it; or its path is too long.
    """
    folder = home()
    try:
        missing = not folder.exists()
        existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        if not existing.is_dir():
            raise _unusable_home(folder, "it is not a folder" if existing == folder else f"{existing} is not a folder")
        if missing:  # not only a missing permission prevents a new folder: network file systems have other reasons
            Path(tempfile.mkdtemp(prefix=".cfu-", dir=existing)).rmdir()
        elif not os.access(folder, os.R_OK | os.X_OK):
            raise _unusable_home(folder, os.strerror(errno.EACCES))
    except OSError as error:
        raise _unusable_home(folder, str(error.strerror)) from error


def _unusable_home(folder: Path | str, reason: str) -> StorageError:
    return StorageError(
        f"The home folder {folder} cannot be used: {reason}.",
        "It must be a folder, or a path at which a folder can be created.",
        "Set CFU_HOME to a folder of your own.",
    )


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Within a ``with`` block, convert an OSError for a full disk or missing permissions to a `StorageError`.

    Other errors are not converted, for example FileNotFoundError.

    Parameters
    ----------
    path : Path
        The file or folder to name in the message if the OSError names none.

    Raises
    ------
    StorageError
        The disk or the user's quota is full, the file system is read-only, or the user may not read or write a file
        that the block uses.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk is full: {where} could not be written.",
                "No existing file was changed.",
                "Free some space, or set CFU_HOME to a folder on a larger disk.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                f"No permission for {where}.",
                "The folder must be readable, and CFU_HOME writable, for this user.",
                "Change the permissions, or set CFU_HOME to a folder of your own.",
            ) from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file atomically: the block writes a temporary file, which replaces `path` if no error occurs.

    Parameters
    ----------
    path : Path
        The file to write. Its folder is created if missing.

    Yields
    ------
    Path
        The temporary file, in the folder of `path`; the block must create it. On any error it is removed, and the
        previous file at `path` is unchanged.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    with storage_errors(path):
        _make_folder(path.parent)
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            yield draft
            with draft.open("rb+") as written:
                os.fsync(written.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Write a folder atomically: the block fills a temporary folder, which becomes `path` if no error occurs.

    Parameters
    ----------
    path : Path
        The folder to create. It must not exist, or be empty; this is checked after the block. Its parent is created if
        missing.

    Yields
    ------
    Path
        The temporary folder. It is removed on any error.

    Raises
    ------
    StorageError
        `path` exists and is not an empty folder, the disk is full, or the parent folder is not writable.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with storage_errors(path):
            _make_folder(draft)
            yield draft
            if path.exists():
                if not path.is_dir() or any(path.iterdir()):
                    raise StorageError(
                        f"{path} already exists.", "It must be a new or empty folder.", "Choose another."
                    )
                path.rmdir()
            draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make_folder(path: Path) -> None:
    """Create a folder and those above it, if missing; the caller converts a full disk and missing permissions."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
        raise StorageError(
            f"The folder {path} cannot be created: {file} is not a folder.", "", "Choose another folder."
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically, replacing an existing file; create its folder if missing.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    with replacing(path) as draft:
        draft.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON atomically, replacing an existing file; create its folder if missing.

    Parameters
    ----------
    path : Path
        The file to write.
    value : object
        Converted by `json_value`: NaN and infinity become null.

    Raises
    ------
    TypeError
        `value` contains something else than JSON values and tuples, for example an array.
    StorageError
        The disk is full, or the folder is not writable.
    """
    write_bytes(path, json_text(value).encode())


def json_text(value: Any) -> str:
    """Return `value` as the JSON text that `write_json` writes, with a newline at the end.

    Raises
    ------
    TypeError
        `value` contains something else than JSON values and tuples, for example an array.
    """
    return json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """Write a table as UTF-8 CSV without its index, atomically, replacing an existing file.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    with replacing(path) as draft:
        table.to_csv(draft, index=False)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Returns
    -------
    object
        Dict, list, str, int, float, bool or None.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    StorageError
        The file does not contain JSON in UTF-8, or the user may not read it.
    """
    with storage_errors(path):
        content = path.read_bytes()
    try:
        return json.loads(content.decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StorageError(
            f"{path} is damaged: {error}.", "It must contain JSON.", "Delete it, or restore it from a backup."
        ) from error


def json_value(value: Any) -> Any:
    """Convert a value to one that JSON can represent.

    Parameters
    ----------
    value : object
        JSON value that may also contain NaN, infinity, tuples, and dictionaries with keys of any type.

    Returns
    -------
    object
        A copy in which NaN and infinity are None, tuples are lists, and keys are text. Objects of other types, for
        example arrays, are returned unchanged.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return value


def modification_time(path: Path) -> int:
    """Return the time when a file was last modified, in nanoseconds; 0 if it does not exist."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
