"""The log of edits: what was changed by hand, by whom and why; and which table comes out of it.

The table as imported is never written again. ``edits.jsonl`` lies beside it with one JSON object a line, oldest
first. An edit is taken back by another line, so that nothing ever leaves the log.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError
from cfu_core.storage import storage_errors

LOG = "edits.jsonl"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One line of the log.

    Parameters
    ----------
    number : int
        Counted from 1; the version of the dataset that it makes.
    when : str
        ISO 8601, UTC.
    who, why : str
        In the editor's own words; may be empty.
    kind : str
        One of `KINDS`, ``undo`` or ``redo``.
    changes : Mapping
        By path of an image: for ``relabel`` its label, for ``exclude`` and ``include`` None, for ``group`` its group
        (``""``: none), for ``box`` left, top, right, bottom in pixels (None: found automatically), for ``partition``
        where it is put by hand (None: where the split has it). For ``undo`` and ``redo`` ``{"edit": number}``.
    """

    number: int
    when: str
    who: str
    why: str
    kind: str
    changes: Mapping[str, Any]


def _is_box(value: object) -> bool:
    return value is None or (isinstance(value, list) and len(value) == 4 and all(type(edge) is int for edge in value))


#: The kinds of edits of images, and whether a value in the log is one.
KINDS: dict[str, Callable[[object], bool]] = {
    "relabel": lambda value: isinstance(value, str) and value != "",
    "exclude": lambda value: value is None,
    "include": lambda value: value is None,
    "group": lambda value: isinstance(value, str),
    "box": _is_box,
    "partition": lambda value: value is None or isinstance(value, str),
}
_STEPS = ("undo", "redo")


def read_log(folder: Path, *, counted: int) -> tuple[Edit, ...]:
    """The log of the dataset in `folder`, oldest edit first; empty where there is none.

    Parameters
    ----------
    folder : Path
    counted : int
        How many edits must be there. A last line beyond these that a power cut has torn never counted, and is
        passed over.

    Raises
    ------
    DatasetError
        A line that counted is gone or damaged.
    """
    file = folder / LOG
    lines = _lines(file)
    torn = lines.pop()  # what stands behind the last line's end: nothing, as a rule
    log = [_parsed(file, number, line) for number, line in enumerate(lines, start=1)]
    if torn:
        try:
            log.append(_parsed(file, len(log) + 1, torn))
        except DatasetError:
            if len(log) < counted:
                raise
    if len(log) < counted:
        raise _damaged(file, f"it has {len(log)} of {counted} edits")
    return tuple(log)


def extended_log(folder: Path, log: Sequence[Edit], edit: Edit) -> bytes:
    """The bytes of the log file of `folder`, which holds `log`, with a line for `edit` at its end."""
    kept = _lines(folder / LOG)[: len(log)]
    return b"".join([*(line + b"\n" for line in kept), log_line(edit)])


def log_line(edit: Edit) -> bytes:
    """An edit as it stands in a log, with the end of its line."""
    return json.dumps(asdict(edit), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def log_size(folder: Path) -> int:
    """Bytes of the log; 0 where there is none."""
    file = folder / LOG
    with storage_errors(file):
        return file.stat().st_size if file.exists() else 0


def counting(log: Sequence[Edit]) -> tuple[list[Edit], list[Edit]]:
    """Which edits count, oldest first, and which can come back, the one that was undone last at the end.

    Raises
    ------
    ValueError
        An undo or redo names another edit than the one whose turn it was.
    """
    done: list[Edit] = []
    undone: list[Edit] = []
    for edit in log:
        if edit.kind not in _STEPS:
            done.append(edit)
            undone.clear()
            continue
        source, target = (done, undone) if edit.kind == "undo" else (undone, done)
        if not source or source[-1].number != edit.changes["edit"]:
            raise ValueError(f"the {edit.kind} in line {edit.number} does not fit what stands before it")
        target.append(source.pop())
    return done, undone


class Effect(NamedTuple):
    """What the edits make of a table.

    `edited` has every row as imported, with all edits but exclusions applied; `rows` (int64) are those that count;
    `images` is `edited` at `rows`; `partitions` says what was put where by hand, by path.
    """

    edited: pd.DataFrame
    rows: np.ndarray
    images: pd.DataFrame
    partitions: dict[str, str]


def apply_edits(imported: pd.DataFrame, log: Sequence[Edit]) -> Effect:
    """The table that counts after the edits of `log`.

    Raises
    ------
    ValueError
        The log names images that are not there, or undoes what cannot be undone.
    """
    values: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for edit in counting(log)[0]:
        if edit.kind == "include":
            for path in edit.changes:
                values["exclude"].pop(path, None)
        else:
            values[edit.kind].update(edit.changes)
    places = _Places(imported)
    edited = imported.copy() if any(values[kind] for kind in ("relabel", "group", "box")) else imported
    for kind, column in (("relabel", "label"), ("group", "group")):
        if values[kind]:
            edited[column] = places.replaced(edited[column], values[kind])
    if values["box"]:
        for place, column in enumerate(BOX_COLUMNS):
            edges = {path: None if box is None else box[place] for path, box in values["box"].items()}
            edited[column] = places.replaced(edited[column], edges)
    counts = np.ones(len(imported), bool)
    counts[places.of(values["exclude"])] = False
    places.of(values["partition"])  # all there
    return Effect(
        edited=edited,
        rows=np.flatnonzero(counts),
        images=edited if counts.all() else edited[counts].reset_index(drop=True),
        partitions={path: partition for path, partition in values["partition"].items() if partition is not None},
    )


class _Places:
    """Finds images by path; the index is made once, and only where it is needed."""

    def __init__(self, imported: pd.DataFrame) -> None:
        self._paths = imported["path"]
        self._index: pd.Index | None = None

    def of(self, paths: Mapping[str, Any]) -> np.ndarray:
        """The row of each path, int64."""
        if not paths:
            return np.empty(0, np.int64)
        if self._index is None:
            self._index = pd.Index(self._paths)
        found = self._index.get_indexer(pd.Index(list(paths), dtype="str"))
        if (found < 0).any():
            stranger = list(paths)[int((found < 0).argmax())]
            raise ValueError(f"it names {stranger}, which the dataset does not hold")
        return found

    def replaced(self, column: pd.Series, values: Mapping[str, Any]) -> pd.Series:
        """`column` with the values of some paths put in; None becomes ``<NA>``."""
        cells = column.to_numpy(object, copy=True)
        cells[self.of(values)] = [pd.NA if value is None else value for value in values.values()]
        return pd.Series(cells, index=column.index, dtype=column.dtype)


def _lines(file: Path) -> list[bytes]:
    """The log's lines without their ends; what stands behind the last end comes last and is empty as a rule."""
    try:
        with storage_errors(file):
            return file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [b""]


def _parsed(file: Path, number: int, line: bytes) -> Edit:
    try:
        edit = Edit(**json.loads(line.decode()))
        if edit.number != number or not all(isinstance(v, str) for v in (edit.when, edit.who, edit.why, edit.kind)):
            raise ValueError("it does not say who changed what and when")
        fits = KINDS.get(edit.kind, lambda value: edit.kind in _STEPS and type(value) is int)
        if not edit.changes or not all(map(fits, edit.changes.values())):
            raise ValueError("its changes make no sense")
        if edit.kind in _STEPS and list(edit.changes) != ["edit"]:
            raise ValueError("it undoes nothing")
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(file, f"line {number} cannot be read ({error})") from error
    return edit


def _damaged(file: Path, why: str) -> DatasetError:
    return DatasetError(
        f"The log of edits {file} is damaged: {why}.",
        "It should hold a JSON object a line, one for each edit.",
        "Put it back from a backup; or delete the dataset and import it again, without the edits.",
    )
