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
    """Return whether the path ends in one of `cfu_core.imaging.reading.EXTENSIONS`, in upper or lower case."""
    return path.lower().endswith(EXTENSIONS)


def is_manifest(path: str) -> bool:
    """Return whether the file is called ``manifest.csv``, in upper or lower case and in any folder."""
    return path.rpartition("/")[2].lower() == MANIFEST


def is_ignored(path: str) -> bool:
    """Return whether a file is left out when a source is listed, without an issue.

    This is the case for names of files or folders that start with a dot, for files that operating systems add
    (``__MACOSX/``, ``Thumbs.db``, ``ehthumbs.db``, ``desktop.ini``), and for ``truth.csv``, a file of the demo. Names
    are compared in any folder, in upper or lower case. An image that a manifest names is imported nevertheless.

    Parameters
    ----------
    path : str
        POSIX path from `normalise`. Otherwise a part ``.`` counts as a name that starts with a dot.
    """
    return any(part.startswith(".") or part.lower() in _IGNORED for part in path.split("/"))


def is_archive(path: str) -> bool:
    """Return whether the extension is that of an archive, such as ``.zip`` or ``.tar``, in upper or lower case."""
    return PurePosixPath(path.lower()).suffix in _ARCHIVES


def is_archive_content(data: bytes) -> bool:
    """Return whether a file is an archive, by its first bytes.

    Zip, RAR, 7z, gzip, bzip2, xz, Zstandard, cabinet and tar are recognised.

    Parameters
    ----------
    data : bytes
        The file, or at least its first 262 bytes.
    """
    return data.startswith(_ARCHIVE_MAGIC) or data[257:262] == b"ustar"


def unsafe_reason(name: str) -> str:
    """Explain why a path from an archive, an upload or a manifest must not be used.

    Parameters
    ----------
    name : str
        Path as it is written there; expected is a relative POSIX path.

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
    """Return a POSIX path without ``.`` and empty parts; ``./a//b/`` becomes ``a/b``.

    Parts ``..`` remain, and a path without any part becomes ``.``.
    """
    return str(PurePosixPath(path))
