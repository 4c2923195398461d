"""The grid of the Explore page: the filtered images, sorted and in pages, with the edits of the selected ones."""

from pathlib import PurePosixPath

import numpy as np
import streamlit as st

from cfu_core.dataset.audit.image_table import sorted_rows
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.measures import MEASURES
from cfu_core.wording import class_name, plural
from pages.components import cached, charts, editing
from pages.components.address import in_url
from pages.components.browser.tiles import Tile, select, selection, tiles
from pages.components.cached import View
from pages.components.explore.filters import SIZES
from pages.components.explore.label_keys import label_keys

PER_PAGE = 60
HEIGHT = 760  # pixels; the tiles scroll within, so that the charts beside them stay in view
MAX_UNSCROLLED = 8  # images that are shown at their full height
OPEN = "image"  # URL parameter: path of the image in the large view
SORTS = {
    "path": "Name",
    "label": "Class",
    **{name: facts.label for name, facts in MEASURES.items()},
    **SIZES,
    "colony_confidence": "Confidence of the colony box",
    "copies": "Near duplicates side by side",
    "labelling_order": "Next to label",
}


def tiles_key(data: Dataset) -> str:
    """Return the key of the grid, which depends on the dataset, so that a selection does not carry over to another."""
    return f"tiles_{data.id}"


def open_large(path: str) -> None:
    """Open an image in the large view in the next run."""
    st.query_params[OPEN] = path


def sorted_for_grid(view: View, passes: np.ndarray) -> np.ndarray:
    """Return the rows that pass the filter, in the order of the grid."""
    by = st.session_state.get("sort_kept", "path")
    down = st.session_state.get("down_kept", False)
    return sorted_rows(view.table, passes, by=by if by in view.table else "path", descending=down)


def grid(view: View, passes: np.ndarray) -> None:
    """Show the sort options, the toolbar, the tiles and the pages."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        with in_url("sort", "path", lambda value: value in SORTS):
            st.selectbox("Sort by", list(SORTS), key="sort", format_func=lambda s: SORTS[s], width=190)
        with in_url("down", False, lambda value: True):
            st.toggle("Highest first", key="down")
        with in_url("tile", 132, lambda value: 72 <= value <= 320):
            size = st.slider("Tile size", 72, 320, step=4, key="tile", width=130)
    rows = sorted_for_grid(view, passes)
    key = tiles_key(view.data)
    selected = selection(key)
    chosen = view.table["path"][view.table["path"].isin(selected)].tolist()
    if len(chosen) < len(selected):
        select(chosen, key=key)  # without excluded images, so that buttons and keys concern the same images
    count = f"{len(rows):,} of {plural(len(view.table), 'image')}"
    editing.selection_toolbar(view.data, chosen, count, key="chosen", tiles_key=key)
    keys = label_keys(view.data)
    pages = max(1, -(-len(rows) // PER_PAGE))
    with in_url("page", 1, lambda value: 1 <= value <= pages):
        page = st.session_state["page"]
        shown = rows[(page - 1) * PER_PAGE : page * PER_PAGE]
        with st.container(height=HEIGHT if len(shown) > MAX_UNSCROLLED else "content", border=False):
            tiles(
                [tile_of(view, int(row)) for row in shown],
                key=key,
                size=size,
                empty="No image matches these filters. Remove one of them.",
                on_open=open_large,
                label_keys=keys,
                on_label=lambda labels: editing.label_images(view.data, labels, keys.values()),
            )
        st.pagination(pages, key="page")
    st.caption("Click to select, Shift-click for a range, double-click to enlarge an image.")


def tile_of(view: View, row: int) -> Tile:
    """Return the tile of an image, with its audit findings as a warning."""
    record = view.table.iloc[row]
    try:
        picture, broken = cached.thumbnail(view.data, row), ""
    except CfuError as error:
        picture, broken = b"", str(error)
    group = f" · {record['group']}" if record["group"] else ""
    return Tile(
        id=record["path"],
        picture=picture,
        title=class_name(record["label"]),
        subtitle=PurePosixPath(record["path"]).name + group,
        badge=charts.PARTITION_BADGES.get(record["partition"], ""),
        warning="; ".join([*([broken] if broken else []), *view.titles(row)]),
    )
