"""Lists of the images of a source with their classes, from class folders or from a manifest."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.archive import ZipTree
from cfu_core.dataset.importing.file_names import MANIFEST, is_image, is_manifest, is_wanted, unsafe_reason
from cfu_core.dataset.importing.folders import FolderTree, ListedFiles
from cfu_core.dataset.importing.manifest import Box, Manifest, parse_manifest
from cfu_core.dataset.importing.path_matching import DiskMatcher, TreeMatcher, differs_in_case
from cfu_core.dataset.name_forms import describe_forms, unify_names
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.reading import EXTENSIONS
from cfu_core.wording import plural

_EXPECTED = (
    "Expected a folder for each class, for example CFU-E/01.jpg, CFU-GM/02.jpg and CFU-PreB/03.jpg, or a "
    f"{MANIFEST} with the columns path and label."
)


class Entry(NamedTuple):  # a dataclass takes three times as long to create
    """An image of a source, before it is read.

    Attributes
    ----------
    path : str
        Path in the dataset: POSIX, relative to the source, without its outer folder if it has one. For a manifest on
        this computer it is relative to the folder of the manifest, or absolute as written there.
    file : str
        Path in the source, for its ``read`` method.
    label, group : str
        Class and group; `group` is ``""`` if unknown. In a `Listing`, names that look alike have one spelling.
    box : tuple of int, or None
        Left, top, right, bottom in pixels of the image with its EXIF orientation applied; right and bottom exclusive.
    """

    path: str
    file: str
    label: str
    group: str = ""
    box: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The images of a source.

    Attributes
    ----------
    entries : tuple of Entry
        Sorted by path.
    issues : tuple of ImportIssue
        Issues that are found without reading an image, sorted by path: files that are left out, folders that cannot be
        opened, empty class folders; columns, rows or boxes of a manifest that cannot be used, an encoding that was
        guessed, and paths that differ from the names of the files in letter case (kind ``letter-case``); names of
        classes (``class-name``) and groups (``group-name``) that look alike.
    drawn : bool
        Whether every row of a manifest has the origin ``drawn``; False without a manifest.
    """

    entries: tuple[Entry, ...]
    issues: tuple[ImportIssue, ...]
    drawn: bool = False


def list_tree(tree: FolderTree | ZipTree) -> Listing:
    """List the images of a folder or an archive with their classes.

    If the source has a ``manifest.csv`` at its top, its rows give the images and their classes. Otherwise the top-level
    folder of an image is its class. If the source has only one top-level folder, and no image or manifest beside it,
    that folder is dropped from the paths. Exception: without a manifest, a top-level folder that directly contains
    images is a class.

    No image is read: an image is recognised by the extension of its name.

    Returns
    -------
    Listing
        Of several rows of a manifest with one path, the first is used. An image that a manifest names is listed even if
        it does not exist; reading it then fails.

    Raises
    ------
    DatasetError
        The source contains no image, or no image is in a class folder. The manifest cannot be read, is not valid (see
        `cfu_core.dataset.importing.manifest.parse_manifest`), names no usable image, or contains a path that is
        absolute or leads out of the source. For an archive or upload it may be an `ArchiveError`.
    ArchiveError
        The manifest in an archive is damaged.
    """
    top = _outer_folder(tree.files, tree.folders)
    files = {file.removeprefix(top): file for file in tree.files}
    manifest = next((path for path in files if "/" not in path and is_manifest(path)), None)
    if manifest is not None:
        return _by_manifest(tree, files, manifest, top)
    unopened = {issue.path for issue in tree.issues}
    folders = [folder.removeprefix(top) for folder in tree.folders if folder + "/" != top and folder not in unopened]
    return _by_classes(tree, files, folders)


def list_manifest(files: ListedFiles, data: bytes, *, name: str) -> Listing:
    """List the images that a manifest on this computer names, in any folder.

    Parameters
    ----------
    files : ListedFiles
        The source of this manifest. Its name is the path of the manifest, to whose folder the paths are relative.
    data : bytes
        Content of the manifest.
    name : str
        Name of the manifest in messages and issues.

    Returns
    -------
    Listing
        Paths are those of the manifest, with the separators, accents and letter case of the files. Of several rows
        with one path, the first is used. An image that does not exist is listed; reading it then fails.

    Raises
    ------
    DatasetError
        The manifest is not valid (see `cfu_core.dataset.importing.manifest.parse_manifest`), or names no usable image.
    """
    manifest = parse_manifest(data, name=name)
    matcher = DiskMatcher(Path(files.name).parent.absolute())
    return _listing(manifest, {row.path: matcher.find(row.path) for row in manifest.rows}, name=name, where=files.name)


def issue_from(path: str, error: ImageError) -> ImportIssue:
    """Convert the error about an image to an import issue of the same kind."""
    return ImportIssue(path=path, kind=error.kind, detail=str(error))


def describe_issues(issues: Iterable[ImportIssue]) -> str:
    """Return the details of the first three issues and the number of further issues as one text; ``""`` for none."""
    lines = [issue.detail for issue in issues]
    more = f" And {len(lines) - 3} more." if len(lines) > 3 else ""
    return " ".join(lines[:3]) + more


def _outer_folder(files: list[str], folders: list[str]) -> str:
    """Return the single folder around everything, with a slash at its end, or ``""``."""
    if any("/" not in file and is_wanted(file) for file in files):
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
            issues.append(_other_file(path))
        elif "/" not in path:
            detail = f"{path} is left out: it is not in a class folder."
            issues.append(ImportIssue(path=path, kind="no-class", detail=detail))
        else:
            entries.append(Entry(path=path, file=file, label=path.partition("/")[0]))
    if not entries:
        raise _no_classes(tree, files, issues)
    occupied = {path.partition("/")[0] for path in files if "/" in path}
    for folder in folders:
        if "/" not in folder and folder not in occupied:  # a folder of other files, such as documents, is no class
            detail = f"The class folder {folder} contains no image."
            issues.append(ImportIssue(path=folder, kind="empty-class", detail=detail))
    return _unified(sorted(entries), issues)


def _no_classes(tree: FolderTree | ZipTree, files: dict[str, str], issues: list[ImportIssue]) -> DatasetError:
    images = [path for path in files if is_image(path)]
    if images:
        example = images[0]
        what = plural(len(images), "image that is", "images that are")
        found = f"{tree.name} has {what} not in a class folder, such as {example}."
        return tree.error_type(found, _EXPECTED, "Move the images into a folder for each class.")
    if not files and not tree.folders and not issues:
        return tree.error_type(f"{tree.name} is empty.", _EXPECTED, "Choose another one.")
    found = f"{tree.name} contains no image. {describe_issues(issues)}".strip()
    return tree.error_type(found, f"{_EXPECTED} Images end in {', '.join(EXTENSIONS)}.", "Choose another one.")


def _by_manifest(tree: FolderTree | ZipTree, files: dict[str, str], manifest: str, top: str) -> Listing:
    where = f"{tree.name}: {manifest}"
    try:
        parsed = parse_manifest(tree.read(files[manifest]), name=manifest)
    except ImageError as error:
        raise tree.error_type(error.found, "", "Make the manifest readable, or remove it.") from error
    matcher = TreeMatcher(files)
    paths: dict[str, str] = {}
    for row in parsed.rows:
        reason = unsafe_reason(row.path.replace("\\", "/"))
        if reason:
            raise tree.error_type(
                f"{where}, line {row.line}: the path {row.path!r} {reason}.",
                "Paths must lead to images beside the manifest.",
                "Write them relative to its folder.",
            )
        paths[row.path] = matcher.find(row.path)
    listing = _listing(parsed, paths, name=manifest, where=where)
    named = {entry.path for entry in listing.entries} | {issue.path for issue in listing.issues} | {manifest}
    extra = [
        ImportIssue(path=path, kind="not-listed", detail=f"{path} is left out: {manifest} does not name it.")
        if is_image(path)
        else _other_file(path)
        for path in files
        if path not in named
    ]
    entries = [entry._replace(file=files.get(entry.path, top + entry.path)) for entry in listing.entries]
    return _sorted(entries, [*tree.issues, *listing.issues, *extra], drawn=listing.drawn)


def _listing(manifest: Manifest, paths: dict[str, str], *, name: str, where: str) -> Listing:
    """List the rows of a manifest; `paths` maps each path in the manifest to the path in the dataset."""
    entries: dict[str, Entry] = {}
    issues = [*manifest.issues, *_case_issues(paths, name)]
    for row in manifest.rows:
        path = paths[row.path]
        if path in entries:
            detail = f"Line {row.line} names {path} again, as {row.label}; the first line is used."
            issues.append(ImportIssue(path=path, kind="listed-twice", detail=detail))
        elif not is_image(path):
            issues.append(_other_file(path))
        else:
            entries[path] = Entry(path=path, file=path, label=row.label, group=row.group, box=row.box)
    if not entries:
        raise DatasetError(f"{where} names no usable image. {describe_issues(issues)}", "", "Correct its rows.")
    return _unified(list(entries.values()), issues, drawn=manifest.drawn)


def _case_issues(paths: dict[str, str], name: str) -> list[ImportIssue]:
    differing = [(written, path) for written, path in paths.items() if differs_in_case(written, path)]
    if not differing:
        return []
    written, path = differing[0]
    what = plural(len(differing), "path differs from its file", "paths differ from their files")
    detail = f"{name}: {what} in letter case, such as {written}, for which {path} is used."
    return [ImportIssue(path=name, kind="letter-case", detail=detail)]


def _other_file(path: str) -> ImportIssue:
    return ImportIssue(path=path, kind="other-file", detail=f"{path} is left out: its name is not that of an image.")


def _unified(entries: list[Entry], issues: list[ImportIssue], *, drawn: bool = False) -> Listing:
    """Give names of classes and groups that look alike one spelling; of equally frequent ones, that of the first."""
    labels, label_forms = unify_names(entry.label for entry in entries)
    groups, group_forms = unify_names(entry.group for entry in entries if entry.group)
    for what, changed in (("class", label_forms), ("group", group_forms)):
        for shown, forms in changed.items():
            detail = describe_forms(shown, forms, what=what)
            issues.append(ImportIssue(path=shown, kind=f"{what}-name", detail=detail))
    if label_forms or group_forms:
        entries = [
            entry._replace(label=labels[entry.label], group=groups.get(entry.group, entry.group)) for entry in entries
        ]
    return _sorted(entries, issues, drawn=drawn)


def _sorted(entries: Iterable[Entry], issues: Iterable[ImportIssue], *, drawn: bool = False) -> Listing:
    return Listing(
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        issues=tuple(sorted(issues, key=lambda issue: (issue.path, issue.kind, issue.detail))),
        drawn=drawn,
    )
