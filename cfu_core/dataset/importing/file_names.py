"""Names of files: images, archives, files to ignore, and names that would lead out of their folder."""

import re
from pathlib import PurePosixPath

from cfu_core.imaging.reading import EXTENSIONS

MANIFEST = "manifest.csv"

_IGNORED = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "truth.csv"})
_ARCHIVES = frozenset(
    f".{kind}"
    for kind in (
        *("zip", "zipx", "rar", "7z", "tar", "gz", "tgz", "bz2", "tbz", "tbz2", "xz", "txz", "zst", "lz4", "lzma"),
        *("jar", "cab", "iso", "dmg", "ace", "arj"),
    )
)
_ARCHIVE_MAGIC = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"MSCF",
)


def is_image(path: str) -> bool:
    """Return whether the extension is that of an image, in upper or lower case."""
    return path.lower().endswith(EXTENSIONS)


def is_manifest(path: str) -> bool:
    """Return whether the file is called ``manifest.csv``, in upper or lower case and in any folder."""
    return path.rpartition("/")[2].lower() == MANIFEST


def is_ignored(path: str) -> bool:
    """Return whether an import passes over the file without an issue.

    These are the files that operating systems add (names that start with a dot, ``__MACOSX/``, ``Thumbs.db``,
    ``desktop.ini``) and the ``truth.csv`` of the demo.
    """
    return any(part.startswith(".") or part.lower() in _IGNORED for part in path.split("/"))


def is_archive(path: str) -> bool:
    """Return whether the extension is that of an archive."""
    return PurePosixPath(path.lower()).suffix in _ARCHIVES


def is_archive_content(data: bytes) -> bool:
    """Return whether the content of a file is an archive, whatever its name is."""
    return data.startswith(_ARCHIVE_MAGIC) or data[257:262] == b"ustar"


def unsafe_reason(name: str) -> str:
    """Explain why a relative POSIX path must not be used.

    Parameters
    ----------
    name : str
        As an archive, an upload or a manifest spells it.

    Returns
    -------
    str
        A short phrase such as "is an absolute path"; ``""`` if the path is safe.
    """
    if "\0" in name:
        return "contains a NUL character"
    if "\\" in name:
        return "contains a backslash"
    if name.startswith("/"):
        return "is an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "begins with a drive letter"
    if ".." in name.split("/"):
        return "leads out of its folder"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return "" if name else "is empty"


def normalise(path: str) -> str:
    """Return a POSIX path without ``.`` and empty parts."""
    return str(PurePosixPath(path))
