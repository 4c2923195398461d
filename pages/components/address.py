"""Values that stand in the address of the page, so that a reload or a sent link shows the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import streamlit as st

from cfu_core.settings import Setting

PAGE = "current_page"


@contextmanager
def in_url(key: str, default: Any, allowed: Callable[[Any], bool], *, always: bool = False) -> Iterator[None]:
    """Tie the widget made in this block to the URL: what a link says goes in, what the widget says comes out.

    Parameters
    ----------
    key : str
        Of the widget, and in the URL.
    default : Any
        Value where nothing was chosen; not written to the URL unless `always`.
    allowed : callable
        Whether a value makes sense; what does not is left aside. A link may say anything.
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
    # else it is left alone: setting it in every run would take back what a hand does meanwhile
    yield
    value = st.session_state[kept] = st.session_state[key]
    if value is None or (value == default and not always):
        st.query_params.pop(key, None)
    else:
        st.query_params[key] = value if isinstance(value, list) else str(value)


def linked(key: str, default: Any, allowed: Callable[[Any], bool]) -> tuple[Any, bool]:
    """A value that no widget of Streamlit's holds, and whether the page was just opened.

    It comes from the link on arrival, else it is what `link` kept.
    """
    value = st.session_state.get(f"{key}_kept", default)
    arrived = arrived_on(f"{key}_linked_on")
    if arrived and key in st.query_params:
        value = parsed(st.query_params.get_all(key), default)
    value = value if value is not None and allowed(value) else default
    link(key, value, default)
    return value, arrived


def keep(key: str, value: Any, default: Any) -> None:
    """Set from a callback what `in_url` or `linked` holds under `key`."""
    link(key, value, default)
    st.session_state[key] = value


def link(key: str, value: Any, default: Any) -> None:
    """Keep a value for the visit, and in the URL unless it is the default."""
    st.session_state[f"{key}_kept"] = value
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != str(value):
        st.query_params[key] = str(value)


def arrived_on(memory: str) -> bool:
    """Whether the page has just been opened or switched to, as seen by whoever keeps `memory` in the session."""
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
    """A select box whose identifier stands in the URL under `key`."""
    with in_url(key, default, lambda value: value in options, always=True):
        return st.selectbox(label, options, key=key, format_func=names, **kwargs)


def linked_slider(key: str, declared: Setting, default: Any) -> Any:
    """A slider made from a setting's declaration, in the URL."""
    kind = type(default)
    low, high, step = (kind(value) for value in (declared.minimum, declared.maximum, declared.step))
    with in_url(key, default, lambda value: low <= value <= high):
        return st.slider(declared.label, low, high, step=step, key=key, help=declared.help)
