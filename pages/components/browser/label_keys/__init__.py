"""Labels that a user gives to images by keys, in a grid or in the large view.

The browser numbers the labels and sends all of them until Python has confirmed them, because of two messages that come
while a script runs Streamlit keeps only the later one.

Streamlit may stop a run at any access to the session state and does not repeat a callback that was stopped. A label is
therefore confirmed only after it was saved, without such an access in between, and the component looks for labels that
no callback has saved each time it is shown.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from pages.components.browser.messages import read_part
from pages.components.edit_lock import edit_lock, shared_value

LABELS_JS = read_part(Path(__file__).parent, "label_keys.js")
_RESERVED = "b"  # shows and hides the boxes in the large view


@dataclass
class _Confirmed:
    """The number of the last label that Python has, and the session of the user in which labels are numbered."""

    number: int = 0
    session: str = field(default_factory=lambda: secrets.token_hex(8))


def keys_of(classes: list[str]) -> dict[str, str]:
    """Return the class of each key: 1 to 9 in the order of the classes, and first letters that are unique."""
    keys = {str(number): name for number, name in enumerate(classes[:9], start=1)}
    initials = [name[:1].lower() for name in classes]
    letters = {
        letter: name
        for letter, name in zip(initials, classes, strict=True)
        if letter.isalpha() and letter not in _RESERVED and initials.count(letter) == 1
    }
    return keys | letters


def label_header(key: str, classes: Mapping[str, str]) -> dict[str, Any]:
    """Return what the browser needs to give labels: the class of each key, and the last label that Python has."""
    confirmed = _confirmed(key)
    return {"key": key, "session": confirmed.session, "classes": dict(classes), "confirmed": confirmed.number}


def pass_labels(
    key: str, on_label: Callable[[dict[str, str]], bool], *, timeout: float = -1
) -> tuple[dict[str, str], bool]:
    """Call `on_label` with the class of each image for which the browser sent a new label, and confirm these labels.

    Call it in the callback of the component, and again before the component is shown, for labels whose callback was
    stopped.

    Parameters
    ----------
    key : str
        Key of the component.
    on_label : callable
        Saves the labels and returns whether that succeeded. It must not use Streamlit after it has saved them.
    timeout : float
        Longest time to wait for another edit of the session, in seconds; -1 means no limit. Afterwards the labels
        are left to the run that saves that edit and to later runs.

    Returns
    -------
    (dict of str to str, bool)
        The new labels, and whether they were saved.
    """
    confirmed = _confirmed(key)
    sent = (st.session_state.get(key) or {}).get("labels") or []
    sent = [one for one in sent if _is_label(one) and one["session"] == confirmed.session]
    lock = edit_lock()
    if not any(one["number"] > confirmed.number for one in sent) or not lock.acquire(timeout=timeout):
        return {}, False
    try:
        labels: dict[str, str] = {}
        for one in sent:
            if one["number"] > confirmed.number:  # another run may have saved it meanwhile
                labels |= dict.fromkeys(map(str, one["ids"]), one["label"])
        saved = on_label(labels) if labels else False
        confirmed.number = max(confirmed.number, *(one["number"] for one in sent))
    finally:
        lock.release()
    return labels, saved


def _is_label(one: object) -> bool:
    """Return whether a message of the browser has the parts of a label."""
    return (
        isinstance(one, dict)
        and type(one.get("number")) is int
        and isinstance(one.get("session"), str)
        and isinstance(one.get("label"), str)
        and isinstance(one.get("ids"), list)
    )


def _confirmed(key: str) -> _Confirmed:
    return shared_value(f"{key}:labels", _Confirmed)
