"""The crop panel: an editor for the colony box of one image, and the boxes of a whole class."""

import cv2
import numpy as np
import streamlit as st

from cfu_core.dataset.audit.image_table import sorted_rows
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.cropping import Box, square_around
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.reading import decode
from pages.components import cached, editing
from pages.components.address import in_url, set_value
from pages.components.browser.boxes import BY_HAND, BY_HAND_COLOR, FOUND, FOUND_COLOR, MarkedBox, sure
from pages.components.browser.tiles import Tile, tiles
from pages.components.browser.viewer import viewer
from pages.components.cached import View
from pages.components.image_choice import displayable
from pages.components.page_layout import escaped

PER_PAGE = 60


def boxes_of(view: View, row: int) -> list[MarkedBox]:
    """Return the colony box that the crop uses, in a list; an empty list if there is none."""
    by_hand = view.data.box(row)
    if by_hand is not None:
        return [MarkedBox(by_hand, by_hand=True)]
    edges = view.table[["colony_left", "colony_top", "colony_right", "colony_bottom"]].iloc[row].to_numpy(float)
    if not np.isfinite(edges).all():
        return []
    confidence = view.table["colony_confidence"].iat[row]
    return [MarkedBox(Box(*map(int, edges)), confidence=None if np.isnan(confidence) else float(confidence))]


def box_legend() -> None:
    """Show what the colours and the two boxes of the crop panel mean."""
    found, by_hand = (
        f'<span style="white-space: nowrap"><span aria-hidden="true" style="color: {color}">■</span> {name}</span>'
        for color, name in ((FOUND_COLOR, FOUND), (BY_HAND_COLOR, BY_HAND))
    )
    text = "The inner box is the colony, the outer square is what is kept."
    st.html(f'<div style="font-size: 0.875rem">{found} &nbsp; {by_hand} &nbsp; {text}</div>')


def crop_editor(view: View, row: int) -> None:
    """Show one image with its colony box; a box that the user drags is saved as an edit."""
    data = view.data
    path = data.images["path"].iat[row]
    by_hand = data.box(row) is not None
    st.caption(
        "This box was set by hand. Every crop uses it."
        if by_hand
        else "Drag the box or its corners. The new box is saved in the edit history, and every later crop uses it."
    )
    try:
        picture, mime = displayable(data, row)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    viewer(
        picture,
        path=path,
        mime=mime,
        key=f"crop_viewer_{data.id}",
        boxes=boxes_of(view, row),
        editable=True,
        closable=False,
        has_previous=False,
        has_next=False,
        height=440,
        on_box=lambda box: editing.set_box(data, path, box),
    )
    with st.container(horizontal=True):
        st.button(
            "Reset to the automatic box",
            icon=":material/auto_fix_high:",
            key="box_automatic",
            disabled=not by_hand,
            on_click=editing.set_box,
            args=(data, path, None),
        )
        editing.undo_buttons(data)


def contact_sheet(view: View, label: str, margin: float) -> None:
    """Show the colony boxes of a whole class, the least certain first."""
    table = view.table
    passes = (table["label"] == label).to_numpy()
    rows = sorted_rows(table, passes, by="colony_confidence")
    pages = max(1, -(-len(rows) // PER_PAGE))
    which = f"of the class {escaped(label)}" if label else "without a class"
    st.caption(f"All images {which}, the least certain first. Double-click an image to edit its box.")
    with in_url("sheet", 1, lambda value: 1 <= value <= pages):
        first = (st.session_state["sheet"] - 1) * PER_PAGE
        with st.container(height=560, border=False):
            tiles(
                [_sheet_tile(view, int(row), margin) for row in rows[first : first + PER_PAGE]],
                key=f"crops_{view.data.id}",
                size=120,
                label="Colony boxes",
                on_open=lambda path: set_value("image", path, ""),
            )
        st.pagination(pages, key="sheet")


def _sheet_tile(view: View, row: int, margin: float) -> Tile:
    path = view.table["path"].iat[row]
    mark = next(iter(boxes_of(view, row)), None)
    try:
        picture = _with_boxes(view.table["key"].iat[row], mark, margin, view.data, row)
    except CfuError as error:
        return Tile(id=path, picture=b"", title="Cannot be read", subtitle=path, warning=str(error))
    title = "No colony found" if mark is None else mark.label
    if mark and mark.confidence is not None:
        title = sure(mark.confidence)  # there is no space for more; the colour shows that it was found automatically
    return Tile(id=path, picture=picture, title=title, subtitle=path.rsplit("/", 1)[-1])


@st.cache_data(max_entries=600, show_spinner=False)
def _with_boxes(
    digest: str,  # noqa: ARG001 - the row of an image changes when another is excluded
    mark: MarkedBox | None,
    margin: float,
    _data: Dataset,
    _row: int,
) -> bytes:
    picture = decode(cached.thumbnail(_data, _row), name=_data.images["path"].iat[_row])
    if mark:
        scale = picture.shape[1] / _data.images["width"].iat[_row]
        color = tuple(bytes.fromhex(mark.color[1:]))
        for edges, thickness in ((mark.box, 2), (square_around(mark.box, margin), 1)):
            corners = [round(edge * scale) for edge in edges]
            cv2.rectangle(picture, (corners[0], corners[1]), (corners[2], corners[3]), color, thickness, cv2.LINE_AA)
    return encode_jpeg(picture)
