"""Where everything lives, and how a file is written so that it is never half there."""

import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from cfu_core.errors import StorageError


def home() -> Path:
    """The folder that holds datasets, runs, caches and weights.

    Returns
    -------
    Path
        ``$CFU_HOME`` where that is set, else the platform's folder for user data
        (on Linux ``~/.local/share/cfu-workbench``). It is made when first written to.
    """
    named = os.environ.get("CFU_HOME", "").strip()
    return Path(named).expanduser().absolute() if named else Path(platformdirs.user_data_dir("cfu-workbench", False))


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals about `path` into a `StorageError` that says what to do."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"The disk is full: {where} could not be written.",
                "Nothing that was there before was changed.",
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
    """A temporary path beside `path` that takes its place only when the block ends well.

    Parameters
    ----------
    path : Path
        The file to be written. Its folder is made if missing.

    Yields
    ------
    Path
        Where to write. On any error it is removed, and what stood at `path` before is untouched.

    Raises
    ------
    StorageError
        The disk is full, or the folder may not be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
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
    """Give a temporary folder beside `path` that takes its place only when the block ends without an error.

    Parameters
    ----------
    path : Path
        The folder to be made. It must not exist, or be empty. Its parent is made if missing.

    Yields
    ------
    Path
        Where to write. It is removed on any error.

    Raises
    ------
    StorageError
        There is something at `path` already, the disk is full, or the parent folder may not be written.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with storage_errors(path):
            draft.mkdir(parents=True)
            yield draft
            if path.exists():
                if not path.is_dir() or any(path.iterdir()):
                    raise StorageError(f"{path} exists already.", "A new or empty folder is needed.", "Name another.")
                path.rmdir()
            draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as draft:
        draft.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, whole or not at all; NaN and infinity become null."""
    write_bytes(path, json_text(value).encode())


def json_text(value: Any) -> str:
    """`value` as `write_json` writes it."""
    return json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    StorageError
        The file holds no JSON, or may not be read.
    """
    with storage_errors(path):
        content = path.read_bytes()
    try:
        return json.loads(content.decode())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StorageError(
            f"{path} is damaged: {error}.", "It should hold JSON.", "Delete it, or restore it from a backup."
        ) from error


def finite(value: Any) -> Any:
    """`value` with null for NaN and infinity, for which JSON has no words, and with text for the keys of mappings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def modified(path: Path) -> int:
    """When a file was last written, in nanoseconds; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@dataclass(frozen=True)
class SpecFolder:
    """A folder whose ``spec.json`` says, once and for all, what was asked for: a run, a job.

    Parameters
    ----------
    folder : Path
        Its name is the identifier.
    """

    folder: Path

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What was asked for; read once."""
        return read_json(self.folder / "spec.json")

    def readable(self) -> bool:
        """Whether the specification is there and whole; the folder may have been deleted a moment ago."""
        try:
            return {"kind", "created"} <= set(self.spec)
        except (FileNotFoundError, StorageError):
            return False
