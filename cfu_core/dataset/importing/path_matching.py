"""Files of the paths in a manifest, which may be written with other separators, accents or letter case."""

import os
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cfu_core.dataset.importing.file_names import normalise


class NameIndex:
    """Names that are found in spite of another Unicode normalisation form or letter case.

    Parameters
    ----------
    names : iterable of str
        Names of files, or whole paths.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._composed: dict[str, set[str]] = {}
        self._folded: dict[str, set[str]] = {}
        for name in self._names:
            composed = unicodedata.normalize("NFC", name)
            self._composed.setdefault(composed, set()).add(name)
            self._folded.setdefault(_fold(composed), set()).add(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def find(self, name: str) -> str | None:
        """Return the only name that is the same: exactly, in composed characters, or in lower case; else None."""
        if name in self._names:
            return name
        composed = unicodedata.normalize("NFC", name)
        for same in (self._composed.get(composed), self._folded.get(_fold(composed))):
            if same:
                return next(iter(same)) if len(same) == 1 else None
        return None


class TreeMatcher:
    """Finds the files of a folder or an archive that a manifest names.

    Parameters
    ----------
    files : iterable of str
        Paths of the files, POSIX.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self._files = NameIndex(files)

    def find(self, path: str) -> str:
        """Return the path of the file; the path as a normal POSIX path if there is no such file, or more than one."""
        if normalise(path) in self._files:
            return normalise(path)
        plain = _plain(path)
        return self._files.find(plain) or plain


class DiskMatcher:
    """Finds the files that a manifest on this computer names, in any folder.

    Parameters
    ----------
    folder : Path
        Folder of the manifest, to which its paths are relative.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed = cache(_names_in)

    def find(self, path: str) -> str:
        """Return the path of the file; the path as a normal POSIX path if there is no such file, or more than one."""
        for written in dict.fromkeys((normalise(path), _plain(path))):  # mostly the same
            if os.path.lexists(self._folder / written):
                return written
        found = Path()
        for part in Path(written).parts:
            same = None if part in ("/", "..") else self._listed(self._folder / found).find(part)
            found /= same or part
        return found.as_posix()


def differs_in_case(path: str, file: str) -> bool:
    """Return whether a path in a manifest and the path of its file differ in letter case."""
    plain = unicodedata.normalize("NFC", _plain(path))
    return plain != unicodedata.normalize("NFC", file) and _fold(plain) == _fold(file)


def _names_in(folder: Path) -> NameIndex:
    try:
        return NameIndex(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return NameIndex(())


def _plain(path: str) -> str:
    return normalise(path.replace("\\", "/"))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
