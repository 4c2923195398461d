"""The range of an image's samples: which values are black and white, with a preview and a change for all images."""

import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.planes import COMPOSITE
from cfu_core.imaging.sample_range import SampleRange, kind_in_words
from cfu_core.wording import plural
from pages.components import cached, editing


def range_editor(data: Dataset, row: int) -> None:
    """Show the range of an image with more than 8 bits, and a form that changes it; nothing for other images."""
    chosen = data.sample_range(row)
    if chosen is None or data.plane(row) == COMPOSITE:  # a composite stretches each channel
        return
    kind = data.images["samples"].iat[row]
    label = f"{kind_in_words(kind).capitalize()}: {chosen.black:g} to {chosen.white:g}"
    opened = st.popover(label, icon=":material/contrast:", key="range_editor", on_change="rerun")
    if not opened.open:
        return
    with opened:
        st.caption(
            "These values are shown as black and as white. The import chose them for all images of this kind together; "
            "see the remarks of the import on the Audit panel."
        )
        with st.container(horizontal=True):
            # the keys contain the range, so that the fields follow an undo
            place = f"{data.id}_{row}_{chosen.black}_{chosen.white}"
            black = st.number_input("Black", value=chosen.black, format="%g", key=f"black_{place}")
            white = st.number_input("White", value=chosen.white, format="%g", key=f"white_{place}")
        if not black < white:
            st.error("Black must be less than white.", icon=":material/error:")
            return
        path = data.images["path"].iat[row]
        try:
            picture = cached.preview(data, row, samples=SampleRange(black, white), plane=data.plane(row))
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
            return
        st.image(picture, width=cached.PREVIEW_SIDE, alt="Preview with this range")
        same = data.images["path"][data.images["samples"] == kind].tolist()
        unchanged = (black, white) == chosen
        with st.container(horizontal=True):
            for_all = f"Use for {plural(len(same), 'image')} of this kind"
            everywhere = st.button(for_all, key="range_all", type="primary", disabled=unchanged)
            here = st.button("Use for this image only", key="range_one", disabled=unchanged)
        if everywhere or here:
            editing.apply_edit(data, "range", {key: [black, white] for key in (same if everywhere else [path])})
            st.rerun()
        st.caption("A range for one image only makes its brightness incomparable with that of the others.")
