"""Files on disk as a source of images: a folder, or the files that a manifest names.

Links must not lead out of a folder; from a manifest they are followed. Only regular files are opened.
"""

import os
import stat
from pathlib import Path
from typing import Self

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.archive import ImportLimits
from cfu_core.dataset.importing.copying import HAS_NOFOLLOW
from cfu_core.dataset.importing.file_names import is_ignored
from cfu_core.errors import ArchiveError, DatasetError, ImageError
from cfu_core.storage import home


class FolderTree:
    """The files in a folder and its subfolders. Several threads may call `read` at once.

    Parameters
    ----------
    root : Path
        The folder. It is listed once, when the object is created. If it cannot be opened, nothing is raised: `files`
        is empty, and `issues` has the reason.
    limits : ImportLimits
        Only `image_bytes` is used.

    Attributes
    ----------
    name : str
        Name of the source in messages: the path of the folder.
    files, folders : list of str
        POSIX paths relative to `root`, sorted, without the names for which `is_ignored` returns True. `files` includes
        links to files.
    issues : list of ImportIssue
        Folders that cannot be opened (these are in `folders`), folders that are links, and names that are not UTF-8
        (these are not in `files` or `folders`).
    error_type : type
        Class of errors about the whole source: `ArchiveError` for an upload, otherwise `DatasetError`.
    """

    def __init__(self, root: Path, *, limits: ImportLimits) -> None:
        self.name = str(root)
        self.issues: list[ImportIssue] = []
        self.files: list[str] = []
        self.folders: list[str] = []
        self._root, self._limits = root, limits
        self._absolute, self._real = os.path.abspath(root), os.path.realpath(root)  # noqa: PTH100 - strings
        uploaded = Path(self._real).is_relative_to(os.path.realpath(home() / "incoming"))
        self.error_type: type[DatasetError] = ArchiveError if uploaded else DatasetError
        for folder, folders, files in os.walk(root, followlinks=False, onerror=self._add_unopened):
            below = Path(folder).relative_to(root).as_posix()
            here = "" if below == "." else below + "/"
            folders[:] = sorted(name for name in folders if self._add_folder(here, name))
            self.files += [here + name for name in files if self._is_usable(here, name)]
        self.files.sort()
        self.folders.sort()
        self._known = frozenset(self.files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no file is kept open."""

    def read(self, path: str) -> bytes:
        """Return the content of a file in the folder or a subfolder.

        Parameters
        ----------
        path : str
            POSIX path relative to the root.

        Raises
        ------
        ImageError
            Kind ``link`` (a link out of the root, or to a missing file), ``missing``, ``no-permission``,
            ``too-large`` (more than ``limits.image_bytes`` bytes), ``not-an-image`` (not a regular file) or
            ``unreadable`` (any other error).
        """
        full = self._root / path
        if not Path(os.path.realpath(full)).is_relative_to(self._real):
            raise ImageError(f"{path} is a link that leads out of the folder.", kind="link")
        return _read_file(full, name=path, limits=self._limits)

    def direct_path(self, path: str) -> str | None:
        """Return the path that `copy_image` may open instead of calling `read`.

        Returns
        -------
        str or None
            An absolute path; None if the file is not in `files`, or this system cannot refuse links when it opens
            files.
        """
        # No folder above a known file is a link. Other paths may contain links to any place.
        return f"{self._absolute}/{path}" if HAS_NOFOLLOW and path in self._known else None

    def _add_folder(self, here: str, name: str) -> bool:
        if not self._is_usable(here, name):
            return False
        path = here + name
        if (self._root / path).is_symlink():
            detail = f"{path} is a link to a folder. Such links are not followed."
            self.issues.append(ImportIssue(path=path, kind="link", detail=detail))
            return False
        self.folders.append(path)
        return True

    def _is_usable(self, here: str, name: str) -> bool:
        """Return whether a name is neither ignored nor unusable; a name that is not UTF-8 becomes an issue."""
        if is_ignored(name):
            return False
        if name.isascii():
            return True
        path = here + name
        legible = path.encode("utf-8", "replace").decode()
        if legible != path:
            detail = f"{legible} has a name that is not UTF-8 text. Rename it."
            self.issues.append(ImportIssue(path=legible, kind="name", detail=detail))
        return legible == path

    def _add_unopened(self, error: OSError) -> None:
        path = Path(error.filename).relative_to(self._root).as_posix()
        kind = "no-permission" if isinstance(error, PermissionError) else "unreadable"
        detail = f"The folder {path} cannot be opened: {error.strerror}."
        self.issues.append(ImportIssue(path=path, kind=kind, detail=detail))


class ListedFiles:
    """The files that a manifest on this computer names, in any folder.

    Parameters
    ----------
    manifest : Path
        A CSV file, which is not opened here. Its paths are relative to its folder, or absolute.
    limits : ImportLimits
        Only `image_bytes` is used.

    Attributes
    ----------
    name : str
        Name of the source in messages: the path of the manifest.
    error_type : type
        Class of errors about the whole source, `DatasetError`.
    """

    error_type = DatasetError

    def __init__(self, manifest: Path, *, limits: ImportLimits) -> None:
        self.name = str(manifest)
        self._folder, self._limits = manifest.parent.absolute(), limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no file is kept open."""

    def read(self, path: str) -> bytes:
        """Return the content of a file; links are followed to any place.

        Parameters
        ----------
        path : str
            Path as in the manifest.

        Raises
        ------
        ImageError
            As from `FolderTree.read`, except that kind ``link`` only means a link to a missing file.
        """
        return _read_file(self._folder / path, name=path, limits=self._limits)

    def direct_path(self, path: str) -> str | None:
        """Return the path that `copy_image` may open instead of calling `read`.

        Returns
        -------
        str or None
            An absolute path; None if this system cannot refuse links when it opens files.
        """
        return str(self._folder / path) if HAS_NOFOLLOW else None


def _read_file(full: Path, *, name: str, limits: ImportLimits) -> bytes:
    try:
        status = full.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
            raise ImageError(f"{name} is not a regular file.", kind="not-an-image")
        if status.st_size > limits.image_bytes:
            found = f"{name} has {status.st_size:,} bytes; the limit is {limits.image_bytes:,}."
            raise ImageError(found, kind="too-large")
        return full.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(full, name, error) from error


def _unreadable(full: Path, name: str, error: OSError | ValueError) -> ImageError:
    if isinstance(error, PermissionError):
        return ImageError(f"{name} cannot be read: no permission.", kind="no-permission")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        if full.is_symlink():
            return ImageError(f"{name} is a link to a file that does not exist.", kind="link")
        return ImageError(f"{name} does not exist.", kind="missing")
    return ImageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.", kind="unreadable")
