"""The large view of one image: zoom, measures, similar images, edits, and the next and previous image."""

import numpy as np
import pandas as pd
import streamlit as st

from cfu_core.dataset.audit.image_table import neighbours, percentile
from cfu_core.errors import CfuError
from cfu_core.imaging.measures import MEASURES
from cfu_core.wording import class_name
from pages.components import charts, editing
from pages.components.address import set_value
from pages.components.browser.tiles import tiles
from pages.components.browser.viewer import viewer
from pages.components.cached import View
from pages.components.explore.grid import OPEN, open_large, tile_of
from pages.components.explore.label_keys import current_keys, keys_in_words
from pages.components.explore.plane_choice import plane_editor
from pages.components.explore.sample_range import range_editor
from pages.components.image_choice import displayable
from pages.components.page_layout import escaped
from pages.components.preprocess.crop import boxes_of

NEIGHBOURS = 7


def opened_row(view: View) -> int | None:
    """Return the row of the image in the large view, or None."""
    rows = np.flatnonzero(view.table["path"] == st.query_params.get(OPEN, ""))
    return int(rows[0]) if len(rows) else None


def _close() -> None:
    """Close the large view."""
    st.query_params.pop(OPEN, None)


def large_view(view: View, row: int, order: np.ndarray) -> None:
    """Show the image of a row; `order` holds the rows of the grid, for the buttons to the next and previous image."""
    data, table = view.data, view.table
    path = table["path"].iat[row]
    found = np.flatnonzero(order == row)
    place = int(found[0]) if len(found) else -1

    def step(by: int) -> None:
        there = place + by if place >= 0 else 0
        if 0 <= there < len(order):
            open_large(table["path"].iat[int(order[there])])

    keys = current_keys(data)

    def labelled() -> None:
        """Open the next image, or the previous one after the last, in the order from before the label."""
        there = place + 1 if place + 1 < len(order) else place - 1
        if place >= 0 and there >= 0:
            open_large(table["path"].iat[int(order[there])])

    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Back to all images", icon=":material/arrow_back:", on_click=_close, key="large_close")
        editing.edit_buttons(data, [path], key="large")
        editing.undo_buttons(data)
        if st.button("Open on Preprocess", icon=":material/tune:", key="large_preprocess"):
            set_value("image", path, "")
            st.switch_page("pages/data/preprocess.py")
    with st.grid(3, min_column_width=280, gap="medium") as parts:
        with parts.cell(column_span=2):
            try:
                picture, mime = displayable(data, row)
            except CfuError as error:
                st.error(str(error), icon=":material/broken_image:")
            else:
                viewer(
                    picture,
                    path=path,
                    mime=mime,
                    key=f"viewer_{data.id}",
                    boxes=boxes_of(view, row),
                    editable=True,
                    place=f"{place + 1} of {len(order)}" if place >= 0 else "",
                    has_previous=place > 0,
                    has_next=0 <= place < len(order) - 1,
                    on_step=step,
                    on_close=_close,
                    on_box=lambda box: editing.set_box(data, path, box),
                    label_keys=keys,
                    on_label=lambda labels: editing.label_images(data, labels, keys.values()),
                    on_labelled=labelled,
                )
                if keys:
                    st.caption(keys_in_words(keys))
        with parts.cell():
            _facts(view, row)
    near = neighbours(table, row, count=NEIGHBOURS)
    if near:
        st.markdown("**Similar images: nearest on the map**", help=f"{view.survey.map_source}.")
        tiles(
            [tile_of(view, other) for other in near],
            key=f"neighbours_{data.id}",
            size=120,
            label="Similar images",
            on_open=open_large,
        )


def _facts(view: View, row: int) -> None:
    """Show the class, path, partition, findings and measures of an image."""
    record = view.table.iloc[row]
    st.markdown(f"**{escaped(class_name(record['label']))}**")
    st.caption(escaped(record["path"]))
    group = f" · group {escaped(record['group'])}" if record["group"] else ""
    st.markdown(
        f"{charts.PARTITION_NAMES.get(record['partition'], 'no partition')}{group}  \n"
        f"{record['width']} × {record['height']} pixels · {record['size_bytes'] / 1000:,.0f} kB"
    )
    range_editor(view.data, row)
    plane_editor(view.data, row)
    for title in view.titles(row):
        st.warning(title, icon=":material/warning:")
    if record["warning"]:
        st.caption(f"The decoder reported: {escaped(record['warning'])}")
    rows = []
    for name, facts in MEASURES.items():
        share = percentile(view.table, name, row)
        if share is not None:
            scale, unit = (100, "%") if facts.unit == "share" else (1, facts.unit)
            rows.append({"Measure": facts.label, "Value": f"{record[name] * scale:.3g} {unit}", "Higher than": share})
    if rows:
        columns = {
            "Measure": st.column_config.TextColumn(width=105),
            "Value": st.column_config.TextColumn(width=75),
            "Higher than": st.column_config.ProgressColumn(
                format="%.0f%%",
                min_value=0,
                max_value=100,
                width=100,
                help="Percentage of this dataset's images with a lower value.",
            ),
        }
        st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns)
    else:
        st.caption("Not measured yet.")
