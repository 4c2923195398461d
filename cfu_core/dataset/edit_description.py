"""Descriptions of edits of a dataset in one line of text."""

from collections.abc import Mapping
from typing import Any

from cfu_core.dataset.history import Edit
from cfu_core.imaging.planes import picture_in_words
from cfu_core.wording import first_of, plural

SHOWN = 3  # values and paths that are listed
_DONE = {
    "relabel": "relabelled as {}",
    "exclude": "excluded",
    "include": "included again",
    "group": "assigned to group {}",
    "box": "with the colony box set by hand",
    "partition": "moved to the partition {}",
    "range": "with the range of samples {}",
    "plane": "with {} of the file",
}
_RESET = {  # of images whose new value is None or ""
    "group": "removed from {} group",
    "box": "reset to the automatic colony box",
    "partition": "returned to the split",
}


def describe_changes(kind: str, changes: Mapping[str, Any]) -> str:
    """Describe what an edit does to how many images.

    Parameters
    ----------
    kind : str
        One of `cfu_core.dataset.history.KINDS`.
    changes : mapping of str to Any
        New value by path, as in `cfu_core.dataset.history.Edit`; not empty.

    Returns
    -------
    str
        For example ``2 images relabelled as CFU-GM`` or ``1 image moved to the partition test, 1 image returned to the
        split``. The first `SHOWN` different values are listed; further values are counted. Boxes are not listed.
    """
    reset = sum(value in (None, "") for value in changes.values()) if kind in _RESET else 0
    parts = []
    if done := len(changes) - reset:
        values = list(dict.fromkeys(_text(kind, value) for value in changes.values() if value not in (None, "")))
        parts.append(f"{plural(done, 'image')} {_DONE[kind].format(first_of(values, SHOWN))}")
    if reset:
        parts.append(f"{plural(reset, 'image')} {_RESET[kind].format('its' if reset == 1 else 'their')}")
    return ", ".join(parts)


def _text(kind: str, value: Any) -> str:
    if kind == "range":
        return f"{value[0]:g} to {value[1]:g}"
    return picture_in_words(value) if kind == "plane" else str(value)


def describe_edit(edit: Edit) -> str:
    """Describe an edit in one line of text.

    Returns
    -------
    str
        For example ``2 images relabelled as CFU-GM: A/01.jpg, A/02.jpg`` or ``undo of edit 2``. Values are listed as by
        `describe_changes`. The first `SHOWN` paths are listed; further paths are counted.
    """
    if edit.kind in ("undo", "redo"):
        return f"{edit.kind} of edit {edit.changes['edit']}"
    return f"{describe_changes(edit.kind, edit.changes)}: {first_of(list(edit.changes), SHOWN)}"
