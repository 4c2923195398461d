"""The choice of one image of a dataset, and its bytes in a format that browsers show."""

import numpy as np
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.wording import class_name
from pages.components import cached
from pages.components.address import set_value, url_choice

MAX_LISTED = 2000  # images in a select box; a longer list is slow to send and of no use
BROWSER_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}


def displayable(data: Dataset, row: int) -> tuple[bytes, str]:
    """Return an image's bytes and their media type: the file itself if browsers can show it, else a JPEG of it.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    mime = BROWSER_TYPES.get(data.images["extension"].iat[row])
    if mime and data.plane(row) in (None, FIRST_PAGE):  # a browser would show another picture, or an animation
        return data.read_bytes(row), mime
    return encode_jpeg(cached.image(data, row)), "image/jpeg"


def choose_image(data: Dataset) -> int:
    """Choose a class and an image, with buttons for the previous and the next one; return the row of the image."""
    paths = data.images["path"]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        linked = np.flatnonzero(paths == st.session_state.get("image", st.query_params.get("image", "")))
        classes = data.classes + ([""] if data.unlabelled else [])
        default = data.images["label"].iat[linked[0]] if len(linked) else classes[0]
        chosen_class = url_choice("Class", classes, key="preview_class", names=class_name, default=default, width=190)
        of_class = paths[data.images["label"] == chosen_class].tolist()
        listed = of_class[:MAX_LISTED]
        if len(linked) and data.images["label"].iat[linked[0]] == chosen_class and paths.iat[linked[0]] not in listed:
            listed.append(paths.iat[linked[0]])
        path = url_choice("Image", listed, key="image", names=str, default=listed[0], width=330)
        place = of_class.index(path)
        for step, icon, label in ((-1, ":material/chevron_left:", "Previous"), (1, ":material/chevron_right:", "Next")):
            there = 0 <= place + step < len(of_class)
            target = of_class[place + step] if there else path
            st.button(label, icon=icon, disabled=not there, on_click=set_value, args=("image", target, ""))
    return int(np.flatnonzero(paths == path)[0])
