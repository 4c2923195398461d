"""Fewer pauses for garbage collection, which a hand on a slider would feel."""

import gc
import sys

import streamlit as st


def set_modules_aside() -> None:
    """Take what the imported libraries made out of every later search for garbage; call it at the end of a run.

    It is over a hundred thousand objects that stay for good; to search them takes some 60 ms each time.
    """
    _set_aside(len(sys.modules))


@st.cache_resource(show_spinner=False, max_entries=1)
def _set_aside(modules: int) -> None:  # noqa: ARG001 - once more when a page has imported others
    gc.collect()
    gc.freeze()
