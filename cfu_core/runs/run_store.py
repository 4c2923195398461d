"""Storage of all runs: create, find, list and delete runs on disk."""

import re
import secrets
import shutil
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.history import LOG, log_line
from cfu_core.dataset.splitting import Split
from cfu_core.errors import RunError
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import RunPlan
from cfu_core.storage import home, modification_time, new_folder, storage_errors, write_bytes, write_csv, write_json

_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,96}")


def runs_folder() -> Path:
    """Return the folder of all runs: ``<home>/runs``. It may not exist yet."""
    return home() / "runs"


def create_run(plan: RunPlan, dataset: Dataset, split: Split) -> Run:
    """Create the folder of a new run, with ``spec.json``, ``split.csv`` and, if there are edits, ``edits.jsonl``.

    `list_runs` lists the run when all files are written.

    Parameters
    ----------
    plan : RunPlan
        Plan of the run, which describes `dataset` and `split`.
    dataset : Dataset
        Dataset whose paths, labels and edits are written.
    split : Split
        Split of `dataset`, whose partitions are written.

    Returns
    -------
    Run
        The run, with the state "queued"; no worker is started.

    Raises
    ------
    StorageError
        The disk is full, or the home folder is not writable.
    """
    now = datetime.now(UTC)
    config = plan.config
    # to the microsecond, so that identifiers sort by age
    identifier = f"{now:%Y%m%d-%H%M%S-%f}-{config.architecture}-{config.recipe.kind}-{secrets.token_hex(2)}"
    folder = runs_folder() / identifier
    with new_folder(folder) as draft:
        labelled = dataset.images[dataset.images["label"] != ""]
        table = labelled[["path", "label"]].assign(partition=labelled["path"].map(split.assignment))
        write_csv(draft / "split.csv", table)
        if dataset.edits:
            write_bytes(draft / LOG, b"".join(log_line(edit) for edit in dataset.edits))
        spec = {"kind": "train", "created": now.isoformat(timespec="microseconds"), **plan.to_dict()}
        write_json(draft / "spec.json", spec)
    return Run(folder)


def open_run(reference: str) -> Run:
    """Return a run by its identifier or its name.

    Parameters
    ----------
    reference : str
        Identifier, or the name of exactly one run (given by a user, or the default name). An identifier has precedence.
        A run whose ``spec.json`` is damaged is found only by its identifier.

    Raises
    ------
    RunError
        There is no run with this identifier or name, or several runs have this name.
    """
    if _SAFE_ID.fullmatch(reference) and (runs_folder() / reference / "spec.json").is_file():
        return Run(runs_folder() / reference)
    runs = list_runs()
    named = [run for run in runs if run.name == reference]
    if len(named) == 1:
        return named[0]
    if named:
        raise RunError(
            f"{len(named)} runs are named {reference!r}: {', '.join(run.id for run in named)}.",
            "A name must belong to one run.",
            "Use one of these identifiers instead of the name.",
        )
    known = ", ".join(run.id for run in runs[:5]) or "none yet"
    raise RunError(f"There is no run {reference!r}.", f"The newest runs are: {known}.", "Use the identifier of a run.")


def list_runs() -> list[Run]:
    """Return all runs, newest first; empty if there are none.

    Runs whose ``spec.json`` is damaged or has settings that are not valid are left out.
    """
    found = (
        _run(path.parent, modification_time(path))
        for path in sorted(runs_folder().glob("[!.]*/spec.json"), reverse=True)
    )
    return [run for run in found if run.readable()]


@lru_cache(maxsize=4096)
def _run(folder: Path, changed: int) -> Run:  # noqa: ARG001 - a changed spec.json is read again
    """Return a cached run, so that its ``spec.json`` is parsed once."""
    return Run(folder)


def delete_run(run: Run) -> None:
    """Delete the folder of a run with all its files; `list_runs` omits it at once.

    The caller must make sure that the run is neither queued nor running.

    Raises
    ------
    FileNotFoundError
        The run has been deleted already.
    StorageError
        The folder is not writable.
    """
    doomed = run.folder.with_name(f".{run.id}.deleted")
    with storage_errors(run.folder):
        run.folder.rename(doomed)
        shutil.rmtree(doomed)
