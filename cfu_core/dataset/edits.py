"""Change a dataset by hand: relabel, exclude, group, mark a box, choose a partition; and take it back.

Nothing is overwritten: each change is a line in the dataset's log (see `cfu_core.dataset.history`), and the dataset
as it counts now follows from the table as imported and this log.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from cfu_core.dataset.catalog import load_dataset, save_edit
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.history import KINDS, Edit, counting
from cfu_core.dataset.image_store import store_lock
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.dataset.table import boxes
from cfu_core.errors import DatasetError

__all__ = ["KINDS", "Edit", "can_redo", "can_undo", "counting", "edit_dataset", "edit_log", "redo_edit", "undo_edit"]

LONGEST_NAME = 100  # characters of a label or a group
LONGEST_TEXT = 500  # characters of who and why


def edit_dataset(dataset_id: str, kind: str, changes: Mapping[str, Any], *, who: str = "", why: str = "") -> Dataset:
    """Change images of a dataset, and keep in its log who did so and why.

    Parameters
    ----------
    dataset_id : str
    kind : str
        One of `KINDS`.
    changes : Mapping
        By path of an image, as in `Edit.changes`. What is so already is left out; where nothing is left, nothing is
        written.
    who, why : str
        Free text for the log.

    Returns
    -------
    Dataset
        As it counts now.

    Raises
    ------
    DatasetError
        There is no such dataset or image, a value makes no sense, or no image would be left. Nothing has changed.
    StorageError
        The disk is full, or the home folder may not be written. Nothing has changed.
    ValueError
        There is no such kind of edit.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; there are {', '.join(KINDS)}")
    with store_lock():
        dataset = load_dataset(dataset_id)
        new = _news(dataset, kind, changes)
        return _written(dataset, kind, new, who=who, why=why) if new else dataset


def undo_edit(dataset_id: str, *, who: str = "") -> Dataset:
    """Take the latest edit that counts back, also one that another person made; the log keeps both.

    Raises
    ------
    DatasetError
        There is no such dataset, or no edit counts.
    """
    with store_lock():
        dataset = load_dataset(dataset_id)
        latest = can_undo(dataset.edits)
        if latest is None:
            raise DatasetError(f"No edit of {dataset.name} counts now.", "Only an edit that counts can be undone.")
        return _written(dataset, "undo", {"edit": latest.number}, who=who)


def redo_edit(dataset_id: str, *, who: str = "") -> Dataset:
    """Let the edit that was undone last count again. A new edit ends this possibility.

    Raises
    ------
    DatasetError
        There is no such dataset, or nothing was undone since the last edit.
    """
    with store_lock():
        dataset = load_dataset(dataset_id)
        undone = can_redo(dataset.edits)
        if undone is None:
            raise DatasetError(f"Nothing was undone in {dataset.name} since its last edit.", "", "Edit it anew.")
        return _written(dataset, "redo", {"edit": undone.number}, who=who)


def edit_log(dataset_id: str) -> list[Edit]:
    """All that was done to a dataset, oldest first.

    Raises
    ------
    DatasetError
        There is no such dataset, or it is damaged.
    """
    return list(load_dataset(dataset_id).edits)


def can_undo(log: Sequence[Edit]) -> Edit | None:
    """The edit that `undo_edit` would take back."""
    done, _ = counting(log)
    return done[-1] if done else None


def can_redo(log: Sequence[Edit]) -> Edit | None:
    """The edit that `redo_edit` would let count again."""
    _, undone = counting(log)
    return undone[-1] if undone else None


def _written(dataset: Dataset, kind: str, changes: Mapping[str, Any], *, who: str, why: str = "") -> Dataset:
    edit = Edit(
        number=dataset.version + 1,
        when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=_text("The name of who edits", who, LONGEST_TEXT),
        why=_text("The reason", why, LONGEST_TEXT),
        kind=kind,
        changes=changes,
    )
    return save_edit(dataset, edit)


def _news(dataset: Dataset, kind: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes`, checked, without those that change nothing."""
    rows = pd.Index(dataset.imported["path"]).get_indexer(pd.Index(list(changes), dtype="str"))
    strangers = [path for path, row in zip(changes, rows, strict=True) if row < 0]
    if strangers:
        raise DatasetError(
            f"The dataset {dataset.name} does not hold {_listed(strangers)}.",
            f"Its images are named like {dataset.imported['path'].iat[0]}.",
            "Check the spelling.",
        )
    checked: dict[str, Any] = dict.fromkeys(changes)
    if kind == "box":
        sizes = dataset.imported[["width", "height"]].to_numpy()[rows].tolist()
        for (path, box), size in zip(changes.items(), sizes, strict=True):
            checked[path] = None if box is None else _checked_box(path, box, *size)
    elif kind not in ("exclude", "include"):
        check = _checked_partition if kind == "partition" else _NameCheck(dataset, kind)
        meant = {value: check(value) for value in set(changes.values())}
        checked = {path: meant[value] for path, value in changes.items()}
    so_already = _state(dataset, kind)
    new = {path: value for path, value in checked.items() if so_already.get(path, _NOTHING) != value}
    if kind == "exclude" and len(new) == len(dataset.images):
        raise DatasetError(
            "This would exclude every image that is left.",
            "A dataset needs at least one image.",
            "Exclude fewer images, or delete the dataset.",
        )
    return new


_NOTHING = object()
_COLUMNS = {"relabel": "label", "group": "group"}


def _state(dataset: Dataset, kind: str) -> dict[str, Any]:
    """What is so already, by path, in the words of an edit of this kind."""
    paths = dataset.edited["path"]
    if kind == "exclude":
        return dict.fromkeys(dataset.excluded["path"])
    if kind == "include":
        return dict.fromkeys(dataset.images["path"])
    if kind == "partition":
        return {**dict.fromkeys(paths), **dataset.chosen_partitions}
    if kind == "box":
        edges = boxes(dataset.edited).tolist()
        return {path: None if box[0] < 0 else box for path, box in zip(paths, edges, strict=True)}
    return dict(zip(paths, dataset.edited[_COLUMNS[kind]], strict=True))


def _checked_box(path: str, box: Sequence[float], width: int, height: int) -> list[int]:
    try:
        left, top, right, bottom = edges = [int(edge) for edge in box]
        whole = edges == list(box)
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole or not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise DatasetError(
            f"The box of {path} is {box!r}.",
            f"It should be left, top, right, bottom in whole pixels, with left < right <= {width} and "
            f"top < bottom <= {height}, counted from 0.",
            "Draw it inside the image.",
        )
    return edges


def _checked_partition(value: Any) -> str | None:
    if value is not None and value not in PARTITIONS:
        raise DatasetError(f"There is no partition {value!r}.", f"There are {', '.join(PARTITIONS)}.", "Choose one.")
    return value


class _NameCheck:
    """A label or a group as it is kept. Letters with accents have two spellings that look alike; the one that the
    dataset uses already is taken."""

    def __init__(self, dataset: Dataset, kind: str) -> None:
        self._what = _COLUMNS[kind]
        self._known = {_composed(name): name for name in dataset.edited[self._what].unique()}

    def __call__(self, value: object) -> str:
        if not isinstance(value, str):
            raise DatasetError(f"The {self._what} is {value!r}.", "It should be text.")
        name = value.strip()
        if not name and self._what == "label":
            raise DatasetError("The new label is empty.", "Every image has a class.", "Name the class.")
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            raise DatasetError(f"The {self._what} {name!r} holds a line break or the like.", "", "Type it anew.")
        return self._known.get(_composed(name), _text(f"The {self._what}", name, LONGEST_NAME))


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _text(what: str, text: str, longest: int) -> str:
    text = text.strip().encode("utf-8", "replace").decode()
    if len(text) > longest:
        raise DatasetError(f"{what} has {len(text)} characters.", f"At most {longest} are kept.", "Shorten it.")
    return text


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
