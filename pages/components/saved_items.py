"""Items that are saved under a name: a list to use or delete them, and a button to save another."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import streamlit as st

from cfu_core.errors import CfuError
from pages.components.page_layout import icon_button

_Item = TypeVar("_Item")


def saved_items_list(
    found: Mapping[str, _Item],
    *,
    noun: str,
    on_use: Callable[[_Item], None],
    on_delete: Callable[[str], None],
    help_text: Callable[[_Item], str | None] = lambda _: None,
) -> None:
    """Show a row for each item, with a button that uses it and one that deletes it.

    Parameters
    ----------
    found : mapping
        Items by name.
    noun : str
        What the items are, such as "recipe"; part of the labels and of the keys.
    on_use : callable
        Called with the item that is to be used.
    on_delete : callable
        Called with the name of the item that is to be deleted.
    help_text : callable
        Returns the help text of an item.
    """
    for name, item in found.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            key = f"{noun}_open_{name}"
            st.button(name, key=key, on_click=on_use, args=(item,), help=help_text(item), width="stretch")
            icon_button(
                f"Delete {noun} {name}",
                icon=":material/delete:",
                key=f"{noun}_delete_{name}",
                on_click=on_delete,
                args=(name,),
                type="tertiary",
            )


def save_button(label: str, name: str, *, noun: str, icon: str, on_save: Callable[[], None]) -> None:
    """Show a button that saves an item under a name, and the error if that is not possible."""
    if st.button(label, key=f"{noun}_keep", icon=icon, disabled=not name.strip()):
        try:
            on_save()
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()
