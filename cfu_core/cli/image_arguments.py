"""The argument IMAGE of a subcommand: image files, and folders of images."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cfu_core.dataset.importing.file_names import is_ignored, is_image
from cfu_core.imaging.reading import EXTENSIONS
from cfu_core.wording import plural


class FoundImages(NamedTuple):
    """Image files that arguments name.

    Attributes
    ----------
    files : list of Path
        In the order of the arguments; those of a folder sorted by path.
    others : Counter of str
        Number of files in folders that are left out because they are hidden, files of operating systems, not regular
        files, or not named as images; by extension in lower case.
    unusable : dict of Path to str
        Folders whose images are not in `files`, with the reason.
    """

    files: list[Path]
    others: Counter[str]
    unusable: dict[Path, str]

    @property
    def describe_others(self) -> str:
        """The number of files that are left out and their extensions, as a sentence; empty if there are none."""
        if not self.others:
            return ""
        kinds = sorted(self.others.items(), key=lambda item: (-item[1], item[0]))
        listed = ", ".join(f"{extension or 'no extension'} {n:,}" for extension, n in kinds[:5])
        more = ", ..." if len(kinds) > 5 else ""
        return f"{plural(self.others.total(), 'other file was', 'other files were')} left out ({listed}{more})."


def find_images(arguments: Sequence[Path]) -> FoundImages:
    """Find the images that arguments name: files as they are, and all images in folders and their subfolders.

    Parameters
    ----------
    arguments : sequence of Path
        Files, which are not checked, and folders. In a folder, files with the extension of an image are found, except
        hidden files and files of operating systems (`cfu_core.dataset.importing.file_names.is_ignored`).
    """
    found = FoundImages([], Counter(), {})
    for argument in arguments:
        if os.path.isdir(argument):  # noqa: PTH112 - Path.is_dir raises if the name is too long
            _add_folder(argument, found)
        else:
            found.files.append(argument)
    return found


def _add_folder(root: Path, found: FoundImages) -> None:
    def add_unopened(error: OSError) -> None:
        found.unusable[Path(error.filename)] = f"The folder cannot be opened: {error.strerror}."

    files = []
    unusable = len(found.unusable)
    for folder, subfolders, names in os.walk(root, onerror=add_unopened):
        for link in (Path(folder, name) for name in sorted(subfolders)):
            if link.is_symlink():
                found.unusable[link] = "The folder is a link, which is not followed. Name the folder itself."
        for path in (Path(folder, name) for name in names):
            named = is_image(path.name) and not is_ignored(path.relative_to(root).as_posix())
            if named and (path.is_file() or not path.exists()):  # no pipe; reading says why a link is broken
                files.append(path)
            else:
                found.others[path.suffix.lower()] += 1
    found.files.extend(sorted(files))
    if not files and len(found.unusable) == unusable:
        found.unusable[root] = f"The folder contains no image. Extensions of images are {', '.join(EXTENSIONS)}."
