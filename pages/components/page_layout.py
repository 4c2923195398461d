"""The parts that every page has: heading, panels, tabs."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from pages.components.address import in_url

#: The label of an icon button is its name for a screen reader; sighted people see the icon, and the label on hovering.
_ICON_ONLY = (
    "[class*=st-key-icon-only] [data-testid=stMarkdownContainer] "
    "{position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)}"
)


def icon_button(label: str, *, icon: str, key: str, **kwargs: Any) -> bool:
    """Show a button that looks like an icon and is named by its label."""
    with st.container(key=f"icon-only-{key}", width="content"):
        return st.button(label, icon=icon, key=key, help=label, **kwargs)


def icon_popover(label: str, *, icon: str, key: str) -> Any:
    """Return a popover whose button looks like an icon and is named by its label."""
    with st.container(key=f"icon-only-{key}", width="content"):
        return st.popover(label, icon=icon, help=label)


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is; a name may hold any character."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|$:<>~-])", r"\\\1", text)


def panel(key: str, names: Sequence[str]) -> str:
    """Choose which panel of a page is open, in the address; the others are not computed.

    ``st.tabs`` keeps every panel in the page, and the whole of it is compared at each message of the live view.
    """
    with in_url(key, names[0], names.__contains__):
        open_now = st.segmented_control("Panel", names, key=key, required=True, label_visibility="collapsed")
    return open_now or names[0]


def in_tabs(views: Mapping[str, Callable[[Any], None]], shown: Any, *, key: str, first: str | None = None) -> None:
    """Show several views of one thing, each under a tab; only the open one is computed. `first` is open at first."""
    for tab, view in zip(st.tabs(list(views), key=key, on_change="rerun", default=first), views.values(), strict=True):
        if tab.open:
            with tab:
                view(shown)


def header(title: str, caption: str) -> None:
    """Show the heading of a page."""
    if st.context.theme.type == "dark":
        # Streamlit writes white on its primary colour, which is pale in the dark theme, as text in it has to be
        ink = st.get_option("theme.dark.backgroundColor")
        on_primary = "[data-testid=stBaseButton-primary]:not(:disabled), [data-testid=stMultiSelect] [data-tag] *"
        st.html(f"<style>{on_primary} {{color: {ink}}}</style>")
    st.html(f"<style>{_ICON_ONLY}</style>")
    st.title(title, anchor=False)
    st.caption(caption)
