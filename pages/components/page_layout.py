"""Layout elements of all pages: heading, panels, tabs, icon buttons."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from cfu_core.errors import CfuError
from pages.components.address import in_url

#: Hides the label of an icon button, which screen readers read; it is also shown as a tooltip.
_ICON_ONLY = (
    "[class*=st-key-icon-only] [data-testid=stMarkdownContainer] "
    "{position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)}"
)


def icon_button(label: str, *, icon: str, key: str, **kwargs: Any) -> bool:
    """Show a button with an icon only; the label is its accessible name and its tooltip."""
    with st.container(key=f"icon-only-{key}", width="content"):
        return st.button(label, icon=icon, key=key, help=label, **kwargs)


def icon_popover(label: str, *, icon: str, key: str) -> Any:
    """Return a popover whose button has an icon only; the label is its accessible name and its tooltip."""
    with st.container(key=f"icon-only-{key}", width="content"):
        return st.popover(label, icon=icon, help=label)


def succeeded(action: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    """Call a function and return whether it succeeded; if it raised a CfuError, show the message."""
    try:
        action(*args, **kwargs)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return False
    return True


def escaped(text: str) -> str:
    """Return a text with its special characters escaped, so that Markdown shows it unchanged."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|$:<>~-])", r"\\\1", text)


def panel(key: str, names: Sequence[str]) -> str:
    """Show a choice of panels, which is part of the URL, and return the name of the open one.

    Unlike ``st.tabs``, this keeps the closed panels out of the page, which the live view updates many times a second.
    """
    with in_url(key, names[0], names.__contains__):
        open_now = st.segmented_control("Panel", names, key=key, required=True, label_visibility="collapsed")
    return open_now or names[0]


def in_tabs(views: Mapping[str, Callable[[Any], None]], shown: Any, *, key: str, first: str | None = None) -> None:
    """Show each view of `shown` in a tab; only the open tab is computed. `first` is the tab that is open initially."""
    for tab, view in zip(st.tabs(list(views), key=key, on_change="rerun", default=first), views.values(), strict=True):
        if tab.open:
            with tab:
                view(shown)


def header(title: str, caption: str) -> None:
    """Show the title of a page and a caption, and apply the style sheets that all pages share."""
    if st.context.theme.type == "dark":
        # Streamlit writes white text on the primary colour, which is pale in the dark theme
        ink = st.get_option("theme.dark.backgroundColor")
        on_primary = "[data-testid=stBaseButton-primary]:not(:disabled), [data-testid=stMultiSelect] [data-tag] *"
        st.html(f"<style>{on_primary} {{color: {ink}}}</style>")
    st.html(f"<style>{_ICON_ONLY}</style>")
    st.title(title, anchor=False)
    st.caption(caption)
