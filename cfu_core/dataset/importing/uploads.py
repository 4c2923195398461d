"""What a browser sends, kept aside until it is imported. The names in it are hostile until proven harmless."""

import errno
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from cfu_core.dataset.dataset import slug
from cfu_core.dataset.importing.archive import ImportLimits, refused
from cfu_core.dataset.importing.file_names import escape, is_image, is_leftover, is_manifest, tidy
from cfu_core.errors import ArchiveError
from cfu_core.storage import home, storage_errors

_CHUNK = 2**20
_CLASHES = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)


def incoming() -> Path:
    """The folder for uploads and for imports that are under way."""
    return home() / "incoming"


def stage_upload(files: Iterable[tuple[str, BinaryIO]], *, name: str, limits: ImportLimits | None = None) -> Path:
    """Write an upload to disk so that a background job can import it.

    Parameters
    ----------
    files : iterable of (str, binary file)
        One zip, or the files of a folder with their relative paths. Files that are no image keep only their
        names, so that the import can list them.
    name : str
        What the dataset will be called.
    limits : ImportLimits, optional

    Returns
    -------
    Path
        What to give to `import_source`, and afterwards to `discard_upload`.

    Raises
    ------
    ArchiveError
        A name tries to leave its folder, stands there twice or is too long, or there is too much of it; nothing is
        left behind.
    StorageError
        The disk is full, or the home folder may not be written.
    """
    limits = limits or ImportLimits()
    parent = incoming() / uuid.uuid4().hex
    try:
        with storage_errors(parent):
            parent.mkdir(parents=True)
            return _staged(files, parent, name, limits)
    except BaseException:
        shutil.rmtree(parent, ignore_errors=True)
        raise


def discard_upload(path: Path) -> None:
    """Remove what `stage_upload` wrote, if it is still there.

    Raises
    ------
    ValueError
        `path` did not come from `stage_upload`.
    """
    parts = path.relative_to(incoming()).parts
    if not parts or not re.fullmatch(r"[0-9a-f]{32}", parts[0]):
        raise ValueError(f"{path} is no upload")
    with storage_errors(path):
        shutil.rmtree(incoming() / parts[0], ignore_errors=True)


def _staged(files: Iterable[tuple[str, BinaryIO]], parent: Path, name: str, limits: ImportLimits) -> Path:
    root = parent / slug(name)
    root.mkdir()
    left, count, archive = limits.total_bytes, 0, None
    for path, stream in files:
        fault = escape(path)
        if fault:
            raise refused("The upload", f"the name {path!r} {fault}")
        count += 1
        if count > limits.entries:
            raise refused("The upload", f"it has more than {limits.entries:,} files")
        if is_leftover(tidy(path)):
            continue
        if tidy(path).lower().endswith(".zip"):
            archive = tidy(path)
        left -= _write(root / path, stream, path, left)
    if count == 0:
        raise ArchiveError("The upload is empty.", "", "Choose a zip or a folder of images.")
    if archive is None:
        return root
    if count > 1:
        raise refused("The upload", f"{archive!r} is an archive among other files")
    return (root / archive).replace(parent / f"{root.name}.zip")


def _write(target: Path, stream: BinaryIO, name: str, left: int) -> int:
    """Copy a stream to a new file and count its bytes; more than `left` is too much."""
    wanted = is_image(name) or is_manifest(name) or name.lower().endswith(".zip")
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while wanted and (chunk := stream.read(_CHUNK)):
                written += len(chunk)
                if written > left:
                    raise refused("The upload", "it is larger than what may be imported at once")
                file.write(chunk)
    except OSError as error:
        if error.errno in _CLASHES:
            raise refused("The upload", f"the name {name!r} is too long, or stands there twice") from error
        raise
    return written
