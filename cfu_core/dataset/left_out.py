"""What the import of a dataset left out: files, the classes they concern, and classes that are missing completely."""

from collections import Counter
from collections.abc import Iterable

from cfu_core.dataset.dataset import Dataset, ImportIssue
from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.name_forms import clean_name, name_key
from cfu_core.errors import TrainingError
from cfu_core.wording import listed, plural

#: Kinds of issues about an image that was listed but could not be read, or a folder that could not be opened. A file
#: that is not named as an image (``other-file``) is no lost image of a class.
_NOT_READ = ("empty", "not-an-image", "truncated", "too-large", "missing", "no-permission", "unreadable")


def left_out_files(dataset: Dataset) -> list[ImportIssue]:
    """Return the issues about files that the import left out, without those about an empty class folder."""
    return [issue for issue in dataset.import_issues if issue.left_out and issue.kind != "empty-class"]


def missing_classes(dataset: Dataset) -> list[str]:
    """Return the classes of the source of which the import could use no image.

    A class folder that contains no file (an issue of the kind ``empty-class``), or of which no image could be read. A
    folder of files that are not named as images, such as documents, is no class.
    In a dataset of an earlier version, the class of an image that was left out is only known if the top folders are
    the classes; otherwise only an ``empty-class`` counts.

    Parameters
    ----------
    dataset : Dataset
        With its import issues and edits.

    Returns
    -------
    list of str
        Sorted names. A class to which images were assigned since the import is not missing.
    """
    if not any(issue.left_out for issue in dataset.import_issues):
        return []
    issues = dataset.import_issues
    found = {
        issue.label
        for issue in issues
        if issue.label and (issue.kind == "empty-class" or (issue.kind in _NOT_READ and not _is_other_file(issue)))
    }
    if not any(issue.label for issue in issues) and not (dataset.imported["label"] == "").any():
        found = _classes_by_top_folder(dataset)
    others = {issue.label or _top(issue.path) for issue in issues if _is_other_file(issue)}
    empty = {issue.label or issue.path for issue in issues if issue.kind == "empty-class"}
    known = {name_key(label) for label in dataset.edited["label"].unique()}
    known |= {name_key(label) for label in dataset.imported["label"].unique()}
    return sorted(name for name in found - (empty & others) if name_key(name) not in known)


def _classes_by_top_folder(dataset: Dataset) -> set[str]:
    """Return classes of which something was left out, in a dataset whose import issues do not say the class."""
    folders = {issue.path for issue in dataset.import_issues if issue.kind == "empty-class"}
    present = {_top(path) for path in dataset.imported["path"]}
    if set(dataset.imported["label"]) <= {clean_name(top) for top in present}:  # the top folders are the classes
        folders |= {
            _top(issue.path) or issue.path
            for issue in left_out_files(dataset)
            if issue.kind in _NOT_READ
            and not _is_other_file(issue)
            and (_top(issue.path) or issue.kind == "no-permission")
        }
    return folders


def _is_other_file(issue: ImportIssue) -> bool:
    """Return whether a file is not named as an image; earlier imports had no kind of its own for it."""
    return issue.kind == "other-file" or (issue.kind == "not-an-image" and not is_image(issue.path))


def _top(path: str) -> str:
    """Return the top folder of a path; empty for a file beside the folders."""
    return path.partition("/")[0] if "/" in path else ""


def describe_left_out(dataset: Dataset) -> str:
    """Return what the import left out in one or two sentences for users.

    Returns
    -------
    str
        The number of files by class or top folder, and the `missing_classes`; empty if nothing was left out.
    """
    found, missing = left_out_files(dataset), missing_classes(dataset)
    sentences = []
    if found:
        classes = {name_key(name) for name in [*missing, *dataset.imported["label"].unique()]}
        places = Counter(_place(issue, classes) for issue in found)
        count = plural(len(found), "file was", "files were")
        if len(places) == 1:
            (place,) = places
            everything = "" if len(found) == 1 else "all "
            sentences.append(f"{count} left out at the import, {everything}{place}.")
        else:
            numbers = ", ".join(f"{number:,} {place}" for place, number in places.most_common())
            sentences.append(f"{count} left out at the import: {numbers}.")
    if missing:
        sentences.append(
            f"The {'class' if len(missing) == 1 else 'classes'} {listed(missing)} "
            f"{'has' if len(missing) == 1 else 'have'} no image in the dataset."
        )
    return " ".join(sentences)


def _place(issue: ImportIssue, classes: Iterable[str]) -> str:
    top = issue.label or _top(issue.path)
    if not top:
        return "outside the class folders"
    return f"of the class {top}" if name_key(top) in classes else f"in the folder {top}"


def check_missing_classes(dataset: Dataset, remedy: str) -> None:
    """Check that no class of the source is missing completely.

    Parameters
    ----------
    dataset : Dataset
        With its import issues and edits.
    remedy : str
        How to train all the same, as a sentence.

    Raises
    ------
    TrainingError
        If there are `missing_classes`.
    """
    missing = missing_classes(dataset)
    if missing:
        raise TrainingError(
            describe_left_out(dataset),
            f"A network would be trained without {'this class' if len(missing) == 1 else 'these classes'}.",
            f"Correct the files and import again. {remedy}",
        )
