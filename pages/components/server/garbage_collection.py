"""Shorter pauses for garbage collection, which would be noticeable while a slider is dragged."""

import gc
import sys

import streamlit as st


def freeze_imported_modules() -> None:
    """Exclude the objects of imported libraries from garbage collection; call it at the end of a run.

    These are over a hundred thousand permanent objects; a collection that examines them takes about 60 ms.
    """
    _freeze(len(sys.modules))


@st.cache_resource(show_spinner=False, max_entries=1)
def _freeze(modules: int) -> None:  # noqa: ARG001 - run again when a page has imported other modules
    gc.collect()
    gc.freeze()
