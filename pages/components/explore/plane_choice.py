"""Which picture of its file an image is, if the file has several, with a choice of another one."""

import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.file_formats import tiff_planes
from cfu_core.imaging.measures import shrink
from cfu_core.imaging.reading import decode
from pages.components import editing

PREVIEW_SIDE = 320  # pixels


def plane_editor(data: Dataset, row: int) -> None:
    """Show which picture of its file an image is, and a form that chooses another one; nothing for other images."""
    plane = data.plane(row)
    if plane is None or data.images["extension"].iat[row] != ".tif":
        return
    plane = max(plane, 0)  # imported before pictures were chosen
    path = data.images["path"].iat[row]
    try:
        content = data.read_bytes(row)
        planes = tiff_planes(content)
    except (CfuError, ValueError):
        return  # the viewer shows the error
    if planes.count == 1:
        return
    kinds = " and ".join(dict.fromkeys(planes.axes))
    label = f"Picture {plane + 1} of {planes.count} ({kinds})"
    opened = st.popover(label, icon=":material/layers:", key="plane_editor", on_change="rerun")
    if not opened.open:
        return
    with opened:
        st.caption("The file has several pictures. By default the sharpest one of the first channel is used.")
        # the key contains the picture, so that the slider follows an undo
        chosen = st.slider("Picture", 1, planes.count, plane + 1, key=f"plane_{data.id}_{row}_{plane}") - 1
        try:
            pixels = decode(content, name=path, samples=data.sample_range(row), plane=chosen)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.image(encode_jpeg(shrink(pixels, PREVIEW_SIDE)), width=PREVIEW_SIDE, alt=f"Picture {chosen + 1}")
        if st.button("Use this picture", key="plane_use", type="primary", disabled=chosen == plane):
            editing.apply_edit(data, "plane", {path: chosen})
            st.rerun()
