"""Edit a dataset: relabel, exclude or group images, draw bounding boxes, assign partitions; undo and redo.

Nothing is overwritten: each edit is a line in the dataset's log (see `cfu_core.dataset.history`), and the current
dataset is the table as imported with this log applied.
"""

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from cfu_core.dataset.catalog import load_dataset, save_edit
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.history import KINDS, Edit, applied_and_undone
from cfu_core.dataset.image_store import store_lock, stored_bytes
from cfu_core.dataset.name_forms import name_key
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.dataset.table import RANGE_COLUMNS, boxes
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.decoding import open_pictures
from cfu_core.imaging.planes import COMPOSITE, FUSED, is_picture, picture_in_words
from cfu_core.imaging.reading import decode
from cfu_core.wording import first_of, plural

LONGEST_NAME = 100  # characters of a label or a group
LONGEST_TEXT = 500  # characters of the editor's name and of the reason


def edit_dataset(dataset_id: str, kind: str, changes: Mapping[str, Any], *, who: str = "", why: str = "") -> Dataset:
    """Edit images of a dataset, and append the edit with its editor and reason to the log of the dataset.

    Edits that were undone can no longer be redone afterwards.

    Parameters
    ----------
    dataset_id : str
        Id or name, as for `cfu_core.dataset.catalog.load_dataset`.
    kind : str
        One of `cfu_core.dataset.history.KINDS`: ``relabel``, ``exclude``, ``include``, ``group``, ``box``,
        ``partition``, ``range`` or ``plane``.
    changes : Mapping
        New value by path of an image, as in `cfu_core.dataset.history.Edit`; the values for ``exclude`` and ``include``
        have no effect. Values equal to the current ones are dropped; if none remains, nothing is written. White space
        around labels and groups is removed. A name that looks like one that another image keeps (see
        `cfu_core.dataset.name_forms.name_key`) is written like that one.
    who, why : str
        Name of the editor and reason, free text of at most `LONGEST_TEXT` characters.

    Returns
    -------
    Dataset
        The dataset after the edit; as it was, if nothing is written.

    Raises
    ------
    DatasetError
        If there is no such dataset or image; the dataset is damaged; no image would remain; a label is empty; a label
        or group is not text, has more than `LONGEST_NAME` characters or a control character; a box is not inside its
        image or not in whole pixels; there is no such partition; an image has no range, or black is not less than
        white; a file has no such picture; or `who` or `why` is too long. Nothing has changed then.
    StorageError
        If the disk is full, the home folder is not writable, or another process has locked the image store for ten
        minutes. Nothing has changed then.
    ValueError
        If there is no such kind of edit.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; there are {', '.join(KINDS)}")
    with store_lock():
        dataset = load_dataset(dataset_id)
        effective = _effective_changes(dataset, kind, changes)
        return _append(dataset, kind, effective, who=who, why=why) if effective else dataset


def undo_edit(dataset_id: str, *, who: str = "") -> Dataset:
    """Undo the latest edit in effect, whoever made it.

    The edit stays in the log, and a line of the kind ``undo`` is appended.

    Parameters
    ----------
    dataset_id : str
        Id or name of the dataset.
    who : str
        Name of the person who undoes the edit, at most `LONGEST_TEXT` characters.

    Returns
    -------
    Dataset
        The dataset without the edit. Its version is one higher, because the undo counts as an edit.

    Raises
    ------
    DatasetError
        If there is no such dataset, it is damaged, no edit is in effect, or `who` is too long.
    StorageError
        If the disk is full, the home folder is not writable, or another process has locked the image store for ten
        minutes. Nothing has changed then.
    """
    with store_lock():
        dataset = load_dataset(dataset_id)
        latest = next_undo(dataset.edits)
        if latest is None:
            raise DatasetError(f"{dataset.name} has no edit that can be undone.", "", "Edit the dataset first.")
        return _append(dataset, "undo", {"edit": latest.number}, who=who)


def redo_edit(dataset_id: str, *, who: str = "") -> Dataset:
    """Redo the edit that was undone last. After a new edit, undone edits can no longer be redone.

    Parameters
    ----------
    dataset_id : str
        Id or name of the dataset.
    who : str
        Name of the person who redoes the edit, at most `LONGEST_TEXT` characters.

    Returns
    -------
    Dataset
        The dataset with the edit. Its version is one higher, because the redo counts as an edit.

    Raises
    ------
    DatasetError
        If there is no such dataset, it is damaged, nothing was undone since the last edit, or `who` is too long.
    StorageError
        If the disk is full, the home folder is not writable, or another process has locked the image store for ten
        minutes. Nothing has changed then.
    """
    with store_lock():
        dataset = load_dataset(dataset_id)
        undone = next_redo(dataset.edits)
        if undone is None:
            raise DatasetError(
                f"Nothing was undone in {dataset.name} since its last edit.",
                "Only an edit that was undone can be redone.",
                "Make the edit again.",
            )
        return _append(dataset, "redo", {"edit": undone.number}, who=who)


def edit_log(dataset_id: str) -> list[Edit]:
    """Return all lines of the log of a dataset, oldest first, including undone edits, undos and redos.

    The list is empty if the dataset was never edited.

    Parameters
    ----------
    dataset_id : str
        Id or name of the dataset.

    Raises
    ------
    DatasetError
        If there is no such dataset, or it is damaged.
    StorageError
        If the log or the home folder is not readable.
    """
    return list(load_dataset(dataset_id).edits)


def next_undo(log: Sequence[Edit]) -> Edit | None:
    """Return the edit that `undo_edit` would undo; None if no edit is in effect.

    Parameters
    ----------
    log : sequence of Edit
        All lines of the log, as in `Dataset.edits`.
    """
    applied, _ = applied_and_undone(log)
    return applied[-1] if applied else None


def next_redo(log: Sequence[Edit]) -> Edit | None:
    """Return the edit that `redo_edit` would redo; None if no edit can be redone.

    Parameters
    ----------
    log : sequence of Edit
        All lines of the log, as in `Dataset.edits`.
    """
    _, undone = applied_and_undone(log)
    return undone[-1] if undone else None


def _append(dataset: Dataset, kind: str, changes: Mapping[str, Any], *, who: str, why: str = "") -> Dataset:
    edit = Edit(
        number=dataset.version + 1,
        when=datetime.now(UTC).isoformat(timespec="milliseconds"),
        who=_text("The name of the editor", who, LONGEST_TEXT),
        why=_text("The reason", why, LONGEST_TEXT),
        kind=kind,
        changes=changes,
    )
    return save_edit(dataset, edit)


def _effective_changes(dataset: Dataset, kind: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Check `changes`, and return those whose value differs from the current one."""
    rows = pd.Index(dataset.imported["path"]).get_indexer(pd.Index(list(changes), dtype="str"))
    unknown = [path for path, row in zip(changes, rows, strict=True) if row < 0]
    if unknown:
        raise DatasetError(
            f"The dataset {dataset.name} does not contain {first_of(unknown, 3)}.",
            f"Its images have names like {dataset.imported['path'].iat[0]}.",
            "Check the spelling.",
        )
    checked: dict[str, Any] = dict.fromkeys(changes)
    if kind in _IMAGE_CHECKS:
        images = dataset.imported.iloc[rows].itertuples(index=False)
        for (path, value), image in zip(changes.items(), images, strict=True):
            checked[path] = _IMAGE_CHECKS[kind](image, value)
    elif kind not in ("exclude", "include"):
        check = _checked_partition if kind == "partition" else _NameCheck(dataset, kind, changes)
        checked_values = {value: check(value) for value in dict.fromkeys(changes.values())}
        checked = {path: checked_values[value] for path, value in changes.items()}
    current = _current_values(dataset, kind)
    effective = {path: value for path, value in checked.items() if current.get(path, _NO_VALUE) != value}
    if kind == "exclude" and len(effective) == len(dataset.images):
        raise DatasetError(
            "This would exclude all remaining images.",
            "A dataset needs at least one image.",
            "Exclude fewer images, or delete the dataset.",
        )
    return effective


_NO_VALUE = object()
_COLUMNS = {"relabel": "label", "group": "group"}


def _current_values(dataset: Dataset, kind: str) -> dict[str, Any]:
    """Return the current values by path, as in an edit of this kind."""
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
    if kind == "range":
        return dict(zip(paths, dataset.edited[RANGE_COLUMNS].astype(object).to_numpy().tolist(), strict=True))
    if kind == "plane":
        return dict(zip(paths, dataset.edited["plane"].fillna(-1).tolist(), strict=True))
    return dict(zip(paths, dataset.edited[_COLUMNS[kind]], strict=True))


def _checked_box(image: Any, box: Sequence[float] | None) -> list[int] | None:
    if box is None:
        return None
    try:
        left, top, right, bottom = edges = [int(edge) for edge in box]
        whole = edges == list(box)
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole or not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise DatasetError(
            f"The box of {image.path} is {box!r}.",
            f"It should be left, top, right, bottom in whole pixels from 0, with left < right <= {image.width} and "
            f"top < bottom <= {image.height}.",
            "Draw it inside the image.",
        )
    return edges


def _checked_plane(image: Any, plane: Any) -> int:
    """Return the number of a picture, if the file of the image has it."""
    only_one = DatasetError(
        f"The file of {image.path} has only one picture.", "", "Choose an image with several pictures."
    )
    if pd.isna(image.plane):
        raise only_one
    if not is_picture(plane):
        raise DatasetError(
            f"The picture of {image.path} is {plane!r}.",
            f"It should be a whole number from 0, {FUSED} (all focal planes fused) or {COMPOSITE} (all channels).",
            "Correct it.",
        )
    try:
        data = stored_bytes(image.digest, image.extension)
        pictures = open_pictures(data)
        if pictures is None or pictures.count == 1:  # all images from before pictures were chosen have a number
            raise only_one
        decode(data, name=image.path, plane=plane)
    except (ImageError, FileNotFoundError) as error:
        what = picture_in_words(plane)
        raise DatasetError(f"{what[0].upper()}{what[1:]} of {image.path} cannot be used: {error}.") from error
    return plane


def _checked_range(image: Any, ends: Sequence[float]) -> list[float]:
    if pd.isna(image.white):
        raise DatasetError(
            f"{image.path} has no range of samples: its samples have 8 bits, or it was imported before ranges were "
            "chosen.",
            "Only a range that was chosen at the import can be changed.",
            "If it has more than 8 bits, import the dataset again.",
        )
    try:
        black, white = map(float, ends)
        valid = math.isfinite(black) and math.isfinite(white) and black < white
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise DatasetError(
            f"The range of {image.path} is {ends!r}.", "It should be two numbers, black less than white.", "Correct it."
        )
    return [black, white]


#: Checks of a value that depends on the image, a row of the table.
_IMAGE_CHECKS: dict[str, Callable[[Any, Any], Any]] = {
    "box": _checked_box,
    "range": _checked_range,
    "plane": _checked_plane,
}


def _checked_partition(value: Any) -> str | None:
    if value is not None and value not in PARTITIONS:
        raise DatasetError(
            f"There is no partition {value!r}.", f"The partitions are {', '.join(PARTITIONS)}.", "Choose one of these."
        )
    return value


class _NameCheck:
    """Checks the name of a class or a group.

    A name that looks like one that another image keeps is written like that one, as in an import. If all its images are
    changed, only its spelling in Unicode is kept, which has two encodings of letters with accents.
    """

    def __init__(self, dataset: Dataset, kind: str, changes: Mapping[str, Any]) -> None:
        self._what = _COLUMNS[kind]
        names = dataset.edited[self._what]
        kept = names[~dataset.edited["path"].isin(list(changes))].value_counts().index.to_list()
        self._composed = {_composed(name): name for name in [*names.unique(), *kept]}
        self._kept = set(kept)
        # of several forms, as of datasets that were imported before they became one, the most frequent
        self._alike = {name_key(name): name for name in reversed(kept) if name}

    def __call__(self, value: object) -> str:
        if not isinstance(value, str):
            raise DatasetError(f"The {self._what} is {value!r}.", "It should be text.", "Enter a name.")
        name = value.strip()
        if not name and self._what == "label":
            raise DatasetError("The new label is empty.", "A class has a name.", "Enter the name of a class.")
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            raise DatasetError(
                f"The {self._what} {name!r} contains a line break or another control character.",
                "It should contain printable characters only.",
                "Type it again.",
            )
        existing = self._composed.get(_composed(name))
        if name and existing not in self._kept:  # an exact form that other images have is left as it is
            existing = self._alike.get(name_key(name), existing)
        new = _text(f"The {self._what}", name, LONGEST_NAME) if existing is None else existing
        self._alike.setdefault(name_key(new), new)  # for the other names of this edit
        return new


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _text(what: str, text: str, longest: int) -> str:
    text = text.strip().encode("utf-8", "replace").decode()
    if len(text) > longest:
        raise DatasetError(
            f"{what} has {plural(len(text), 'character')}.", f"At most {longest} are allowed.", "Shorten it."
        )
    return text
