"""Class activation maps (Grad-CAM) of one image: the evidence for each class."""

from collections.abc import Sequence

import cv2
import numpy as np
import streamlit as st

from cfu_core.evaluation.activation_regions import region_of_interest, resize_map
from cfu_core.imaging.cropping import Box
from cfu_core.runs.class_activation_store import read_maps, read_peak_counts
from cfu_core.runs.run import Run
from cfu_core.wording import plural
from pages.components.job_requests import job_button
from pages.components.page_layout import escaped

SIDE = 480  # pixels; side of an image on the page
OPACITY = 0.55  # of the map at its maximum
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def show_class_activation(
    run: Run, path: str, input_image: np.ndarray, probabilities: Sequence[tuple[str, float]]
) -> None:
    """Show the input of the network and the maps of some classes, or the button that computes the maps.

    Parameters
    ----------
    run : Run
    path : str
        Path of a test image.
    input_image : ndarray of uint8, shape (H, W, 3)
        The image after the recipe, at any size; RGB.
    probabilities : sequence of (str, float)
        Classes whose maps are shown, with their predicted probabilities.
    """
    maps = read_maps(run, path)
    picture = cv2.resize(
        input_image,
        (SIDE, SIDE),
        interpolation=cv2.INTER_AREA if min(input_image.shape[:2]) > SIDE else cv2.INTER_LINEAR,
    )
    place = st.grid(3, min_column_width=200)
    with place.cell():
        st.image(picture, caption=f"Input of the network: {run.recipe.summary}", width="stretch")
    if maps is None:
        job_button(
            "explain",
            run.id,
            label="Show the evidence (Grad-CAM)",
            icon=":material/center_focus_strong:",
            doing="Computing Grad-CAM maps of every test image",
            help="Computes Grad-CAM maps of every test image of this run. It takes some seconds, once.",
        )
        return
    for label, probability in probabilities:
        heat = maps[run.classes.index(label)]
        with place.cell():
            evidence = "Evidence" if heat.max() > 0 else "No evidence"
            caption = f"{evidence} for {escaped(label)}, probability {probability:.2f} (Grad-CAM)"
            st.image(_overlaid(picture, heat), caption=caption, width="stretch")
    st.caption(
        "Grad-CAM: the brighter an area, the more the last convolutional layer contributes there to the class. The box "
        "encloses the largest region above 15 % of the maximum. The map shows where the evidence is, not why, at the "
        f"resolution of that layer: {maps.shape[1]} × {maps.shape[2]} cells."
    )


def show_peak_counts(run: Run) -> None:
    """Show in how many test images the map is highest inside the colony box."""
    found = read_peak_counts(run)
    if found is None or not found.images:
        return
    st.caption(
        f":material/center_focus_strong: In {found.trained} of {plural(found.images, 'test image')} the map of the "
        f"predicted class has its maximum inside the colony box. Same maps for the untrained network, for comparison: "
        f"{found.untrained}. Expected for a random position: {found.chance:.0f}."
    )


def _overlaid(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return a square image with a map in colours over it and a frame around the region of interest."""
    side = picture.shape[0]
    large = resize_map(heat, side)
    colours = cv2.applyColorMap((255 * large).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]  # OpenCV gives BGR
    weight = (OPACITY * large)[..., None]
    mixed = np.round((1 - weight) * picture + weight * colours).astype(np.uint8)
    region = region_of_interest(heat, side)
    if region:
        _frame(mixed, region)
    return mixed


def _frame(picture: np.ndarray, box: Box) -> None:
    """Draw a frame in white with a black edge, which is visible on any background."""
    corners = (box.left, box.top), (box.right - 1, box.bottom - 1)
    for colour, width in ((_BLACK, 4), (_WHITE, 2)):
        cv2.rectangle(picture, *corners, colour, width)
