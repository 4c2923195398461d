"""What the verbs share: reading what they are given, working in the foreground, and what goes to the terminal."""

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

OK, MENDABLE, INTERRUPTED = 0, 2, 130
DATA_HELP = "a folder, a zip, a CSV manifest, or the name of an imported dataset"


def json_flag(parser: argparse.ArgumentParser) -> None:
    """Let a verb answer in JSON."""
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def print_json(value: Any) -> int:
    """One JSON document to stdout; gives the exit status."""
    print(json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False))
    return OK


def is_path(data: str) -> bool:
    """Whether this names files and not an imported dataset."""
    return Path(data).exists() or "/" in data or data.lower().endswith((".zip", ".csv"))


def read_data(data: str) -> Dataset:
    """What a folder, archive or manifest holds, or an imported dataset; nothing is kept."""
    if not is_path(data):
        return load_dataset(data)
    with ProgressLine() as line:
        return scan_source(Path(data), progress=line.count("Reading"))


def import_data(data: str) -> Dataset:
    """An imported dataset, by its name or from where its images are now."""
    if not is_path(data):
        return load_dataset(data)
    with ProgressLine() as line:
        imported = import_source(Path(data), progress=line.count("Importing"))
    return load_dataset(imported.id)  # with the edits that it has, where it was imported before


def run_job(job: Any, title: str) -> str:
    """Do a job here as soon as its lane is free; returns how it ended.

    Raises
    ------
    CfuError
        It failed.
    """
    from cfu_core.job import State
    from cfu_core.jobs.launch import ensure_worker
    from cfu_core.jobs.queue import LANES
    from cfu_core.jobs.worker import run_in_foreground

    with ProgressLine() as line:
        ended = run_in_foreground(job, tell=line.follow(title))
    ensure_worker(LANES[job.kind])
    if ended.state in (State.FAILED, State.INTERRUPTED):
        raise CfuError(ended.message)
    return ended.state.value


class ProgressLine:
    """One line on stderr that is written over, where stderr is a terminal."""

    def __enter__(self) -> "ProgressLine":
        self._shows = sys.stderr.isatty()
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("")

    def count(self, phase: str) -> Any:
        """A callback for things done and in all."""

        def progress(done: int, total: int) -> None:
            self._write(f"{phase}: {done} of {total}")

        return progress

    def follow(self, title: str) -> Any:
        """A callback for the status of a job."""

        def tell(status: Any) -> None:
            d = status.details
            text = f"{title}: {status.phase or status.state}"
            if "epoch" in d:
                text += f", epoch {d['epoch']} of {d['epochs']}, batch {d['batch']} of {d['batches']}"
            elif "total" in d:
                text += f", {d['done']} of {d['total']}"
            self._write(text)

        return tell

    def say(self, text: str) -> None:
        """What goes on, in words."""
        self._write(text)

    def _write(self, text: str) -> None:
        if self._shows:
            print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)
