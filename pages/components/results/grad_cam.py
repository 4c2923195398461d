"""Where a network looked in one image, to say what it said."""

from collections.abc import Sequence

import cv2
import numpy as np
import streamlit as st

from cfu_core.evaluation.activation_regions import region_of_interest, resize_map
from cfu_core.imaging.cropping import Box
from cfu_core.runs.class_activation_store import read_maps, read_peak_counts
from cfu_core.runs.run import Run
from pages.components.job_requests import ask_for

SIDE = 480  # pixels of a picture
STRENGTH = 0.55  # of the map's colours where it is highest
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def show_attention(run: Run, path: str, seen: np.ndarray, called: Sequence[tuple[str, float]]) -> None:
    """What the network saw, and the maps of some classes over it; before they are there, the way to them.

    Parameters
    ----------
    run : Run
    path : str
        Of a test image.
    seen : ndarray of uint8, shape (H, W, 3)
        What the network saw, at any size.
    called : sequence of (str, float)
        Classes whose maps are wanted, with the probabilities that the network gave them.
    """
    maps = read_maps(run, path)
    picture = cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA if min(seen.shape[:2]) > SIDE else 1)
    place = st.grid(3, min_column_width=200)
    with place.cell():
        st.image(picture, caption=f"As the network saw it: {run.recipe.summary}", width="stretch")
    if maps is None:
        ask_for(
            "explain",
            run.id,
            label="Show where the network looked",
            icon=":material/center_focus_strong:",
            doing="Where the network looks, in every test image",
            help="Grad-CAM for every test image of this run; it takes some seconds, once.",
        )
        return
    for label, probability in called:
        heat = maps[run.classes.index(label)]
        with place.cell():
            evidence = "Evidence" if heat.max() > 0 else "No evidence"
            words = f"{evidence} for {label}, probability {probability:.2f} (Grad-CAM)"
            st.image(_overlaid(picture, heat), caption=words, width="stretch")
    st.caption(
        "Grad-CAM: the brighter, the more the last convolutional layer counted there for the class; the box holds the "
        "largest part above 15 % of the highest value. It shows where the network looked, not why, and is as coarse "
        f"as that layer: {maps.shape[1]} × {maps.shape[2]} places."
    )


def show_pointing(run: Run) -> None:
    """How often the maps point at the colony, where that is known."""
    found = read_peak_counts(run)
    if found is None or not found.images:
        return
    st.caption(
        f":material/center_focus_strong: In {found.trained} of {found.images} test images the map of the predicted "
        f"class is highest inside the colony's box; before the network learned, in {found.untrained}; a point at "
        f"random would be in {found.chance:.0f}."
    )


def _overlaid(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A map in colours over a square picture, with the region of interest."""
    side = picture.shape[0]
    large = resize_map(heat, side)
    colours = cv2.applyColorMap((255 * large).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]  # OpenCV gives BGR
    weight = (STRENGTH * large)[..., None]
    mixed = np.round((1 - weight) * picture + weight * colours).astype(np.uint8)
    region = region_of_interest(heat, side)
    if region:
        _frame(mixed, region)
    return mixed


def _frame(picture: np.ndarray, box: Box) -> None:
    """A white line with a dark rim, seen on any ground."""
    corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
    for colour, width in ((_BLACK, 4), (_WHITE, 2)):
        cv2.rectangle(picture, *corners, colour, width)
