"""The log of edits of a dataset: what was changed manually, by whom and why; and the table with the edits applied.

The table as imported is never changed. ``edits.jsonl`` beside it has one JSON object per line, oldest first. An edit
is undone by another line, so that no line is ever removed from the log.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cfu_core.dataset.table import BOX_COLUMNS, RANGE_COLUMNS, with_keys
from cfu_core.errors import DatasetError
from cfu_core.imaging.planes import is_picture
from cfu_core.storage import storage_errors
from cfu_core.wording import plural

LOG = "edits.jsonl"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit, which is one line of the log.

    Attributes
    ----------
    number : int
        Number of the edit, from 1; also the version of the dataset after it.
    when : str
        Time, ISO 8601, UTC.
    who, why : str
        Name of the editor and reason, free text; may be empty.
    kind : str
        One of `KINDS`, ``undo`` or ``redo``.
    changes : Mapping
        New value by path of an image. ``relabel``: the label; ``exclude`` and ``include``: None; ``group``: the group
        (``""`` for none); ``box``: left, top, right, bottom in pixels (None to find the colony automatically);
        ``partition``: the partition (None for that of the split); ``range``: the samples that are black and white;
        ``plane``: which picture of the file, from 0.
        ``undo`` and ``redo``: ``{"edit": number}``.
    """

    number: int
    when: str
    who: str
    why: str
    kind: str
    changes: Mapping[str, Any]


def _is_box(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 4 and all(type(edge) is int for edge in value))


def _is_range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(end) in (int, float) for end in value)


#: Kinds of edits of images, and functions that return whether a value in the log is valid for the kind.
KINDS: dict[str, Callable[[object], bool]] = {
    "relabel": lambda value: isinstance(value, str) and value != "",
    "exclude": lambda value: value is None,
    "include": lambda value: value is None,
    "group": lambda value: isinstance(value, str),
    "box": _is_box,
    "partition": lambda value: value is None or isinstance(value, str),
    "range": _is_range,
    "plane": is_picture,
}
_UNDO_OR_REDO = ("undo", "redo")


def read_log(folder: Path, *, counted: int) -> tuple[Edit, ...]:
    """Read the log of a dataset.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the dataset.
    counted : int
        Number of edits that the summary of the dataset reports. A truncated line after these is the remainder of an
        edit that never took effect, and is ignored.

    Returns
    -------
    tuple of Edit
        Oldest first; empty if there is no log.

    Raises
    ------
    DatasetError
        If one of the `counted` lines is missing, or a line is damaged, except a last one after these.
    StorageError
        If the log is not readable.
    """
    file = folder / LOG
    lines = _lines(file)
    truncated = lines.pop()  # the text after the last line break, usually empty
    log = [_parsed(file, number, line) for number, line in enumerate(lines, start=1)]
    if truncated:
        try:
            log.append(_parsed(file, len(log) + 1, truncated))
        except DatasetError:
            if len(log) < counted:
                raise
    if len(log) < counted:
        raise _damaged(file, f"it has {len(log)} of {plural(counted, 'edit')}")
    return tuple(log)


def extended_log(folder: Path, log: Sequence[Edit], edit: Edit) -> bytes:
    """Return the new content of a log file after an edit. Nothing is written.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the dataset.
    log : sequence of Edit
        The edits in the file so far. Lines after these are dropped.
    edit : Edit
        The edit to append.

    Raises
    ------
    StorageError
        If the log is not readable.
    """
    kept = _lines(folder / LOG)[: len(log)]
    return b"".join([*(line + b"\n" for line in kept), log_line(edit)])


def log_line(edit: Edit) -> bytes:
    """Return an edit as a line of a log: UTF-8 JSON and a line break."""
    return json.dumps(asdict(edit), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def log_size(folder: Path) -> int:
    """Return the size of the log of the dataset in `folder` in bytes; 0 if there is no log.

    Raises
    ------
    StorageError
        If the folder is not readable.
    """
    file = folder / LOG
    with storage_errors(file):
        return file.stat().st_size if file.exists() else 0


def applied_and_undone(log: Sequence[Edit]) -> tuple[list[Edit], list[Edit]]:
    """Separate the edits in effect from the edits that can be redone.

    Parameters
    ----------
    log : sequence of Edit
        All lines of a log, oldest first.

    Returns
    -------
    applied : list of Edit
        Edits in effect, oldest first.
    undone : list of Edit
        Edits that can be redone; the last item was undone last. Other edits that were undone are in neither list.

    Raises
    ------
    ValueError
        If an undo or redo does not refer to the latest edit that can be undone or redone.
    """
    applied: list[Edit] = []
    undone: list[Edit] = []
    for edit in log:
        if edit.kind not in _UNDO_OR_REDO:
            applied.append(edit)
            undone.clear()
            continue
        source, target = (applied, undone) if edit.kind == "undo" else (undone, applied)
        if not source or source[-1].number != edit.changes["edit"]:
            raise ValueError(f"the {edit.kind} in line {edit.number} does not match the lines before it")
        target.append(source.pop())
    return applied, undone


class Effect(NamedTuple):
    """A table with the edits of a log applied.

    Attributes
    ----------
    edited : pandas.DataFrame
        Every row of the imported table, with all edits except exclusions applied. It is the imported table itself, not
        a copy, if no label, group, box, range or plane was edited.
    rows : ndarray of int64, shape (len(images),)
        Rows of `edited` that are not excluded, ascending.
    images : pandas.DataFrame
        `edited` at `rows`, with a RangeIndex. It is `edited` itself, not a copy, if no image is excluded.
    partitions : dict of str to str
        Manually assigned partitions, by path; includes excluded images.
    """

    edited: pd.DataFrame
    rows: np.ndarray
    images: pd.DataFrame
    partitions: dict[str, str]


def apply_edits(imported: pd.DataFrame, log: Sequence[Edit]) -> Effect:
    """Apply the edits of a log to the imported table, which is not changed.

    Parameters
    ----------
    imported : pandas.DataFrame
        Table as imported, from `cfu_core.dataset.table.images_table`; no path occurs twice.
    log : sequence of Edit
        All lines of the log, oldest first. Of several edits of one value, the last one in effect applies.

    Raises
    ------
    ValueError
        If the log names images that are not in the table, or an undo or redo is not possible.
    """
    values: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for edit in applied_and_undone(log)[0]:
        if edit.kind == "include":
            for path in edit.changes:
                values["exclude"].pop(path, None)
        else:
            values[edit.kind].update(edit.changes)
    rows_of = _RowIndex(imported)
    edited = (
        imported.copy() if any(values[kind] for kind in ("relabel", "group", "box", "range", "plane")) else imported
    )
    for kind, column in (("relabel", "label"), ("group", "group")):
        if values[kind]:
            edited[column] = rows_of.replaced(edited[column], values[kind])
    if values["box"]:
        for side, column in enumerate(BOX_COLUMNS):
            edges = {path: None if box is None else box[side] for path, box in values["box"].items()}
            edited[column] = rows_of.replaced(edited[column], edges)
    if values["range"]:
        for end, column in enumerate(RANGE_COLUMNS):
            ends = {path: float(chosen[end]) for path, chosen in values["range"].items()}
            edited[column] = rows_of.replaced(edited[column], ends)
    if values["plane"]:
        edited["plane"] = rows_of.replaced(edited["plane"], values["plane"])
    if values["range"] or values["plane"]:
        edited = with_keys(edited)
    included = np.ones(len(imported), bool)
    included[rows_of.find(values["exclude"])] = False
    rows_of.find(values["partition"])  # raises if an image is missing
    return Effect(
        edited=edited,
        rows=np.flatnonzero(included),
        images=edited if included.all() else edited[included].reset_index(drop=True),
        partitions={path: partition for path, partition in values["partition"].items() if partition is not None},
    )


class _RowIndex:
    """Finds the rows of images by path; the index is built once, when it is first needed."""

    def __init__(self, imported: pd.DataFrame) -> None:
        self._paths = imported["path"]
        self._index: pd.Index | None = None

    def find(self, paths: Mapping[str, Any]) -> np.ndarray:
        """Return the row of each path, int64."""
        if not paths:
            return np.empty(0, np.int64)
        if self._index is None:
            self._index = pd.Index(self._paths)
        found = self._index.get_indexer(pd.Index(list(paths), dtype="str"))
        if (found < 0).any():
            unknown = list(paths)[int((found < 0).argmax())]
            raise ValueError(f"it names {unknown}, which is not in the dataset")
        return found

    def replaced(self, column: pd.Series, values: Mapping[str, Any]) -> pd.Series:
        """Return `column` with new values for some paths; None becomes ``<NA>``."""
        cells = column.to_numpy(object, copy=True)
        cells[self.find(values)] = [pd.NA if value is None else value for value in values.values()]
        return pd.Series(cells, index=column.index, dtype=column.dtype)


def _lines(file: Path) -> list[bytes]:
    """Return the lines of the log; the last item is the text after the last line break, usually empty."""
    try:
        with storage_errors(file):
            return file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [b""]


def _parsed(file: Path, number: int, line: bytes) -> Edit:
    try:
        edit = Edit(**json.loads(line.decode()))
        if edit.number != number or not all(isinstance(v, str) for v in (edit.when, edit.who, edit.why, edit.kind)):
            raise ValueError("its number, time, editor, reason or kind is not valid")
        fits = KINDS.get(edit.kind, lambda value: edit.kind in _UNDO_OR_REDO and type(value) is int)
        if not edit.changes or not all(map(fits, edit.changes.values())):
            raise ValueError("its changes are not valid")
        if edit.kind in _UNDO_OR_REDO and list(edit.changes) != ["edit"]:
            raise ValueError("it names no edit to undo or redo")
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(file, f"line {number} cannot be read ({error})") from error
    return edit


def _damaged(file: Path, why: str) -> DatasetError:
    return DatasetError(
        f"The log of edits {file} is damaged: {why}.",
        "It should hold one JSON object per line, one for each edit.",
        "Restore it from a backup; or delete the dataset and import it again, without the edits.",
    )
