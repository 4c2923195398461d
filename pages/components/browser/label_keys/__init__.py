"""Labels that a user gives to images by keys, in a grid or in the large view.

The browser numbers the labels and sends all of them until Python has confirmed them, because of two messages that come
while a script runs Streamlit keeps only the later one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from pages.components.browser.messages import read_part
from pages.components.edit_lock import edit_lock

LABELS_JS = read_part(Path(__file__).parent, "label_keys.js")
_RESERVED = "b"  # shows and hides the boxes in the large view


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
    return {"key": key, "classes": dict(classes), "confirmed": st.session_state.get(_confirmed(key), 0)}


def pass_labels(key: str, classes: Mapping[str, str], on_label: Callable[[dict[str, str]], None]) -> None:
    """Call `on_label` with the class of each image for which the browser sent a new label, and confirm these labels."""
    with edit_lock():
        labels = _new_labels(key, classes)
        if labels:
            on_label(labels)


def _new_labels(key: str, classes: Mapping[str, str]) -> dict[str, str]:
    sent = (st.session_state.get(key) or {}).get("labels") or []
    last = st.session_state.get(_confirmed(key), 0)
    labels: dict[str, str] = {}
    for one in sent:
        if isinstance(one, dict) and isinstance(one.get("number"), int) and one["number"] > last:
            st.session_state[_confirmed(key)] = one["number"]
            label = classes.get(str(one.get("key")))
            if label:
                labels |= dict.fromkeys(map(str, one.get("ids", ())), label)
    return labels


def _confirmed(key: str) -> str:
    return f"{key}:labels"
