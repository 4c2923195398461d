"""Summary of a dataset (``dataset.json``), which lists of datasets read instead of the table."""

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
    """Summary of a dataset for lists. The fields of a damaged dataset, except `id`, `name` and `damaged`, are empty.

    Attributes
    ----------
    id, name : str
        As in `cfu_core.dataset.dataset.Dataset`; `name` is the id if the dataset is damaged.
    n_images : int
        Number of images, without excluded ones.
    counts : Mapping of str to int
        Number of images by class, without excluded ones.
    n_import_issues : int
        Number of issues of the import.
    drawn : bool
        Whether all images are synthetic drawings.
    created, source : str
        Time (ISO 8601, UTC) and source of the import.
    version : int
        Number of edits in the log.
    damaged : str
        Message that says why the dataset cannot be opened; ``""`` for an intact dataset.
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

    @property
    def unlabelled(self) -> int:
        """Number of images that have no class yet."""
        return self.n_images - sum(self.counts.values())


def read_summary(file: Path) -> dict[str, Any]:
    """Read and check a ``dataset.json``.

    Parameters
    ----------
    file : Path
        The file; error messages name the folder that contains it as the id of the dataset.

    Returns
    -------
    dict of str to Any
        Its content: ``name``; ``digest`` (of the table as imported); ``images`` and ``counts`` (number of images, in
        total and by class, without excluded ones); ``drawn``; ``source``; ``created``; ``problems`` (the import
        issues); and ``edits``, with the number of edits in the log (``version``) and the size of the log in bytes
        (``bytes``), both 0 if the file is from a version of the program without edits.

    Raises
    ------
    DatasetError
        If the file is missing, cannot be read, or has no valid value for one of these keys.
    """
    try:
        summary = read_json(file)
    except (CfuError, OSError, ValueError) as error:
        raise damaged(file.parent.name, f"{SUMMARY} cannot be read ({error})") from error
    for key, kind in _TYPES.items():
        if not isinstance(summary, dict) or not isinstance(summary.get(key), kind):
            raise damaged(file.parent.name, f"{SUMMARY} has no valid {key!r}")
    edits = summary.setdefault("edits", dict(_UNEDITED))  # datasets of earlier versions have no edits
    if not isinstance(edits, dict) or not all(type(edits.get(key)) is int for key in _UNEDITED):
        raise damaged(file.parent.name, f"{SUMMARY} has no valid 'edits'")
    return summary


def summarize(id: str, summary: Mapping[str, Any]) -> DatasetSummary:
    """Convert the content of a ``dataset.json``, from `read_summary`, to a `DatasetSummary`."""
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


def summarize_damaged(id: str, error: DatasetError) -> DatasetSummary:
    """Return the summary of a dataset that cannot be opened, with the error as its `damaged`."""
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
    """Return the error for a dataset that cannot be opened; `why` is a clause that completes its first sentence."""
    return DatasetError(f"The dataset {id} is damaged: {why}.", "", "Delete it and import it again.")
