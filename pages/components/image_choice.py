"""Choose one image of a dataset; an image as a browser can show it."""

import numpy as np
import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.imaging.encoding import encode_jpeg
from pages.components import cached
from pages.components.address import keep, url_choice

LISTED = 2000  # images in a select box; a longer list is slow to send, and nobody reads it

SHOWN_AS_THEY_ARE = {".jpg": "image/jpeg", ".png": "image/png"}


def displayable(data: Dataset, row: int) -> tuple[bytes, str]:
    """The bytes of an image and their type: the file itself where a browser can show it, else a fine JPEG of it.

    Raises
    ------
    ImageError
        It cannot be read.
    """
    mime = SHOWN_AS_THEY_ARE.get(data.images["extension"].iat[row])
    if mime:
        return data.read_bytes(row), mime
    return encode_jpeg(cached.image(data, row)), "image/jpeg"


def choose_image(data: Dataset) -> int:
    """Class, image, and buttons to the one before and the one after; the row of the chosen image."""
    paths = data.images["path"]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        asked = np.flatnonzero(paths == st.session_state.get("image", st.query_params.get("image", "")))
        default = data.images["label"].iat[asked[0]] if len(asked) else data.classes[0]
        label = url_choice("Class", data.classes, key="preview_class", names=str, default=default, width=190)
        of_class = paths[data.images["label"] == label].tolist()
        listed = of_class[:LISTED]
        if len(asked) and data.images["label"].iat[asked[0]] == label and paths.iat[asked[0]] not in listed:
            listed.append(paths.iat[asked[0]])
        path = url_choice("Image", listed, key="image", names=str, default=listed[0], width=330)
        place = of_class.index(path)
        for step, icon, words in ((-1, ":material/chevron_left:", "Previous"), (1, ":material/chevron_right:", "Next")):
            there = 0 <= place + step < len(of_class)
            target = of_class[place + step] if there else path
            st.button(words, icon=icon, disabled=not there, on_click=keep, args=("image", target, ""))
    return int(np.flatnonzero(paths == path)[0])
