"""A lock for edits of one session, and values of a session that two runs of the script share.

If a user acts again while a script runs, Streamlit tells the first run to stop and starts the next one in another
thread at once. The first run stops only at its next use of Streamlit, such as an access to the session state, also in
the middle of a callback; until then it may still be saving an edit. Two rules follow.

- The next run waits for the lock, so that it neither saves its edit first nor shows the dataset without the first one.
- What must be stored together with an edit, such as a message about it, is stored in an object that was fetched before
  the edit is saved, because the run may stop at any access to the session state afterwards.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import streamlit as st

LONGEST_WAIT = 2.0  # seconds that a page waits for an edit before it is shown without it; saving may take minutes
T = TypeVar("T")
_CREATION = threading.Lock()


def edit_lock() -> threading.RLock:
    """Return the lock of the session. Hold it while an edit is saved; wait for it before a dataset is read."""
    return shared_value("edit_lock", threading.RLock)


def shared_value(key: str, create: Callable[[], T]) -> T:
    """Return the value of a session-state key, created at the first use: one object, also for two runs at once."""
    with _CREATION:  # reading and writing the session state are two steps
        return st.session_state.setdefault(key, create())
