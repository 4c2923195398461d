"""What a file's name tells: an image, a leftover of an operating system, or an attempt to leave its folder."""

import re
from pathlib import PurePosixPath

from cfu_core.imaging.reading import EXTENSIONS

MANIFEST = "manifest.csv"

_LEFTOVERS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "truth.csv"})
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
    """Whether the extension is that of an image, in any case."""
    return path.lower().endswith(EXTENSIONS)


def is_manifest(path: str) -> bool:
    """Whether a file is called ``manifest.csv``, in any case and any folder."""
    return path.rpartition("/")[2].lower() == MANIFEST


def is_leftover(path: str) -> bool:
    """Whether it is there beside the images and means nothing: dotfiles, ``._*``, ``__MACOSX/``, ``Thumbs.db`` and the
    like of operating systems, and the ``truth.csv`` of the demo."""
    return any(part.startswith(".") or part.lower() in _LEFTOVERS for part in path.split("/"))


def is_archive(path: str) -> bool:
    """Whether the extension is that of an archive."""
    return PurePosixPath(path.lower()).suffix in _ARCHIVES


def holds_archive(data: bytes) -> bool:
    """Whether the content is an archive, whatever its name."""
    return data.startswith(_ARCHIVE_MAGIC) or data[257:262] == b"ustar"


def escape(name: str) -> str:
    """Why a relative POSIX name must not be trusted: a short phrase, or ``""`` where it is harmless.

    Parameters
    ----------
    name : str
        As an archive, an upload or a manifest spells it.
    """
    if "\0" in name:
        return "holds a NUL character"
    if "\\" in name:
        return "holds a backslash"
    if name.startswith("/"):
        return "is an absolute path"
    if re.match(r"[A-Za-z]:", name):
        return "begins with a drive letter"
    if ".." in name.split("/"):
        return "leads out of its folder"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is no proper text"
    return "" if name else "is empty"


def tidy(name: str) -> str:
    """`name` without ``.`` and empty parts; everything else stays as it is."""
    return str(PurePosixPath(name))
