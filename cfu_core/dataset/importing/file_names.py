"""Names of files: images, manifests, files to ignore, and names that would lead out of their folder."""

import re
from pathlib import PurePosixPath

from cfu_core.imaging.reading import EXTENSIONS
from cfu_core.imaging.unread_formats import OTHER_EXTENSIONS

MANIFEST = "manifest.csv"

_IMAGES = (*EXTENSIONS, *OTHER_EXTENSIONS)
_IGNORED = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "truth.csv"})


def is_image(path: str) -> bool:
    """Return whether the name is that of an image of any format; its content decides whether it is read.

    It ends in one of `cfu_core.imaging.reading.EXTENSIONS` or of `cfu_core.imaging.unread_formats.OTHER_EXTENSIONS`, in
    upper or lower case.
    """
    return path.lower().endswith(_IMAGES)


def is_manifest(path: str) -> bool:
    """Return whether the file is called ``manifest.csv``, in upper or lower case and in any folder."""
    return path.rpartition("/")[2].lower() == MANIFEST


def is_wanted(path: str) -> bool:
    """Return whether the file is named as an image or as the manifest."""
    return is_image(path) or is_manifest(path)


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
