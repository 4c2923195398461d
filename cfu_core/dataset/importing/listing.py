"""The images of a source with their classes, before they are read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.folder_layout import FolderLayout, FolderLevel
from cfu_core.dataset.importing.manifest import Box
from cfu_core.dataset.name_forms import describe_forms, describe_similar, similar_names, unify_names
from cfu_core.errors import ImageError

_ARCHIVES = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz")


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
    partition : str
        Partition that the source gives the image; ``""`` if none.
    """

    path: str
    file: str
    label: str
    group: str = ""
    box: Box | None = None
    partition: str = ""


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
        classes (``class-name``) and groups (``group-name``) that look alike or became one; images whose class differs
        from their folder (``other-class``) or that have none (``no-label``); the meaning of the levels of folders
        (``layout``).
    drawn : bool
        Whether every row of a manifest has the origin ``drawn``; False without a manifest.
    layout : FolderLayout or None
        What the levels of folders mean; None if a manifest gives the classes.
    levels : tuple of FolderLevel
        The levels of folders, from the top, without the folders that are left out; empty if there is a manifest.
    """

    entries: tuple[Entry, ...]
    issues: tuple[ImportIssue, ...]
    drawn: bool = False
    layout: FolderLayout | None = None
    levels: tuple[FolderLevel, ...] = ()

    @property
    def question(self) -> str:
        """What the names of the folders do not decide, as sentences for users; ``""`` if nothing."""
        return self.layout.question if self.layout else ""


def new_listing(entries: Sequence[Entry], issues: Iterable[ImportIssue], *, drawn: bool = False) -> Listing:
    """Make a listing, in which names of classes and of groups that look alike have one spelling.

    Of equally frequent spellings the first is used.

    Parameters
    ----------
    entries : sequence of Entry
        In any order; no path occurs twice.
    issues : iterable of ImportIssue
        In any order; those about names are added to them.
    drawn
        As in `Listing`.
    """
    found = list(issues)
    labels, label_forms = unify_names(entry.label for entry in entries)
    groups, group_forms = unify_names(entry.group for entry in entries if entry.group)
    for what, changed in (("class", label_forms), ("group", group_forms)):
        for shown, forms in changed.items():
            detail = describe_forms(shown, forms, what=what)
            found.append(ImportIssue(path=shown, kind=f"{what}-name", detail=detail))
    for what, shown_names in (("class", labels.values()), ("group", groups.values())):
        for alike in similar_names(set(shown_names)):
            detail = describe_similar(alike, what=what)
            found.append(ImportIssue(path=alike[0], kind=f"{what}-name", detail=detail))
    if label_forms or group_forms:
        entries = [
            entry._replace(label=labels[entry.label], group=groups.get(entry.group, entry.group)) for entry in entries
        ]
    return Listing(
        entries=tuple(sorted(entries, key=lambda entry: entry.path)),
        issues=tuple(sorted(found, key=lambda issue: (issue.path, issue.kind, issue.detail))),
        drawn=drawn,
    )


def issue_from(entry: Entry, error: ImageError) -> ImportIssue:
    """Convert the error about an image to an import issue of the same kind."""
    return ImportIssue(path=entry.path, kind=error.kind, detail=str(error), label=entry.label)


def describe_issues(issues: Iterable[ImportIssue]) -> str:
    """Return the details of the first three issues and the number of further issues as one text; ``""`` for none."""
    lines = [issue.detail for issue in issues]
    more = f" And {len(lines) - 3} more." if len(lines) > 3 else ""
    return " ".join(lines[:3]) + more


def other_file(path: str, label: str = "") -> ImportIssue:
    """Return the issue about a file that is not named as an image; `label` is its class, if the source says it."""
    why = "its name is not that of an image"
    if path.lower().endswith(_ARCHIVES):
        why = "it is an archive within the source; unpack it first"
    detail = f"{path} is left out: {why}."
    return ImportIssue(path=path, kind="other-file", detail=detail, label=label)
