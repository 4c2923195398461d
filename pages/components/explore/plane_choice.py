"""Which picture of its file an image is, if the file has several, with a choice of another one."""

import math

import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from pages.components import cached, editing


def plane_editor(data: Dataset, row: int) -> None:
    """Show which picture of its file an image is, and a form that chooses another one; nothing for other images."""
    plane = data.plane(row)
    if plane is None:
        return
    plane = max(plane, 0)  # imported before pictures were chosen
    path = data.images["path"].iat[row]
    try:
        axes = cached.axes_of_file(data, row)
    except (CfuError, ValueError):
        return  # the viewer shows the error
    if not axes:
        return
    count, names = math.prod(length for length, _ in axes), dict.fromkeys(name for _, name in axes)
    label = f"Picture {plane + 1} of {count} ({' and '.join(names)})"
    opened = st.popover(label, icon=":material/layers:", key="plane_editor", on_change="rerun")
    if not opened.open:
        return
    with opened:
        st.caption(
            "The file has several pictures. By default the main one is used if the format defines one (JPEG, PNG), "
            "otherwise the sharpest one of the first channel."
        )
        # the key contains the picture, so that the slider follows an undo
        chosen = st.slider("Picture", 1, count, plane + 1, key=f"plane_{data.id}_{row}_{plane}") - 1
        try:
            picture = cached.preview(data, row, samples=data.sample_range(row), plane=chosen)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.image(picture, width=cached.PREVIEW_SIDE, alt=f"Picture {chosen + 1}")
        if st.button("Use this picture", key="plane_use", type="primary", disabled=chosen == plane):
            editing.apply_edit(data, "plane", {path: chosen})
            st.rerun()
