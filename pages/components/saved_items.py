"""Things kept under a name, as a list in a popover: take one, forget one, keep another."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from cfu_core.errors import CfuError

_Kept = TypeVar("_Kept")


def listed(
    found: Mapping[str, _Kept],
    *,
    noun: str,
    take: Callable[[_Kept], None],
    forget: Callable[[str], None],
    about: Callable[[_Kept], str | None] = lambda _: None,
) -> None:
    """A line each, with a button that takes it and one that forgets it.

    Parameters
    ----------
    found : mapping
        By name.
    noun : str
        What they are, "recipe"; in words and in the buttons' keys.
    take, forget : callable
        Called with the thing, and with its name.
    about : callable
        What is told of a thing when the mouse rests on it.
    """
    for name, kept in found.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            key = f"{noun}_open_{name}"
            st.button(name, key=key, on_click=take, args=(kept,), help=about(kept), width="stretch")
            st.button(
                "",
                icon=":material/delete:",
                key=f"{noun}_delete_{name}",
                help=f"Forget the {noun} {name}",
                on_click=forget,
                args=(name,),
                type="tertiary",
            )


def keep_button(label: str, name: str, *, noun: str, icon: str, keep: Callable[[], None]) -> None:
    """Keep one under this name; a name that cannot be used is said so."""
    if st.button(label, key=f"{noun}_keep", icon=icon, disabled=not name.strip()):
        try:
            keep()
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()
