"""Crop and CLAHE on one image: move a slider, see what a network would see."""

import cv2
import numpy as np
import streamlit as st

from cfu_core.dataset.catalog import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.contrast import as_matlab, as_scikit_image, clip_in_pixels, from_matlab, from_scikit_image
from cfu_core.imaging.recipe import Enhanced, Recipe, resize
from cfu_core.models.registry import ARCHITECTURES
from cfu_core.settings import setting
from pages.components import cached, charts
from pages.components.state import chosen_dataset, clahe_sliders, header, in_url, url_choice

CLAHE = (
    "Contrast-limited adaptive histogram equalisation: each tile of the image gets the contrast it can bear. "
    "Only the lightness changes; hues stay."
)
ORIGINAL = {True: "Original; the frame is what is cut out", False: "Original"}
VIEW = 640  # pixels of the side at which pictures are sent


def view(picture: np.ndarray) -> bytes:
    """A picture at the size it is shown; CLAHE was done before, at full size."""
    scale = VIEW / max(picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cached.jpeg(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method))


def with_box(picture: np.ndarray, result: Enhanced) -> np.ndarray:
    """The whole frame with the cut-out drawn in."""
    marked = picture.copy()
    f = result.frame
    cv2.rectangle(marked, (f.left, f.top), (f.right, f.bottom), (200, 30, 80), max(2, round(max(picture.shape) / 250)))
    return marked


@st.fragment
def workbench(data: Dataset, row: int) -> None:
    """Sliders and pictures; only this part runs again when a slider moves."""
    margin = setting(Recipe, "margin")
    controls = st.grid(3, min_column_width=220, gap="large")
    with controls.cell():
        with in_url("crop", True, lambda value: True):
            crop = st.toggle("Crop to the colony", key="crop", help=margin.help)
        with in_url("clahe", True, lambda value: True):
            enhance = st.toggle("Enhance contrast (CLAHE)", key="clahe", help=CLAHE)
    with controls:
        clip, tiles = clahe_sliders()
    try:
        recipe = Recipe(crop=crop, clahe=enhance, clip_limit=clip, tiles=tiles)
        before = cached.image(data, row)
        cropped = cached.enhanced(data, row, Recipe(crop=crop))
        after = cached.enhanced(data, row, recipe)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    with st.grid(3, min_column_width=200):
        st.image(
            view(with_box(before, after) if crop else before),
            caption="Original; the frame is what is cut out" if crop else "Original",
            width="stretch",
        )
        st.image(view(cropped.image), caption="Cropped" if crop else "Not cropped", width="stretch")
        st.image(view(after.image), caption="With CLAHE" if enhance else "Without CLAHE", width="stretch")
    if crop and after.colony is None:
        st.warning("No colony stands out in this image, so the whole image is used.", icon=":material/crop_free:")
    figures = st.grid(2, min_column_width=340, gap="large")
    with figures.cell():
        charts.show(
            charts.lightness_histogram(cropped.image, after.image),
            key="histogram",
            alt="Histogram of lightness before and after",
        )
    with figures.cell():
        describe(recipe, after)
    with st.expander("What the networks see", icon=":material/visibility:"), st.container(horizontal=True):
        for size in sorted({a.input_size for a in ARCHITECTURES.values()}):
            names = ", ".join(a.label for a in ARCHITECTURES.values() if a.input_size == size)
            st.image(cached.jpeg(resize(after.image, size)), caption=f"{names}: {size} × {size}", width=size)


def describe(recipe: Recipe, result: Enhanced) -> None:
    """The settings in words, and their equivalents elsewhere."""
    height, width = result.image.shape[:2]
    st.caption(f"This picture: {width} × {height} pixels.")
    if not recipe.clahe:
        return
    area = max(1, (width // recipe.tiles) * (height // recipe.tiles))
    st.markdown(
        "**The same clip limit elsewhere**",
        help="OpenCV counts in multiples of a tile's mean bin, scikit-image in shares of a tile's pixels, and MATLAB "
        "from the mean bin (0) to the whole tile (1). MATLAB cannot clip below OpenCV's 1.",
    )
    st.markdown(
        f"| Library | Clip limit |\n|---|---|\n| OpenCV (ours) | {recipe.clip_limit:g} |\n"
        f"| scikit-image | {as_scikit_image(recipe.clip_limit):.4f} |\n| MATLAB | {as_matlab(recipe.clip_limit):.4f} |"
    )
    st.caption(
        f"The default of MATLAB, 0.01, is {from_matlab(0.01):.2f} here; that of scikit-image, also 0.01, is "
        f"{from_scikit_image(0.01):.2f}. "
        f"A tile has about {width // recipe.tiles} × {height // recipe.tiles} pixels; a histogram bin is cut at "
        f"{clip_in_pixels(recipe.clip_limit, area)} of {area} pixels."
    )


header(
    "Preprocess",
    "Crop to the colony and enhance the contrast. Train uses the clip limit and the tiles that you set here; its "
    "preprocessed images are always cropped and enhanced.",
)
data = chosen_dataset()
with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
    labels = dict(zip(data.images["path"], data.images["label"], strict=True))
    linked = labels.get(st.query_params.get("image", ""), data.classes[0])
    label = url_choice("Class", data.classes, key="preview_class", names=str, default=linked, width=220)
    by_path = {path: row for row, path in enumerate(labels) if labels[path] == label}
    image = url_choice(
        "Image", list(by_path), key="image", names=lambda path: path, default=next(iter(by_path)), width=420
    )
if image:
    workbench(data, by_path[image])
