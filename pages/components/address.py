"""Values that are part of the page's URL, so that a reload or a shared link shows the same page."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

PAGE = "current_page"
RUN = "script_run"  # number of runs of the whole script, without those of a fragment


def begin_run(page: str) -> None:
    """Record that a run of the whole script has begun, and which page it shows."""
    st.session_state[PAGE] = page
    st.session_state[RUN] = st.session_state.get(RUN, 0) + 1


@contextmanager
def in_url(key: str, default: Any, allowed: Callable[[Any], bool], *, always: bool = False) -> Iterator[None]:
    """Synchronise the widget created in this block with the URL: read its value from a link, and write it back.

    Parameters
    ----------
    key : str
        Key of the widget, and name of the URL parameter.
    default : Any
        Value if none was chosen; not written to the URL unless `always`.
    allowed : callable
        Whether a value is valid; an invalid one is replaced by the default. A link may contain anything.
    always : bool
        Whether the default is written to the URL as well.
    """
    kept = f"{key}_kept"
    arrived = just_opened(f"{key}_shown_on")
    if arrived or key not in st.session_state:  # Streamlit discards the value of a widget that a page does not show
        value = st.session_state.get(kept, default)
        if arrived and key in st.query_params:
            value = parsed(st.query_params.get_all(key), default)
        st.session_state[key] = value if value is not None and allowed(value) else default
    elif not allowed(st.session_state[key]):
        st.session_state[key] = default
    elif _reappears(key):
        # the browser creates the widget anew and shows its default unless the value is assigned
        st.session_state[key] = st.session_state[key]
    # otherwise the value is not assigned: that would undo what the user enters while the script runs
    yield
    value = st.session_state[kept] = st.session_state[key]
    if value is None or (value == default and not always):
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value if isinstance(value, list) else str(value)


def _reappears(key: str) -> bool:
    """Return whether the previous run did not show the widget."""
    now, last = st.session_state[RUN], st.session_state.get(f"{key}_run", 0)
    st.session_state[f"{key}_run"] = now
    return last < now - 1


def linked_value(key: str, default: Any, allowed: Callable[[Any], bool]) -> tuple[Any, bool]:
    """Return a value that is not in a widget of Streamlit, and whether the page was just opened.

    When the page is opened, the value comes from the URL; later it is the one that `store_value` stored.
    """
    value = st.session_state.get(f"{key}_kept", default)
    arrived = just_opened(f"{key}_linked_on")
    if arrived and key in st.query_params:
        value = parsed(st.query_params.get_all(key), default)
    value = value if value is not None and allowed(value) else default
    store_value(key, value, default)
    return value, arrived


def set_value(key: str, value: Any, default: Any) -> None:
    """Set the value that `in_url` or `linked_value` manages under `key`; for callbacks."""
    store_value(key, value, default)
    st.session_state[key] = value


def store_value(key: str, value: Any, default: Any) -> None:
    """Store a value for the session, and in the URL unless it is the default."""
    st.session_state[f"{key}_kept"] = value
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != str(value):
        st.query_params[key] = str(value)


def just_opened(memory: str) -> bool:
    """Return whether the page was just opened; `memory` is a session-state key of the caller's own."""
    arrived = st.session_state.get(memory) != st.session_state[PAGE]
    st.session_state[memory] = st.session_state[PAGE]
    return arrived


def parsed(texts: list[str], default: Any) -> Any:
    """Return the value of a URL parameter in the type of its default, or None if it has another type."""
    try:
        if isinstance(default, list):
            return texts
        if isinstance(default, bool):
            return texts[-1] == "True"
        return texts[-1] if default is None else type(default)(texts[-1])
    except ValueError:
        return None


def url_choice(
    label: str, options: Sequence[str], *, key: str, names: Callable[[str], str], default: str, **kwargs: Any
) -> str | None:
    """Show a select box whose value is in the URL under `key`."""
    with in_url(key, default, lambda value: value in options, always=True):
        return st.selectbox(label, options, key=key, format_func=names, **kwargs)
