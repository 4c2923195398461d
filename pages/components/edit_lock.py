"""A lock for edits of one session.

If a user acts again while a script runs, Streamlit starts the next run in another thread at once, and the first run may
still be saving an edit. The lock makes the next run wait, so that it neither saves its edit first nor shows the dataset
without the first one.
"""

import threading

import streamlit as st


def edit_lock() -> threading.RLock:
    """Return the lock of the session. Hold it while an edit is saved; acquire it once before a dataset is read."""
    return st.session_state.setdefault("edit_lock", threading.RLock())
