"""Uploads from a browser, stored until they are imported. Their file names are not trusted."""

import errno
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from cfu_core.dataset.dataset import slug
from cfu_core.dataset.importing.archive import ImportLimits, refused
from cfu_core.dataset.importing.file_names import is_ignored, is_image, is_manifest, normalise, unsafe_reason
from cfu_core.errors import ArchiveError
from cfu_core.storage import home, storage_errors

_CHUNK = 2**20
_NAME_ERRORS = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)


def incoming() -> Path:
    """Return the folder for uploads and staging folders of imports, ``<home>/incoming``; it need not exist."""
    return home() / "incoming"


def stage_upload(files: Iterable[tuple[str, BinaryIO]], *, name: str, limits: ImportLimits | None = None) -> Path:
    """Write an upload to ``<home>/incoming/`` so that a background job can import it.

    Parameters
    ----------
    files : iterable of (str, binary file)
        One zip, which is recognised by its name, or the files of a folder with their relative POSIX paths. A file is
        read from its current position and not closed. Files for which `is_ignored` returns True are not written. Files
        that are neither images nor a manifest are written empty, so that the import can list them as left out.
    name : str
        Name of the future dataset. Its `slug` becomes the name of the folder or zip.
    limits : ImportLimits, optional
        Only `entries` and `total_bytes` are used. The defaults are those of `ImportLimits`.

    Returns
    -------
    Path
        The folder or zip, as the source for `import_source`. Remove it with `discard_upload` afterwards.

    Raises
    ------
    ArchiveError
        There is no file, or there are too many files or bytes; a zip is among other files; or a name is unsafe (see
        `unsafe_reason`), occurs twice or is too long. No file remains on the disk then.
    StorageError
        The disk is full, or the home folder is not writable. No file remains on the disk then.
    """
    limits = limits or ImportLimits()
    parent = incoming() / uuid.uuid4().hex
    try:
        with storage_errors(parent):
            parent.mkdir(parents=True)
            return _write_upload(files, parent, name, limits)
    except BaseException:
        shutil.rmtree(parent, ignore_errors=True)
        raise


def discard_upload(path: Path) -> None:
    """Remove an upload that `stage_upload` wrote; do nothing if it no longer exists.

    Files that cannot be removed remain, without an error.

    Parameters
    ----------
    path : Path
        Path from `stage_upload`.

    Raises
    ------
    ValueError
        `path` is not a path from `stage_upload`.
    """
    parts = path.relative_to(incoming()).parts
    if not parts or not re.fullmatch(r"[0-9a-f]{32}", parts[0]):
        raise ValueError(f"{path} is not an upload")
    with storage_errors(path):
        shutil.rmtree(incoming() / parts[0], ignore_errors=True)


def _write_upload(files: Iterable[tuple[str, BinaryIO]], parent: Path, name: str, limits: ImportLimits) -> Path:
    root = parent / slug(name)
    root.mkdir()
    bytes_left, count, archive = limits.total_bytes, 0, None
    for path, stream in files:
        fault = unsafe_reason(path)
        if fault:
            raise refused("The upload", f"the name {path!r} {fault}")
        count += 1
        if count > limits.entries:
            raise refused("The upload", f"it has more than {limits.entries:,} files")
        if is_ignored(normalise(path)):
            continue
        if normalise(path).lower().endswith(".zip"):
            archive = normalise(path)
        bytes_left -= _write(root / path, stream, path, bytes_left)
    if count == 0:
        raise ArchiveError("The upload is empty.", "", "Choose a zip or a folder of images.")
    if archive is None:
        return root
    if count > 1:
        raise refused("The upload", f"{archive!r} is an archive among other files")
    return (root / archive).replace(parent / f"{root.name}.zip")


def _write(target: Path, stream: BinaryIO, name: str, bytes_left: int) -> int:
    """Copy a stream to a new file and return its size in bytes; refuse more than `bytes_left`."""
    wanted = is_image(name) or is_manifest(name) or name.lower().endswith(".zip")
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while wanted and (chunk := stream.read(_CHUNK)):
                written += len(chunk)
                if written > bytes_left:
                    raise refused("The upload", "it is larger than the limit for one upload")
                file.write(chunk)
    except OSError as error:
        if error.errno in _NAME_ERRORS:
            raise refused("The upload", f"the name {name!r} is too long or occurs twice") from error
        raise
    return written
