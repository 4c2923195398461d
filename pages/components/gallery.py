"""A page of thumbnails with what a person needs to tell them apart."""

from collections.abc import Sequence

import streamlit as st

from cfu_core.dataset.catalog import Dataset
from cfu_core.errors import CfuError
from pages.components import cached
from pages.components.state import in_url

PER_PAGE = 24


def gallery(data: Dataset, rows: Sequence[int], captions: Sequence[str], *, key: str) -> None:
    """Thumbnails of `rows`, a page at a time; the page stands in the URL."""
    if not rows:
        st.info("No image passes these filters. Choose another class or partition.", icon=":material/filter_alt_off:")
        return
    pages = -(-len(rows) // PER_PAGE)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        place = st.empty()
        with in_url(key, 1, lambda value: 1 <= value <= pages):
            page = st.pagination(pages, key=key)
    first = (page - 1) * PER_PAGE
    shown = range(first, min(len(rows), first + PER_PAGE))
    place.caption(f"Images {first + 1} to {shown[-1] + 1} of {len(rows)}")
    with st.grid(6, min_column_width=130) as tiles:
        for i in shown:
            with tiles.cell():
                _tile(data, rows[i], captions[i])


def _tile(data: Dataset, row: int, caption: str) -> None:
    path = data.images["path"].iat[row]
    try:
        st.image(cached.thumbnail(data, row), width="stretch", alt=path)
    except CfuError as error:
        st.error(str(error), icon=":material/broken_image:")
    st.caption(caption)
