"""Labelling by keys on Explore: which key stands for which class, and which image to label next."""

from collections.abc import Mapping

import streamlit as st

from cfu_core.dataset.audit.filtering import Filter
from cfu_core.dataset.dataset import Dataset
from pages.components.address import set_value
from pages.components.browser.label_keys import keys_of
from pages.components.explore.filters import set_filter
from pages.components.page_layout import escaped

_MOST_CLASSES = 9  # one for each of the keys 1 to 9


def current_keys(data: Dataset) -> dict[str, str]:
    """Return the class of each key; empty if labelling by keys is off."""
    return keys_of(_classes(data)) if st.session_state.get(_on(data), data.unlabelled > 0) else {}


def label_keys(data: Dataset) -> dict[str, str]:
    """Show the switch and the keys; return the class of each key, or nothing if labelling by keys is off."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        on = st.toggle(
            "Label by keys",
            st.session_state.get(_on(data), data.unlabelled > 0),
            key=f"label_switch_{data.id}",
            help="Press 1 to 9, or the first letter of a class, to give this class to the selected images, or to the "
            "image that has the focus. Each label can be undone.",
        )
        st.session_state[_on(data)] = on
        if on and data.unlabelled:
            st.button(
                "Show what to label next", icon=":material/label_important:", on_click=_show_next, key="label_next"
            )
    if not on:
        return {}
    known = _classes(data)
    chosen = st.multiselect(
        "Classes of the keys 1 to 9",
        sorted({*data.classes, *known}),
        default=known,
        accept_new_options=True,
        max_selections=_MOST_CLASSES,
        placeholder="Type the name of a class, for example CFU-E",
        key=f"label_choice_{data.id}",
    )
    st.session_state[_chosen(data)] = [name.strip() for name in chosen if name.strip()]
    keys = current_keys(data)
    st.caption(keys_in_words(keys))
    return keys


def keys_in_words(keys: Mapping[str, str]) -> str:
    """Return a line of Markdown that says which key stands for which class."""
    of_class: dict[str, list[str]] = {}
    for key, name in keys.items():
        of_class.setdefault(name, []).append(key.upper())
    return " · ".join(f"**{' or '.join(pressed)}** {escaped(name)}" for name, pressed in of_class.items())


def _show_next() -> None:
    """Show the images without a class, first those that are about equally near to two classes on the map."""
    set_filter(Filter(classes=("",)))
    set_value("sort", "labelling_order", "path")
    set_value("down", False, False)


def _classes(data: Dataset) -> list[str]:
    return st.session_state.get(_chosen(data), data.classes[:_MOST_CLASSES])


def _on(data: Dataset) -> str:
    return f"label_by_keys_{data.id}"


def _chosen(data: Dataset) -> str:
    return f"label_classes_{data.id}"
