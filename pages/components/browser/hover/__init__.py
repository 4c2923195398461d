"""A picture beside the pointer while it is over a point of a chart.

The browser reports the point under the pointer, Python answers with its picture, and the browser keeps pictures that
it has seen. A point's text names it.
"""

from pathlib import Path

import streamlit as st

from pages.components.browser.messages import MESSAGES_JS, pack, read_part

_FOLDER = Path(__file__).parent
_HOVER = st.components.v2.component(
    "cfu_hover",
    html='<div class="hover" hidden><img alt=""><span></span></div>',
    css=read_part(_FOLDER, "hover.css"),
    js=MESSAGES_JS + read_part(_FOLDER, "hover.js"),
)


def hovered_point(key: str) -> str:
    """Return the text of the point that the browser asked a picture of; empty at first."""
    state = st.session_state.get(key) or {}
    return state.get("point") or ""


def hover_picture(*, chart: str, key: str, point: str, picture: bytes, caption: str) -> None:
    """Show a picture at the pointer while it is over a point of a chart; call it in a fragment.

    Parameters
    ----------
    chart : str
        Key of the chart on this page.
    key : str
        Of this component.
    point : str
        Text of the point that `picture` shows, from `hovered_point`.
    picture : bytes
        A JPEG or PNG; empty where there is none.
    caption : str
        A short text below the picture.
    """
    _HOVER(
        data=pack({"chart": chart, "point": point, "caption": caption}, [picture]),
        key=key,
        on_point_change=lambda: None,
    )
