"""Which picture of its file an image is, if the file has several, with a choice of another one."""

import math

import numpy as np
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.combined_planes import hue_names
from cfu_core.imaging.planes import COMPOSITE, FIRST_PAGE, FUSED
from pages.components import cached, editing

_SINGLE = "One picture"
_COMBINED = {FUSED: "All planes in focus", COMPOSITE: "All channels"}


def plane_editor(data: Dataset, row: int) -> None:
    """Show which picture of its file an image is, and a form that chooses another one; nothing for other images."""
    plane = data.plane(row)
    if plane is None:
        return
    plane = 0 if plane == FIRST_PAGE else plane  # imported before pictures were chosen
    path = data.images["path"].iat[row]
    try:
        found = cached.pictures_of_file(data, row)
    except (CfuError, ValueError):
        return  # the viewer shows the error
    if not found.axes:
        return
    count, names = math.prod(length for length, _ in found.axes), dict.fromkeys(name for _, name in found.axes)
    label = _COMBINED.get(plane, f"Picture {plane + 1} of {count} ({' and '.join(names)})")
    opened = st.popover(label, icon=":material/layers:", key="plane_editor", on_change="rerun")
    if not opened.open:
        return
    with opened:
        st.caption(
            "The file has several pictures. By default the main one is used if the format defines one (JPEG, PNG), "
            "otherwise the sharpest one of the first channel."
        )
        # the keys contain the picture, so that the fields follow an undo
        chosen = _choice(found, count, plane, f"{data.id}_{row}_{plane}")
        try:
            picture = cached.preview(data, row, samples=data.sample_range(row), plane=chosen)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
            return
        if st.button("Use this picture", key="plane_use", type="primary", disabled=chosen == plane):
            editing.apply_edit(data, "plane", {path: chosen})
            st.rerun()
        st.image(picture, width=cached.PREVIEW_SIDE, alt=_COMBINED.get(chosen, f"Picture {chosen + 1}"))


def _choice(found: cached.PicturesOfFile, count: int, plane: int, place: str) -> int:
    """Show the pictures of a file, and combined ones if they can be made; return the chosen one."""
    if found.combined:
        texts = {_SINGLE: 0} | {_COMBINED[combined]: combined for combined in found.combined}
        current = _COMBINED.get(plane, _SINGLE)
        wanted = st.segmented_control("Use", list(texts), default=current, required=True, key=f"plane_kind_{place}")
        if wanted != _SINGLE:
            st.caption(_explanation(texts[wanted], found))
            return texts[wanted]
    chosen = st.slider("Picture", 1, count, max(plane, 0) + 1, key=f"plane_{place}") - 1
    if len(found.axes) > 1:
        positions = np.unravel_index(chosen, [length for length, _ in found.axes])
        parts = zip(positions, found.axes, strict=True)
        text = ", ".join(f"{name} {position + 1} of {length}" for position, (length, name) in parts)
        st.caption(text[0].upper() + text[1:])
    return chosen


def _explanation(combined: int, found: cached.PicturesOfFile) -> str:
    """Say how a combined picture is made."""
    lengths = {name: length for length, name in found.axes}
    first = " and ".join(f"first {name}" for name in ("position", "time point") if name in lengths)
    of_first = f" Only the {first} is used." if first else ""
    if combined == FUSED:
        of_channel = " of the first channel" if "channel" in lengths else ""
        return (
            f"Each pixel is taken from the plane{of_channel} that is sharpest around it (Nayar and Nakagawa 1994). The "
            f"planes must show the same field, without a shift.{of_first}"
        )
    channels = lengths["channel"]
    hues = ", ".join(f"channel {number} {hue}" for number, hue in enumerate(hue_names(channels), 1))
    fused = " Several focal planes of a channel are fused in focus." if {"focal plane", "page"} & {*lengths} else ""
    return (
        f"{hues[0].upper()}{hues[1:]}. Each channel is stretched from its smallest to its largest value in this file, "
        f"so the brightness of composites cannot be compared.{fused}{of_first}"
    )
