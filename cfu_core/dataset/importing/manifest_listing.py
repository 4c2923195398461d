"""Lists of the images that a manifest names."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.importing.folders import ListedFiles
from cfu_core.dataset.importing.listing import Entry, Listing, describe_issues, new_listing, other_file
from cfu_core.dataset.importing.manifest import Manifest, parse_manifest
from cfu_core.dataset.importing.path_matching import DiskMatcher, differs_in_case
from cfu_core.dataset.name_forms import name_key
from cfu_core.errors import DatasetError
from cfu_core.wording import plural


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
        The manifest is not valid (see `cfu_core.dataset.importing.manifest.parse_manifest`), names no usable image, or
        has paths of another computer.
    """
    manifest = parse_manifest(data, name=name)
    foreign = next((row for row in manifest.rows if os.name != "nt" and re.match(r"[A-Za-z]:[\\/]", row.path)), None)
    if foreign is not None:
        raise DatasetError(
            f"{name}, line {foreign.line}: the path {foreign.path!r} begins with a drive letter, which this computer "
            "does not have.",
            "Paths must lead to images on this computer.",
            "Write them relative to the folder of the manifest.",
        )
    matcher = DiskMatcher(Path(files.name).parent.absolute())
    paths = {row.path: matcher.find(row.path) for row in manifest.rows}
    entries, issues = manifest_entries(manifest, paths, name=name, where=files.name)
    return new_listing(entries, issues, drawn=manifest.drawn)


def manifest_entries(
    manifest: Manifest, paths: Mapping[str, str], *, name: str, where: str
) -> tuple[list[Entry], list[ImportIssue]]:
    """List the images that the rows of a manifest name.

    Parameters
    ----------
    manifest : Manifest
        Of several rows with one path, the first is used.
    paths : Mapping of str to str
        The path in the dataset of each path in the manifest.
    name : str
        Name of the manifest in issues.
    where : str
        Source and manifest in the message of the error.

    Returns
    -------
    entries : list of Entry
        In the order of the manifest, with the path in the dataset as `file`.
    issues : list of ImportIssue
        Those of the manifest, and those about its rows.

    Raises
    ------
    DatasetError
        No row names a usable image.
    """
    entries: dict[str, Entry] = {}
    issues = [*manifest.issues, *_case_issues(paths, name)]
    for row in manifest.rows:
        path = paths[row.path]
        if path in entries:
            detail = f"Line {row.line} names {path} again, as {row.label}; the first line is used."
            issues.append(ImportIssue(path=path, kind="listed-twice", detail=detail))
        elif not is_image(path):
            issues.append(other_file(path, row.label))
        else:
            entries[path] = Entry(path, path, row.label, group=row.group, box=row.box, partition=row.partition)
    differing = _against_folders(list(entries.values()))
    if differing:
        first = differing[0]
        what = plural(len(differing), "image has", "images have")
        detail = (
            f"{name}: {what} another class than the folder in which it is, such as {first.path} ({first.label}). The "
            "manifest is used."
        )
        issues.append(ImportIssue(path=name, kind="other-class", detail=detail))
    if not entries:
        raise DatasetError(f"{where} names no usable image. {describe_issues(issues)}", "", "Correct its rows.")
    return list(entries.values()), issues


def _against_folders(entries: Sequence[Entry]) -> list[Entry]:
    """Return the images that are in a folder with the name of another class than theirs."""
    classes = {name_key(entry.label) for entry in entries if entry.label}
    found = []
    for entry in entries:
        folders = {name_key(folder) for folder in entry.path.split("/")[:-1]} & classes
        if folders and entry.label and name_key(entry.label) not in folders:
            found.append(entry)
    return found


def _case_issues(paths: Mapping[str, str], name: str) -> list[ImportIssue]:
    differing = [(written, path) for written, path in paths.items() if differs_in_case(written, path)]
    if not differing:
        return []
    written, path = differing[0]
    what = plural(len(differing), "path differs from its file", "paths differ from their files")
    detail = f"{name}: {what} in letter case, such as {written}, for which {path} is used."
    return [ImportIssue(path=name, kind="letter-case", detail=detail)]
