"""Which images a source holds and which class each belongs to, told from folders or from a manifest."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.archive import ZipTree
from cfu_core.dataset.importing.file_names import MANIFEST, escape, is_image, is_manifest, tidy
from cfu_core.dataset.importing.folders import FolderTree, ListedFiles
from cfu_core.dataset.importing.manifest import Box, Manifest, parse_manifest
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.reading import EXTENSIONS

_EXPECTED = (
    "Expected a folder for each class, for example CFU-E/01.jpg, CFU-GM/02.jpg and CFU-PreB/03.jpg, or a "
    f"{MANIFEST} with the columns path and label."
)


class Entry(NamedTuple):  # a dataclass takes three times as long to make
    """An image to be read.

    Parameters
    ----------
    path : str
        What the dataset calls it: POSIX, relative to the source without its wrapping folder.
    file : str
        What the source calls it.
    label, group : str
        Its class; its group or ``""``.
    box : tuple of int, or None
        Left, top, right, bottom in pixels.
    """

    path: str
    file: str
    label: str
    group: str = ""
    box: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images of a source, sorted by path, and what was found amiss so far."""

    entries: tuple[Entry, ...]
    issues: tuple[ImportIssue, ...]
    drawn: bool = False


def list_tree(tree: FolderTree | ZipTree) -> Listing:
    """The images of a folder or an archive: by its manifest where it has one, else by its class folders.

    One folder around everything is taken off first. A folder that holds nothing but images (at any depth below its
    top) counts as a class, a single folder that only holds folders counts as wrapping.

    Raises
    ------
    DatasetError
        There is no image, or no class.
    """
    top = _wrapping(tree.files, tree.folders)
    files = {file.removeprefix(top): file for file in tree.files}
    manifest = next((path for path in files if "/" not in path and is_manifest(path)), None)
    if manifest is not None:
        return _by_manifest(tree, files, manifest, top)
    folders = [folder.removeprefix(top) for folder in tree.folders if folder + "/" != top]
    return _by_classes(tree, files, folders)


def list_manifest(files: ListedFiles, data: bytes, *, name: str) -> Listing:
    """The images that a manifest on this machine names, wherever they are.

    Raises
    ------
    DatasetError
        It is no manifest, or names no image.
    """
    manifest = parse_manifest(data, name=name)
    return _listing(manifest, {row.path: row.path for row in manifest.rows}, where=files.name)


def issue_from(path: str, error: ImageError) -> ImportIssue:
    """The line in the list of issues for an image that cannot be used."""
    return ImportIssue(path=path, kind=error.kind, detail=str(error))


def told(issues: Iterable[ImportIssue]) -> str:
    """The first few issues as a sentence; empty where there are none."""
    lines = [issue.detail for issue in issues]
    more = f" And {len(lines) - 3} more." if len(lines) > 3 else ""
    return " ".join(lines[:3]) + more


def _wrapping(files: list[str], folders: list[str]) -> str:
    """The one folder around everything, with its slash, or ``""``."""
    if any("/" not in file and (is_image(file) or is_manifest(file)) for file in files):
        return ""
    tops = {path.partition("/")[0] for path in folders} | {file.partition("/")[0] for file in files if "/" in file}
    if len(tops) != 1:
        return ""
    top = tops.pop() + "/"
    inner = [file.removeprefix(top) for file in files if file.startswith(top)]
    if any("/" not in file and is_manifest(file) for file in inner):
        return top
    images = [file for file in inner if is_image(file)]
    return top if images and all("/" in file for file in images) else ""


def _by_classes(tree: FolderTree | ZipTree, files: dict[str, str], folders: list[str]) -> Listing:
    entries, issues = [], list(tree.issues)
    for path, file in files.items():
        if not is_image(path):
            detail = f"{path} is left out: it is no image by its name."
            issues.append(ImportIssue(path=path, kind="not-an-image", detail=detail))
        elif "/" not in path:
            detail = f"{path} is left out: it lies in no class folder."
            issues.append(ImportIssue(path=path, kind="no-class", detail=detail))
        else:
            entries.append(Entry(path=path, file=file, label=path.partition("/")[0]))
    if not entries:
        raise _no_classes(tree, files, issues)
    labels = {entry.label for entry in entries}
    for folder in folders:
        if "/" not in folder and folder not in labels:
            detail = f"The class folder {folder} holds no image."
            issues.append(ImportIssue(path=folder, kind="empty-class", detail=detail))
    return _sorted(entries, issues)


def _no_classes(tree: FolderTree | ZipTree, files: dict[str, str], issues: list[ImportIssue]) -> DatasetError:
    images = [path for path in files if is_image(path)]
    if images:
        example = images[0]
        what = "one image that lies" if len(images) == 1 else f"{len(images):,} images that lie"
        found = f"{tree.name} holds {what} in no class folder, such as {example}."
        return tree.refusal(found, _EXPECTED, "Move the images into a folder for each class.")
    if not files and not tree.folders and not issues:
        return tree.refusal(f"{tree.name} is empty.", _EXPECTED, "Choose another one.")
    found = f"{tree.name} holds no image. {told(issues)}".strip()
    return tree.refusal(found, f"{_EXPECTED} Images end in {', '.join(EXTENSIONS)}.", "Choose another one.")


def _by_manifest(tree: FolderTree | ZipTree, files: dict[str, str], manifest: str, top: str) -> Listing:
    where = f"{tree.name}: {manifest}"
    try:
        parsed = parse_manifest(tree.read(files[manifest]), name=manifest)
    except ImageError as error:
        raise tree.refusal(error.found, "", "Make the manifest readable, or remove it.") from error
    known = _Known(files)
    paths: dict[str, str] = {}
    for row in parsed.rows:
        fault = escape(row.path.replace("\\", "/"))
        if fault:
            raise tree.refusal(
                f"{where}, line {row.line}: the path {row.path!r} {fault}.",
                "Paths must lead to images beside the manifest.",
                "Write them relative to its folder.",
            )
        paths[row.path] = known.spelled(row.path)
    listing = _listing(parsed, paths, where=where)
    named = {entry.path for entry in listing.entries} | {issue.path for issue in listing.issues}
    extra = [
        ImportIssue(path=path, kind="not-listed", detail=f"{path} is left out: {manifest} does not name it.")
        for path in files
        if is_image(path) and path not in named
    ]
    entries = [entry._replace(file=files.get(entry.path, top + entry.path)) for entry in listing.entries]
    return _sorted(entries, [*tree.issues, *listing.issues, *extra], drawn=listing.drawn)


class _Known:
    """Finds the file that a manifest means, although it may spell the separator or an accent in another way."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = set(files)
        self._composed = {unicodedata.normalize("NFC", file): file for file in files}

    def spelled(self, path: str) -> str:
        if tidy(path) in self._files:
            return tidy(path)
        plain = tidy(path.replace("\\", "/"))
        return self._composed.get(unicodedata.normalize("NFC", plain), plain)


def _listing(manifest: Manifest, paths: dict[str, str], *, where: str) -> Listing:
    """Entries of a manifest's rows; `paths` gives the dataset's path for each path as written."""
    entries: dict[str, Entry] = {}
    issues = list(manifest.issues)
    for row in manifest.rows:
        path = paths[row.path]
        if path in entries:
            detail = f"Line {row.line} names {path} again, as {row.label}; its first line counts."
            issues.append(ImportIssue(path=path, kind="listed-twice", detail=detail))
        elif not is_image(path):
            detail = f"{path} is left out: it is no image by its name."
            issues.append(ImportIssue(path=path, kind="not-an-image", detail=detail))
        else:
            entries[path] = Entry(path=path, file=path, label=row.label, group=row.group, box=row.box)
    if not entries:
        raise DatasetError(f"{where} names no usable image. {told(issues)}", "", "Mend its rows.")
    return _sorted(entries.values(), issues, drawn=manifest.drawn)


def _sorted(entries: Iterable[Entry], issues: Iterable[ImportIssue], *, drawn: bool = False) -> Listing:
    return Listing(
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        issues=tuple(sorted(issues, key=lambda issue: (issue.path, issue.kind, issue.detail))),
        drawn=drawn,
    )
