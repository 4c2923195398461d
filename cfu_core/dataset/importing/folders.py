"""Folders on disk as a source of images: links must not lead out, and only ordinary files are opened."""

import os
import stat
from pathlib import Path
from typing import Self

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.archive import ImportLimits
from cfu_core.dataset.importing.copying import CAN_TELL_LINKS
from cfu_core.dataset.importing.file_names import is_leftover
from cfu_core.errors import ArchiveError, DatasetError, ImageError
from cfu_core.storage import home


class FolderTree:
    """The files below a folder. `read` may be called from several threads.

    Parameters
    ----------
    root : Path
        The folder.
    limits : ImportLimits

    Attributes
    ----------
    files, folders : list of str
        POSIX paths relative to `root`, sorted, without what operating systems leave behind.
    issues : list of ImportIssue
        Folders that could not be entered, and names that are no text.
    """

    def __init__(self, root: Path, *, limits: ImportLimits) -> None:
        self.name = str(root)
        self.issues: list[ImportIssue] = []
        self.files: list[str] = []
        self.folders: list[str] = []
        self._root, self._limits = root, limits
        self._top, self._real = os.path.abspath(root), os.path.realpath(root)  # noqa: PTH100 - as text
        uploaded = Path(self._real).is_relative_to(os.path.realpath(home() / "incoming"))
        self.refusal: type[DatasetError] = ArchiveError if uploaded else DatasetError
        for folder, folders, files in os.walk(root, followlinks=False, onerror=self._not_entered):
            below = Path(folder).relative_to(root).as_posix()
            here = "" if below == "." else below + "/"
            folders[:] = sorted(name for name in folders if self._take_folder(here, name))
            self.files += [here + name for name in files if self._named(here, name)]
        self.files.sort()
        self.folders.sort()
        self._seen = frozenset(self.files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def read(self, path: str) -> bytes:
        """The content of a file below the root.

        Raises
        ------
        ImageError
            Kind ``link`` (it leads out of the root, or nowhere), ``missing``, ``no-permission``, ``too-large`` or
            ``not-an-image`` (no ordinary file).
        """
        full = self._root / path
        if not Path(os.path.realpath(full)).is_relative_to(self._real):
            raise ImageError(f"{path} is a link that leads out of the folder.", kind="link")
        return _read_file(full, name=path, limits=self._limits)

    def ordinary(self, path: str) -> str | None:
        """Where a file lies that `carrying.carry` may take if it is no link; None where only `read` may."""
        # No folder above a file that was seen is a link. On other paths, links may lead anywhere.
        return f"{self._top}/{path}" if CAN_TELL_LINKS and path in self._seen else None

    def _take_folder(self, here: str, name: str) -> bool:
        if not self._named(here, name):
            return False
        path = here + name
        if (self._root / path).is_symlink():
            detail = f"{path} is a link to a folder, which is not followed."
            self.issues.append(ImportIssue(path=path, kind="link", detail=detail))
            return False
        self.folders.append(path)
        return True

    def _named(self, here: str, name: str) -> bool:
        """Whether a name can be used at all; one that is no text becomes an issue."""
        if is_leftover(name):
            return False
        if name.isascii():
            return True
        path = here + name
        legible = path.encode("utf-8", "replace").decode()
        if legible != path:
            detail = f"{legible} has a name that is no UTF-8 text. Rename it."
            self.issues.append(ImportIssue(path=legible, kind="name", detail=detail))
        return legible == path

    def _not_entered(self, error: OSError) -> None:
        path = Path(error.filename).relative_to(self._root).as_posix()
        kind = "no-permission" if isinstance(error, PermissionError) else "unreadable"
        detail = f"The folder {path} cannot be opened: {error.strerror}."
        self.issues.append(ImportIssue(path=path, kind=kind, detail=detail))


class ListedFiles:
    """Files that a manifest on this machine names itself, anywhere on disk.

    Parameters
    ----------
    manifest : Path
        The CSV; the paths in it are relative to its folder, or absolute.
    limits : ImportLimits
    """

    refusal = DatasetError

    def __init__(self, manifest: Path, *, limits: ImportLimits) -> None:
        self.name = str(manifest)
        self._folder, self._limits = manifest.parent.absolute(), limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def read(self, path: str) -> bytes:
        """The content of a file; raises `ImageError` as `FolderTree.read` does, and links may lead anywhere."""
        return _read_file(self._folder / path, name=path, limits=self._limits)

    def ordinary(self, path: str) -> str | None:
        """As `FolderTree.ordinary`."""
        return str(self._folder / path) if CAN_TELL_LINKS else None


def _read_file(full: Path, *, name: str, limits: ImportLimits) -> bytes:
    try:
        status = full.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise ImageError(f"{name} is no ordinary file.", kind="not-an-image")
        if status.st_size > limits.image_bytes:
            found = f"{name} has {status.st_size:,} bytes; at most {limits.image_bytes:,} are read."
            raise ImageError(found, kind="too-large")
        return full.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(full, name, error) from error


def _unreadable(full: Path, name: str, error: OSError | ValueError) -> ImageError:
    if isinstance(error, PermissionError):
        return ImageError(f"{name} may not be read: no permission.", kind="no-permission")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if full.is_symlink():
            return ImageError(f"{name} is a link that leads nowhere.", kind="link")
        return ImageError(f"{name} does not exist.", kind="missing")
    return ImageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.", kind="unreadable")
