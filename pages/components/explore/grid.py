"""The grid of Explore: what passes the filter, sorted, a page at a time, with what can be done to the chosen ones."""

from pathlib import PurePosixPath

import numpy as np
import streamlit as st

from cfu_core.dataset.audit.image_table import sorted_rows
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.measures import MEASURES
from pages.components import cached, charts, editing
from pages.components.address import in_url
from pages.components.browser.tiles import Tile, selection, tiles
from pages.components.cached import View
from pages.components.explore.filters import SIZES

PER_PAGE = 60
HEIGHT, FEW = 760, 8  # pixels; the tiles scroll within, so that the figures beside them stay in sight
OPEN = "image"  # in the URL: the image that is shown large
SORTS = {
    "path": "Name",
    "label": "Class",
    **{name: facts.label for name, facts in MEASURES.items()},
    **SIZES,
    "colony_confidence": "Confidence of the crop",
    "copies": "Copies together",
}


def tiles_key(data: Dataset) -> str:
    """The grid's key; a choice does not outlive its dataset."""
    return f"tiles_{data.id}"


def open_large(path: str) -> None:
    """Show one image large from the next run on."""
    st.query_params[OPEN] = path


def order_of(view: View, passes: np.ndarray) -> np.ndarray:
    """The rows that pass, in the order of the grid."""
    by = st.session_state.get("sort_kept", "path")
    down = st.session_state.get("down_kept", False)
    return sorted_rows(view.table, passes, by=by if by in view.table else "path", descending=down)


def grid(view: View, passes: np.ndarray) -> None:
    """Toolbar, tiles and pages."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        with in_url("sort", "path", lambda value: value in SORTS):
            st.selectbox("Sort by", list(SORTS), key="sort", format_func=lambda s: SORTS[s], width=190)
        with in_url("down", False, lambda value: True):
            st.toggle("Highest first", key="down")
        with in_url("tile", 132, lambda value: 72 <= value <= 320):
            size = st.slider("Tile size", 72, 320, step=4, key="tile", width=130)
    rows = order_of(view, passes)
    key = tiles_key(view.data)
    chosen = view.table["path"][view.table["path"].isin(selection(key))].tolist()
    words = f"{len(rows):,} of {len(view.table):,} images"
    editing.toolbar(view.data, chosen, words, key="chosen", tiles_key=key)
    pages = max(1, -(-len(rows) // PER_PAGE))
    with in_url("page", 1, lambda value: 1 <= value <= pages):
        page = st.session_state["page"]
        shown = rows[(page - 1) * PER_PAGE : page * PER_PAGE]
        with st.container(height=HEIGHT if len(shown) > FEW else "content", border=False):
            tiles(
                [tile_of(view, int(row)) for row in shown],
                key=key,
                size=size,
                empty="No image passes these filters. Take one of them away.",
                on_open=open_large,
            )
        st.pagination(pages, key="page")
    st.caption("Click to choose, Shift-click for a range, double-click to see an image large.")


def tile_of(view: View, row: int) -> Tile:
    """One image for a grid, with what the audit says of it."""
    record = view.table.iloc[row]
    kinds = dict.fromkeys(record["findings"].split())
    try:
        picture, broken = cached.thumbnail(view.data, row), ""
    except CfuError as error:
        picture, broken = b"", str(error)
    group = f" · {record['group']}" if record["group"] else ""
    return Tile(
        id=record["path"],
        picture=picture,
        title=record["label"],
        subtitle=PurePosixPath(record["path"]).name + group,
        badge=charts.BADGE.get(record["partition"], ""),
        warning="; ".join([*([broken] if broken else []), *(view.kinds.get(kind, kind) for kind in kinds)]),
    )
