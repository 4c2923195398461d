"""``dataset.json``: what a list of datasets shows, read without opening a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cfu_core.errors import CfuError, DatasetError
from cfu_core.storage import read_json

SUMMARY = "dataset.json"
_TYPES = {
    "name": str,
    "digest": str,
    "images": int,
    "counts": dict,
    "drawn": bool,
    "source": str,
    "created": str,
    "problems": list,
}
_UNEDITED = {"version": 0, "bytes": 0}


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """What a list of datasets shows.

    Parameters
    ----------
    n_images, n_import_issues : int
        How many images count, and how many were left out.
    counts : dict
        Images of each class that count, by label.
    version : int
        How many edits its log has.
    damaged : str
        Empty, or why this dataset cannot be opened; the other fields are then empty except `id` and `name`.
    """

    id: str
    name: str
    n_images: int
    counts: Mapping[str, int]
    n_import_issues: int
    drawn: bool
    created: str
    source: str
    version: int = 0
    damaged: str = ""


def read_summary(file: Path) -> dict[str, Any]:
    """What a ``dataset.json`` says, checked; `edits` says how many edits the log has, and its size in bytes.

    Raises
    ------
    DatasetError
        It is damaged.
    """
    try:
        summary = read_json(file)
    except (CfuError, OSError, ValueError) as error:
        raise damaged(file.parent.name, f"{SUMMARY} cannot be read ({error})") from error
    for key, kind in _TYPES.items():
        if not isinstance(summary, dict) or not isinstance(summary.get(key), kind):
            raise damaged(file.parent.name, f"{SUMMARY} has no proper {key!r}")
    edits = summary.setdefault("edits", dict(_UNEDITED))  # a dataset from before there were edits
    if not isinstance(edits, dict) or not all(type(edits.get(key)) is int for key in _UNEDITED):
        raise damaged(file.parent.name, f"{SUMMARY} has no proper 'edits'")
    return summary


def shown(id: str, summary: Mapping[str, Any]) -> DatasetSummary:
    """What is shown of a dataset whose ``dataset.json`` was read."""
    return DatasetSummary(
        id=id,
        name=summary["name"],
        n_images=summary["images"],
        counts=summary["counts"],
        n_import_issues=len(summary["problems"]),
        drawn=summary["drawn"],
        created=summary["created"],
        source=summary["source"],
        version=summary["edits"]["version"],
    )


def shown_as_damaged(id: str, error: DatasetError) -> DatasetSummary:
    """What is shown of a dataset that cannot be opened."""
    return DatasetSummary(
        id=id,
        name=id,
        n_images=0,
        counts={},
        n_import_issues=0,
        drawn=False,
        created="",
        source="",
        damaged=str(error),
    )


def damaged(id: str, why: str) -> DatasetError:
    """The error that says why a dataset cannot be opened."""
    return DatasetError(f"The dataset {id} is damaged: {why}.", "", "Delete it and import it again.")
