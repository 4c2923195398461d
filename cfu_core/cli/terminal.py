"""Functions that the verbs share: reading datasets, running jobs in the foreground, and output to the terminal."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.errors import CfuError
from cfu_core.storage import json_value

OK, USER_ERROR, INTERRUPTED = 0, 2, 130  # exit status
DATA_HELP = "a folder, a zip archive, a CSV manifest, or the name of an imported dataset"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--json`` to a verb."""
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def print_json(value: Any) -> int:
    """Print a value as one JSON document to stdout, and return the exit status."""
    print(json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False))
    return OK


def is_path(data: str) -> bool:
    """Return whether an argument is a path and not the name of an imported dataset."""
    return Path(data).exists() or "/" in data or data.lower().endswith((".zip", ".csv"))


def read_data(data: str) -> Dataset:
    """Read a folder, archive or manifest without importing it, or load an imported dataset.

    Parameters
    ----------
    data : str
        See `DATA_HELP`.

    Returns
    -------
    Dataset

    Raises
    ------
    CfuError
        The source cannot be read, or there is no such dataset.
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
        See `DATA_HELP`.

    Returns
    -------
    Dataset
        With the edits that it has if it was imported before.

    Raises
    ------
    CfuError
        The source cannot be imported, or there is no such dataset.
    """
    if not is_path(data):
        return load_dataset(data)
    with ProgressLine() as line:
        imported = import_source(Path(data), progress=line.count("Importing"))
    return load_dataset(imported.id)  # with its edits


def run_job(job: Any, title: str) -> str:
    """Run a job in this process when its lane is free.

    Parameters
    ----------
    job : Job
    title : str
        Text before the progress in the terminal.

    Returns
    -------
    str
        Final state.

    Raises
    ------
    CfuError
        The job failed or was interrupted.
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
    """A progress line on stderr that is overwritten; nothing is written if stderr is not a terminal."""

    def __enter__(self) -> "ProgressLine":
        self._enabled = sys.stderr.isatty()
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("")

    def count(self, phase: str) -> Any:
        """Return a callback that shows the number of finished items and the total number."""

        def progress(done: int, total: int) -> None:
            self._write(f"{phase}: {done} of {total}")

        return progress

    def follow(self, title: str) -> Any:
        """Return a callback that shows the status of a job."""

        def show_status(status: Any) -> None:
            d = status.details
            text = f"{title}: {status.phase or status.state}"
            if "epoch" in d:
                text += f", epoch {d['epoch']} of {d['epochs']}, batch {d['batch']} of {d['batches']}"
            elif "total" in d:
                text += f", {d['done']} of {d['total']}"
            self._write(text)

        return show_status

    def show(self, text: str) -> None:
        """Show a text."""
        self._write(text)

    def _write(self, text: str) -> None:
        if self._enabled:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
