"""Lists of the images in a folder or an archive, with classes from the levels of folders or from a manifest."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.archive import ZipTree
from cfu_core.dataset.importing.file_names import MANIFEST, is_image, is_manifest, is_wanted, unsafe_reason
from cfu_core.dataset.importing.folder_layout import FolderLayout, FolderLevel, LayoutChoice
from cfu_core.dataset.importing.folder_names import is_unlabelled
from cfu_core.dataset.importing.folders import FolderTree, ListedFiles
from cfu_core.dataset.importing.layout_proposal import choose_layout
from cfu_core.dataset.importing.listing import Entry, Listing, describe_issues, new_listing, other_file
from cfu_core.dataset.importing.manifest import parse_manifest
from cfu_core.dataset.importing.manifest_listing import manifest_entries
from cfu_core.dataset.importing.path_matching import TreeMatcher
from cfu_core.dataset.partition_names import partition_named
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.reading import EXTENSIONS
from cfu_core.wording import listed, plural

_EXPECTED = (
    "Expected a folder for each class, for example CFU-E/01.jpg, CFU-GM/02.jpg and CFU-PreB/03.jpg, or a "
    f"{MANIFEST} with the columns path and label."
)


class TreeContent(NamedTuple):
    """The files of a folder or an archive, without the single folder around everything.

    Attributes
    ----------
    top : str
        The outer folder, with a slash at its end; ``""`` if there is none.
    files : dict of str to str
        The path in the source by the path without the outer folder.
    manifest : str
        Path of the ``manifest.csv`` without the outer folder; ``""`` if there is none.
    """

    top: str
    files: dict[str, str]
    manifest: str

    @property
    def images(self) -> list[str]:
        """The paths of files that are named as images, without the outer folder."""
        return [path for path in self.files if is_image(path)]


def tree_content(tree: FolderTree | ZipTree) -> TreeContent:
    """Find the outer folder and the manifest of a folder or an archive.

    If the source has only one top-level folder, and no image or manifest beside it, that folder is the outer folder.
    Exception: without a manifest, a folder that directly contains images is not an outer folder.
    """
    top = _outer_folder(tree.files, tree.folders)
    files = {file.removeprefix(top): file for file in tree.files}
    return TreeContent(top, files, next((path for path in files if "/" not in path and is_manifest(path)), ""))


def list_tree(tree: FolderTree | ZipTree, choice: LayoutChoice) -> Listing:
    """List the images of a folder or an archive with their classes.

    If the source has a ``manifest.csv`` at its top, its rows give the images and their classes. Otherwise the folders
    around an image give its class, and perhaps its partition and its group.

    No image is read: an image is recognised by the extension of its name.

    Parameters
    ----------
    tree : FolderTree or ZipTree
        The source.
    choice : LayoutChoice
        What a person states about the levels of folders; nothing if there is a manifest.

    Returns
    -------
    Listing
        Of several rows of a manifest with one path, the first is used. An image that a manifest names is listed even if
        it does not exist; reading it then fails.

    Raises
    ------
    DatasetError
        The source contains no image, or no image is in a class folder. The choice does not fit the folders (see
        `cfu_core.dataset.importing.layout_proposal.choose_layout`). The manifest cannot be read, is not valid (see
        `cfu_core.dataset.importing.manifest.parse_manifest`), names no usable image, or contains a path that is
        absolute or leads out of the source. For an archive or upload it may be an `ArchiveError`.
    ArchiveError
        The manifest in an archive is damaged.
    """
    return list_content(tree, tree_content(tree), choice)


def list_content(tree: FolderTree | ZipTree, content: TreeContent, choice: LayoutChoice) -> Listing:
    """List the images as `list_tree` does, of a source whose `tree_content` is known."""
    if content.manifest:
        check_no_layout(choice, f"{tree.name}: {content.manifest}", tree.error_type)
        return _by_manifest(tree, content)
    layout, levels = choose_layout(content.images, choice, source=tree.name)
    return _by_folders(tree, content, layout, levels)


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


def _by_folders(
    tree: FolderTree | ZipTree, content: TreeContent, layout: FolderLayout, levels: Sequence[FolderLevel]
) -> Listing:
    entries, issues, left_out = [], [], 0
    occupied: set[tuple[str, ...]] = set()
    depth = layout.positions.get("class", 0) + 1
    for path, file in content.files.items():
        *folders, _ = path.split("/")
        occupied.add(tuple(folders[:depth]))
        label = layout.value(folders, "class")
        if not is_image(path):
            issues.append(other_file(path, label))
        elif not layout.left_out.isdisjoint(folders):
            left_out += 1
        elif not label and not layout.unlabelled:
            detail = f"{path} is left out: it is not in a class folder."
            issues.append(ImportIssue(path=path, kind="no-class", detail=detail))
        else:
            partition = partition_named(layout.value(folders, "partition"))
            if is_unlabelled(label):
                label = ""
            entries.append(Entry(path, file, label, group=layout.value(folders, "group"), partition=partition))
    issues += [replace(issue, label=_label(issue.path, content.top, layout)) for issue in tree.issues]
    if not entries:
        raise _no_classes(tree, content, issues, layout)
    unopened = {issue.path for issue in tree.issues}
    for folder in tree.folders:
        parts = folder.removeprefix(content.top).split("/")
        known = folder in unopened or tuple(parts) in occupied  # a folder of documents is not a class
        inside = folder + "/" != content.top and layout.left_out.isdisjoint(parts)
        if "class" in layout.positions and len(parts) == depth and inside and not known:
            path = "/".join(parts)
            detail = f"The class folder {path} contains no image."
            issues.append(ImportIssue(path=path, kind="empty-class", detail=detail, label=parts[-1]))
    without = sum(not entry.label for entry in entries)
    if without:
        why = "no folder is a class" if layout.unlabelled else "the name of their folder says so"
        detail = f"{plural(without, 'image is', 'images are')} imported without a class: {why}."
        issues.append(ImportIssue(path="", kind="no-label", detail=f"{detail} Give them classes on Explore."))
    if len(levels) > 1 or left_out:
        detail = layout.describe(levels)
        if left_out:
            count = plural(left_out, "image is", "images are")
            detail += f" {count} left out, in folders named {listed(sorted(layout.left_out))}."
        issues.append(ImportIssue(path="", kind="layout", detail=detail))
    return replace(new_listing(entries, issues), layout=layout, levels=tuple(levels))


def check_no_layout(choice: LayoutChoice, manifest: str, error_type: type[DatasetError] = DatasetError) -> None:
    """Check that nothing is stated about levels of folders, because a manifest gives the classes.

    Raises
    ------
    DatasetError
        Something is stated.
    """
    if choice != LayoutChoice():
        raise error_type(
            f"{manifest} gives the classes, so that what is stated about the folders has no effect.",
            "",
            "Leave out the options about folders, or remove the manifest.",
        )


def _label(path: str, top: str, layout: FolderLayout) -> str:
    """Return the class of a folder or file that could not be opened, if its folders say it."""
    folders = path.removeprefix(top).split("/")
    return layout.value(folders, "class") if layout.left_out.isdisjoint(folders) else ""


def _no_classes(
    tree: FolderTree | ZipTree, content: TreeContent, issues: list[ImportIssue], layout: FolderLayout
) -> DatasetError:
    images = content.images
    if layout.question:
        return unanswered(tree, layout.question)
    if images:
        example = images[0]
        what = plural(len(images), "image that is", "images that are")
        found = f"{tree.name} has {what} not in a class folder, such as {example}."
        return tree.error_type(found, _EXPECTED, "Move the images into a folder for each class.")
    if not content.files and not tree.folders and not issues:
        return tree.error_type(f"{tree.name} is empty.", _EXPECTED, "Choose another one.")
    found = f"{tree.name} contains no image. {describe_issues(issues)}".strip()
    return tree.error_type(found, f"{_EXPECTED} Images end in {', '.join(EXTENSIONS)}.", "Choose another one.")


def unanswered(tree: FolderTree | ZipTree | ListedFiles, question: str) -> DatasetError:
    """Return the error that asks what the levels of folders in a source mean."""
    return tree.error_type(
        f"{tree.name}: {question}",
        "The names of the folders do not say what each level is.",
        "State it: on the page under Folders, in the shell with --class-level or --layout.",
    )


def _by_manifest(tree: FolderTree | ZipTree, content: TreeContent) -> Listing:
    top, files, manifest = content
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
    entries, issues = manifest_entries(parsed, paths, name=manifest, where=where)
    named = {entry.path for entry in entries} | {issue.path for issue in issues} | {manifest}
    extra = [
        ImportIssue(path=path, kind="not-listed", detail=f"{path} is left out: {manifest} does not name it.")
        if is_image(path)
        else other_file(path)
        for path in files
        if path not in named
    ]
    entries = [entry._replace(file=files.get(entry.path, top + entry.path)) for entry in entries]
    return new_listing(entries, [*tree.issues, *issues, *extra], drawn=parsed.drawn)
