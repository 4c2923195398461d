"""The argument DATA of subcommands: a path, or a dataset by its name or identifier."""

import argparse
import os
from pathlib import Path

from cfu_core.cli.terminal import ProgressLine, print_error
from cfu_core.dataset.catalog import list_datasets, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.folder_layout import LayoutChoice, parse_roles
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.dataset.left_out import describe_left_out
from cfu_core.errors import DatasetError

DATA_HELP = "a folder, a zip archive, a CSV manifest, or the name or identifier of an imported dataset"


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument DATA, and options for sources that are not imported yet, to the parser of a subcommand.

    `read_data` and `import_data` read them.
    """
    parser.add_argument("data", help=DATA_HELP)
    parser.add_argument(
        "--zip-names",
        metavar="ENCODING",
        help="encoding of the names in a zip that does not state it, such as cp932 or gb18030; guessed by default",
    )
    levels = parser.add_mutually_exclusive_group()
    levels.add_argument(
        "--class-level",
        metavar="N",
        type=int,
        help="level of folders that is the class, 1 for the topmost; by default the names of the folders decide",
    )
    levels.add_argument(
        "--layout",
        metavar="LEVELS",
        type=_roles,
        help="what each level of folders is, from the top, such as partition/class/donor; - for a level that is not "
        "used",
    )
    levels.add_argument(
        "--unlabelled", action="store_true", help="the images have no classes yet, whatever their folders"
    )
    parser.add_argument(
        "--leave-out",
        metavar="FOLDER",
        action="append",
        help="leave out the images in folders of this name, such as masks; may be given several times",
    )


def _roles(text: str) -> tuple[str, ...]:
    try:
        return parse_roles(text)
    except DatasetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _layout(arguments: argparse.Namespace) -> LayoutChoice:
    if arguments.class_level is not None and arguments.class_level < 1:
        raise DatasetError(
            f"--class-level is {arguments.class_level}.", "Levels are counted from 1.", "Correct the number."
        )
    left_out = None if arguments.leave_out is None else tuple(arguments.leave_out)
    return LayoutChoice(
        roles=arguments.layout,
        class_level=arguments.class_level,
        left_out=left_out,
        unlabelled=arguments.unlabelled,
    )


def dataset_id(reference: str) -> str:
    """Return the identifier of the dataset that a user names.

    Parameters
    ----------
    reference : str
        Identifier, or the name of one dataset. An identifier has precedence over a name.

    Returns
    -------
    str
        The identifier; `reference` itself if no dataset has this identifier or name.

    Raises
    ------
    DatasetError
        Several datasets have this name.
    StorageError
        The home folder is not readable.
    """
    identifiers = _identifiers(reference)
    if len(identifiers) > 1:
        raise DatasetError(
            f"{len(identifiers)} datasets are named {reference!r}: {', '.join(identifiers)}.",
            "A name must belong to one dataset.",
            "Write one of these identifiers instead of the name.",
        )
    return identifiers[0] if identifiers else reference


def _identifiers(reference: str) -> list[str]:
    """Return the dataset with this identifier, or else all datasets with this name, newest first."""
    found = list_datasets()
    if any(summary.id == reference for summary in found):
        return [reference]
    return [summary.id for summary in found if summary.name == reference and not summary.damaged]


def _is_path(data: str) -> bool:
    """Return whether an argument is a path and not a dataset.

    Raises DatasetError if it is both a path that exists and the name of a dataset.
    """
    if "/" in data:
        return True
    identifiers = _identifiers(data)
    if not os.path.exists(data):  # noqa: PTH110 - Path.exists raises if the name is too long
        return not identifiers and data.lower().endswith((".zip", ".csv"))
    if identifiers and identifiers != [data]:
        kind = "folder" if Path(data).is_dir() else "file"
        listed = " or ".join(identifiers)
        raise DatasetError(
            f"{data!r} is a {kind} here, and also the name of "
            + (f"the dataset {listed}." if len(identifiers) == 1 else f"{len(identifiers)} datasets."),
            "It must mean one of them.",
            f"Write ./{data} for the {kind}, or {listed} for the dataset.",
        )
    return not identifiers


def saved_dataset(dataset: Dataset) -> Dataset | None:
    """Return the saved dataset of the same source, with all its edits; None if the source was not imported before.

    Training on a path uses this dataset.

    Parameters
    ----------
    dataset : Dataset
        From `read_data`.

    Raises
    ------
    DatasetError
        The table or the log of edits of the saved dataset is damaged.
    StorageError
        The home folder is not readable.
    """
    saved = any(summary.id == dataset.id and not summary.damaged for summary in list_datasets())
    return load_dataset(dataset.id) if saved else None


def read_data(arguments: argparse.Namespace) -> Dataset:
    """Read a folder, archive or manifest without importing it, or load an imported dataset.

    Parameters
    ----------
    arguments : argparse.Namespace
        With the arguments of `add_data_argument`. DATA is the path of a folder, a zip archive or a CSV manifest, or the
        name or identifier of an imported dataset. Text with a slash is always a path, and an identifier always a
        dataset.

    Returns
    -------
    Dataset
        Of a path: the dataset that an import would save; its images are not in the image store. Of an imported dataset:
        with all its edits.

    Raises
    ------
    DatasetError
        The source does not exist, contains no usable image or has no valid manifest; the names of its folders do not
        say which level is the class, or the options do not fit them; there is no dataset with this name
        or identifier, several have this name, or it is also a path that exists; the dataset is damaged; or a worker
        process that reads images was ended from outside.
    ArchiveError
        The archive is damaged, too large or dangerous to unpack.
    StorageError
        The source or the home folder is not readable.
    """
    if not _is_path(arguments.data):
        return _imported(arguments)
    with ProgressLine() as line:
        return scan_source(
            Path(arguments.data),
            progress=line.count("Reading"),
            zip_names=arguments.zip_names,
            layout=_layout(arguments),
        )


def import_data(arguments: argparse.Namespace) -> Dataset:
    """Import a folder, archive or manifest, or load an imported dataset.

    Parameters
    ----------
    arguments : argparse.Namespace
        With the arguments of `add_data_argument`. DATA is the path of a folder, a zip archive or a CSV manifest, or the
        name or identifier of an imported dataset. Text with a slash is always a path, and an identifier always a
        dataset.

    Returns
    -------
    Dataset
        With all its edits, also if the same source was imported before and edited since then.

    Raises
    ------
    DatasetError, ArchiveError
        As from `read_data`.
    StorageError
        The source is not readable, the disk is full, the home folder is not writable, or another process has locked the
        image store for ten minutes.
    """
    if not _is_path(arguments.data):
        return _imported(arguments)
    with ProgressLine() as line:
        imported = import_source(
            Path(arguments.data),
            progress=line.count("Importing"),
            zip_names=arguments.zip_names,
            layout=_layout(arguments),
        )
    return load_dataset(imported.id)  # with its edits


def _imported(arguments: argparse.Namespace) -> Dataset:
    """Load the dataset that DATA names; the options are about sources that are not imported yet."""
    names = ("class_level", "layout", "unlabelled", "leave_out", "zip_names")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(arguments, name)]
    if given:
        raise DatasetError(
            f"{given[0]} has no effect on the dataset {arguments.data!r}, which is imported already.",
            "The option is for a folder, a zip or a manifest.",
            "Leave it out, or write the path of the source.",
        )
    return load_dataset(dataset_id(arguments.data))


def print_left_out(dataset: Dataset) -> None:
    """Print one line to stderr that says what the import of a dataset left out; nothing if it used everything."""
    text = describe_left_out(dataset)
    if text:
        print_error(f"{text} “inspect” lists each with the reason.")
