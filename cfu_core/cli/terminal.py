"""Functions that the subcommands share: reading datasets, running jobs in the foreground, output to the terminal."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.errors import CfuError
from cfu_core.storage import json_value

if TYPE_CHECKING:
    from cfu_core.job import Job, Status

OK, USER_ERROR, INTERRUPTED = 0, 2, 130  # exit status
DATA_HELP = "a folder, a zip archive, a CSV manifest, or the name of an imported dataset"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--json`` to the parser of a subcommand; ``arguments.json`` is False without it."""
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def print_json(value: Any) -> int:
    """Print a value as one indented JSON document to stdout; NaN and infinity as null.

    Parameters
    ----------
    value : object
        As for `cfu_core.storage.json_value`: JSON values, also NaN, infinity and tuples.

    Returns
    -------
    int
        Exit status 0, so that a subcommand can return the result of this function.
    """
    print(json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False))
    return OK


def is_path(data: str) -> bool:
    """Return whether an argument is a path and not the name of an imported dataset.

    It is a path if the file or folder exists, if it contains a slash, or if it ends in ``.zip`` or ``.csv``.
    """
    exists = os.path.exists(data)  # noqa: PTH110 - Path.exists raises if the name is too long
    return exists or "/" in data or data.lower().endswith((".zip", ".csv"))


def read_data(data: str) -> Dataset:
    """Read a folder, archive or manifest without importing it, or load an imported dataset.

    Parameters
    ----------
    data : str
        Path of a folder, a zip archive or a CSV manifest, or the name or identifier of an imported dataset (see
        `is_path`).

    Returns
    -------
    Dataset
        Of a path: the dataset that an import would save; its images are not in the image store. Of an imported dataset:
        with all its edits.

    Raises
    ------
    DatasetError
        The source does not exist, contains no usable image or has no valid manifest; there is no dataset with this name
        or identifier, or it is damaged; or a worker process that reads images was ended from outside.
    ArchiveError
        The archive is damaged, too large or dangerous to unpack.
    StorageError
        The source or the home folder is not readable.
    """
    if not is_path(data):
        return load_dataset(data)
    with ProgressLine() as line:
        return scan_source(Path(data), progress=line.count("Reading"))


def import_data(data: str) -> Dataset:
    """Import a folder, archive or manifest, or load an imported dataset.

    Parameters
    ----------
    data : str
        Path of a folder, a zip archive or a CSV manifest, or the name or identifier of an imported dataset (see
        `is_path`).

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
    if not is_path(data):
        return load_dataset(data)
    with ProgressLine() as line:
        imported = import_source(Path(data), progress=line.count("Importing"))
    return load_dataset(imported.id)  # with its edits


def run_job(job: "Job", title: str) -> str:
    """Run a job in this process when its lane is free, with its progress in the terminal.

    If a worker runs the job first, wait for its end. A worker for the other queued jobs of the lane is then started.
    Ctrl-C stops the job. Call this function in the main thread.

    Parameters
    ----------
    job : Job
        Queued or running job.
    title : str
        Text before the progress in the terminal.

    Returns
    -------
    str
        Final state: ``finished``, ``stopped`` or ``paused``. After Ctrl-C while a worker runs the job, ``running`` if
        it has not stopped yet.

    Raises
    ------
    CfuError
        The job failed or was interrupted; the message says why.
    StorageError
        The home folder is not writable, or the disk is full.
    """
    from cfu_core.job import State
    from cfu_core.jobs.launch import ensure_worker
    from cfu_core.jobs.queue import LANES
    from cfu_core.jobs.worker import run_in_foreground

    with ProgressLine() as line:
        ended = run_in_foreground(job, on_status=line.follow(title))
    ensure_worker(LANES[job.kind])
    if ended.state in (State.FAILED, State.INTERRUPTED):
        raise CfuError(ended.message)
    return ended.state.value


class ProgressLine:
    """A progress line on stderr that each new text overwrites. Use as a context manager.

    Texts can be shown only within the ``with`` block, after which the line is empty. Nothing is written if stderr is
    not a terminal.
    """

    def __enter__(self) -> "ProgressLine":
        self._enabled = sys.stderr.isatty()
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("")

    def count(self, phase: str) -> Callable[[int, int], None]:
        """Return a callback ``(done, total)`` that shows the number of finished items and of all items.

        Parameters
        ----------
        phase : str
            Text before the numbers.
        """

        def progress(done: int, total: int) -> None:
            self._write(f"{phase}: {done} of {total}")

        return progress

    def follow(self, title: str) -> Callable[["Status"], None]:
        """Return a callback ``(status)`` that shows a `Status`: its phase, and the batch or the number of items.

        Parameters
        ----------
        title : str
            Text before the phase.
        """

        def show_status(status: "Status") -> None:
            d = status.details
            text = f"{title}: {status.phase or status.state}"
            if "epoch" in d:
                text += f", epoch {d['epoch']} of {d['epochs']}, batch {d['batch']} of {d['batches']}"
            elif "total" in d:
                text += f", {d['done']} of {d['total']}"
            self._write(text)

        return show_status

    def show(self, text: str) -> None:
        """Show a text in place of the previous one."""
        self._write(text)

    def _write(self, text: str) -> None:
        if self._enabled:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
