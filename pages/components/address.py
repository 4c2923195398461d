"""Values that stand in the address of the page, so that a reload or a sent link shows the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

PAGE = "current_page"
RUN = "script_run"  # counts the runs of the whole script; runs of a fragment do not count


def begin_run(page: str) -> None:
    """Note that the script runs from its beginning, and which page it shows."""
    st.session_state[PAGE] = page
    st.session_state[RUN] = st.session_state.get(RUN, 0) + 1


@contextmanager
def in_url(key: str, default: Any, allowed: Callable[[Any], bool], *, always: bool = False) -> Iterator[None]:
    """Tie the widget made in this block to the address: it takes the value of a link, and writes its own there.

    Parameters
    ----------
    key : str
        Of the widget, and in the address.
    default : Any
        Value where nothing was chosen; not written to the address unless `always`.
    allowed : callable
        Whether a value makes sense; another one is ignored. A link may hold anything.
    """
    kept = f"{key}_kept"
    arrived = arrived_on(f"{key}_shown_on")
    if arrived or key not in st.session_state:  # Streamlit forgets a widget that a page does not show
        value = st.session_state.get(kept, default)
        if arrived and key in st.query_params:
            value = parsed(st.query_params.get_all(key), default)
        st.session_state[key] = value if value is not None and allowed(value) else default
    elif not allowed(st.session_state[key]):
        st.session_state[key] = default
    elif _reappears(key):
        # the browser makes the widget anew and shows its default, unless it is told the value
        st.session_state[key] = st.session_state[key]
    # otherwise it is left alone: setting it in each run would take back what a person does meanwhile
    yield
    value = st.session_state[kept] = st.session_state[key]
    if value is None or (value == default and not always):
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value if isinstance(value, list) else str(value)


def _reappears(key: str) -> bool:
    """Return whether the widget was not shown by the run before this one."""
    now, last = st.session_state[RUN], st.session_state.get(f"{key}_run", 0)
    st.session_state[f"{key}_run"] = now
    return last < now - 1


def linked(key: str, default: Any, allowed: Callable[[Any], bool]) -> tuple[Any, bool]:
    """Return a value that no widget of Streamlit's holds, and whether the page was just opened.

    On arrival it comes from the link, otherwise it is what `link` kept.
    """
    value = st.session_state.get(f"{key}_kept", default)
    arrived = arrived_on(f"{key}_linked_on")
    if arrived and key in st.query_params:
        value = parsed(st.query_params.get_all(key), default)
    value = value if value is not None and allowed(value) else default
    link(key, value, default)
    return value, arrived


def keep(key: str, value: Any, default: Any) -> None:
    """Set the value that `in_url` or `linked` holds under `key`; for callbacks."""
    link(key, value, default)
    st.session_state[key] = value


def link(key: str, value: Any, default: Any) -> None:
    """Keep a value for the visit, and in the address unless it is the default."""
    st.session_state[f"{key}_kept"] = value
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != str(value):
        st.query_params[key] = str(value)


def arrived_on(memory: str) -> bool:
    """Return whether the page has just been opened; `memory` is the caller's own key in the session."""
    arrived = st.session_state.get(memory) != st.session_state[PAGE]
    st.session_state[memory] = st.session_state[PAGE]
    return arrived


def parsed(texts: list[str], default: Any) -> Any:
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
    """Show a select box whose value stands in the address under `key`."""
    with in_url(key, default, lambda value: value in options, always=True):
        return st.selectbox(label, options, key=key, format_func=names, **kwargs)
