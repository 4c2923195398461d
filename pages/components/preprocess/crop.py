"""The crop: what was found, a box that can be dragged, and a whole class at a glance."""

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
from pages.components.address import in_url, keep
from pages.components.browser.boxes import MarkedBox
from pages.components.browser.tiles import Tile, tiles
from pages.components.browser.viewer import viewer
from pages.components.cached import View
from pages.components.image_choice import displayable

PER_SHEET = 60
FOUND, GIVEN = (200, 30, 80), (30, 110, 200)  # the box found, and the box given by a person


def boxes_of(view: View, row: int) -> list[MarkedBox]:
    """The colony's box as it counts for the crop."""
    given = view.data.box(row)
    if given is not None:
        return [MarkedBox(given, "set by hand", "by hand")]
    found = found_box(view, row)
    return [MarkedBox(found, f"found, confidence {_confidence(view, row)}", "automatic")] if found else []


def found_box(view: View, row: int) -> Box | None:
    """The box that the survey found."""
    edges = view.table[["colony_left", "colony_top", "colony_right", "colony_bottom"]].iloc[row].to_numpy(float)
    return Box(*(int(edge) for edge in edges)) if np.isfinite(edges).all() else None


def _confidence(view: View, row: int) -> str:
    value = view.table["colony_confidence"].iat[row]
    return "unknown" if np.isnan(value) else f"{value:.0%}"


def crop_editor(view: View, row: int) -> None:
    """One image with its box; a drag is kept as an edit."""
    data = view.data
    path = data.images["path"].iat[row]
    given = data.box(row)
    st.caption(
        "Drag the box or its corners; it is kept with the dataset, on record, and every later crop uses it."
        if given is None
        else "This box was set by hand. Every crop uses it."
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
            "Back to the automatic box",
            icon=":material/auto_fix_high:",
            key="box_automatic",
            disabled=given is None,
            on_click=editing.set_box,
            args=(data, path, None),
        )
        editing.undo_buttons(data)


def contact_sheet(view: View, label: str, margin: float) -> None:
    """The boxes of a whole class; those found with the least confidence first."""
    table = view.table
    passes = (table["label"] == label).to_numpy()
    rows = sorted_rows(table, passes, by="colony_confidence")
    pages = max(1, -(-len(rows) // PER_SHEET))
    st.caption("The least certain first. The inner box is the colony, the outer square is cut. Double-click to edit.")
    with in_url("sheet", 1, lambda value: 1 <= value <= pages):
        first = (st.session_state["sheet"] - 1) * PER_SHEET
        with st.container(height=560, border=False):
            tiles(
                [_sheet_tile(view, int(row), margin) for row in rows[first : first + PER_SHEET]],
                key=f"crops_{view.data.id}",
                size=120,
                label="Crops",
                on_open=lambda path: keep("image", path, ""),
            )
        st.pagination(pages, key="sheet")


def _sheet_tile(view: View, row: int, margin: float) -> Tile:
    path = view.table["path"].iat[row]
    given = view.data.box(row)
    box = given or found_box(view, row)
    try:
        digest = view.table["digest"].iat[row]
        picture = _with_boxes(digest, box, margin, GIVEN if given else FOUND, view.data, row)
    except CfuError as error:
        return Tile(id=path, picture=b"", title="cannot be read", subtitle=path, warning=str(error))
    title = "by hand" if given else (f"confidence {_confidence(view, row)}" if box else "nothing found")
    return Tile(id=path, picture=picture, title=title, subtitle=path.rsplit("/", 1)[-1])


@st.cache_data(max_entries=600, show_spinner=False)
def _with_boxes(
    digest: str,  # noqa: ARG001 - the row of an image changes when another is excluded
    box: Box | None,
    margin: float,
    color: tuple[int, int, int],
    _data: Dataset,
    _row: int,
) -> bytes:
    picture = decode(cached.thumbnail(_data, _row), name=_data.images["path"].iat[_row])
    if box:
        scale = picture.shape[1] / _data.images["width"].iat[_row]
        for edges, thick in ((box, 2), (square_around(box, margin), 1)):
            corners = [round(edge * scale) for edge in edges]
            cv2.rectangle(picture, (corners[0], corners[1]), (corners[2], corners[3]), color, thick, cv2.LINE_AA)
    return encode_jpeg(picture)
