"""Uploads from a browser, stored until they are imported. Their file names are not trusted.

The files of a folder are stored in one zip, without compression. So a name is never the name of a file on disk: it may
be longer than a file system allows, end in a blank or a full stop, or differ from another one in letter case only.
"""

import re
import shutil
import uuid
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, BinaryIO

from cfu_core.dataset.dataset import slug
from cfu_core.dataset.importing.archive import ImportLimits, refused
from cfu_core.dataset.importing.file_names import is_ignored, is_wanted, normalise, unsafe_reason
from cfu_core.errors import ArchiveError
from cfu_core.storage import home, storage_errors

_CHUNK = 2**20
_MAX_NAME = 2**16 - 1  # bytes of a name in a zip


def incoming() -> Path:
    """Return the folder for uploads and staging folders of imports, ``<home>/incoming``; it need not exist."""
    return home() / "incoming"


def stage_upload(files: Iterable[tuple[str, BinaryIO]], *, name: str, limits: ImportLimits | None = None) -> Path:
    """Write an upload to ``<home>/incoming/`` so that a background job can import it.

    Parameters
    ----------
    files : iterable of (str, binary file)
        One zip, which is recognised by its name, or the files of a folder with their relative POSIX paths, of any
        length. A file is read from its current position and not closed. Files for which `is_ignored` returns True are
        not written. Files that are neither images nor a manifest are written empty, so that the import can list them as
        left out.
    name : str
        Name of the future dataset. Its `slug` becomes the name of the stored zip; without an extension if the upload is
        a folder.
    limits : ImportLimits, optional
        Only `entries` and `total_bytes` are used. The defaults are those of `ImportLimits`.

    Returns
    -------
    Path
        A zip, as the source for `import_source`. Remove it with `discard_upload` afterwards.

    Raises
    ------
    ArchiveError
        There is no file, or there are too many files or bytes; or a name is unsafe (see `unsafe_reason`), occurs twice
        or has more than 65,535 bytes. No file remains on the disk then.
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
    streams: dict[str, BinaryIO] = {}
    count = 0
    for path, stream in files:
        count += 1
        if count > limits.entries:
            raise refused("The upload", f"it has more than {limits.entries:,} files")
        fault = unsafe_reason(path)
        if fault:
            raise refused("The upload", f"the name {path!r} {fault}")
        normal = normalise(path)
        if normal in streams or len(normal.encode()) > _MAX_NAME:
            raise refused("The upload", f"the name {path!r} occurs twice or is too long")
        if not is_ignored(normal):
            streams[normal] = stream
    if count == 0:
        raise ArchiveError("The upload is empty.", "", "Choose a zip or a folder of images.")
    if len(streams) == 1 and next(iter(streams)).lower().endswith(".zip"):
        archive = parent / f"{slug(name)}.zip"
        with archive.open("xb") as target:
            _copy(next(iter(streams.values())), target, limits.total_bytes)
        return archive
    folder = parent / slug(name)
    _write_folder(streams, folder, limits.total_bytes)
    return folder


def _write_folder(streams: dict[str, BinaryIO], target: Path, bytes_left: int) -> None:
    with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
        for name, stream in streams.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                if is_wanted(name):
                    bytes_left -= _copy(stream, entry, bytes_left)


def _copy(stream: BinaryIO, target: IO[bytes], bytes_left: int) -> int:
    """Copy a stream and return its size in bytes; refuse more than `bytes_left`."""
    written = 0
    while chunk := stream.read(_CHUNK):
        written += len(chunk)
        if written > bytes_left:
            raise refused("The upload", "it is larger than the limit for one upload")
        target.write(chunk)
    return written
