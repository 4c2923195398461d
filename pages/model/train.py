"""Choose, start, watch, stop."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.jobs.launch import submit_runs
from cfu_core.models.registry import ARCHITECTURES, architecture
from cfu_core.published.zamani_2023 import TABLE_1
from cfu_core.saved_recipes import saved_recipes
from cfu_core.training.config import TrainingConfig
from pages.components import cached, job_progress, runs
from pages.components.preprocess.augmentation import chosen_augmentation, words
from pages.components.state import chosen_dataset, clahe_sliders, header, in_url
from pages.components.train.settings import advanced, choose_mode, choose_weights

KINDS = ("original", "preprocessed")  # the paper's


def recipe_for(images: str, key: str, clip: float, tiles: int) -> Recipe:
    """The recipe of original, preprocessed or a saved recipe's images at a network's size."""
    size = architecture(key).input_size
    if images == "original":
        return Recipe.original(size)
    saved = saved_recipes().get(images)
    return saved.at(size) if saved else Recipe.preprocessed(size, clip_limit=clip, tiles=tiles)


def start(data: Dataset, pairs: list[tuple[str, Recipe]], common: dict[str, Any]) -> None:
    """Queue one run per pair of network and recipe, all or none."""
    try:
        submit_runs([TrainingConfig(dataset=data.id, architecture=k, recipe=r, **common) for k, r in pairs], data)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def settings_form(data: Dataset) -> DeltaGenerator:
    """Network, images, weights; the rest under Advanced; two buttons. Returns the place for a last line."""
    with in_url("network", "resnet18", ARCHITECTURES.__contains__):
        key = st.pills(
            "Network",
            list(ARCHITECTURES),
            default="resnet18",
            required=True,
            format_func=lambda k: ARCHITECTURES[k].label,
            key="network",
            wrap=True,
            help="The first three are the paper's. AlexNet is the fastest on a processor.",
        )
    st.caption(f"{ARCHITECTURES[key].label}: {ARCHITECTURES[key].note}.")
    images = st.segmented_control(
        "Images",
        ["original", "preprocessed", *(name for name in saved_recipes() if name not in KINDS)],
        default="preprocessed",
        required=True,
        key="train_images",
        persist_state="session",
        help="Original: resized only. Preprocessed: cropped to the colony, then CLAHE, then resized. Recipes that you "
        "save on the Preprocess page stand here as well.",
    )
    with st.expander("Settings of preprocessed images", icon=":material/tune:"):
        clahe = clahe_sliders()
        st.caption("The same as on the Preprocess page, where you see what they do.")
    recipe = recipe_for(images, key, *clahe)
    st.caption(recipe.summary)
    augmentation, mode = chosen_augmentation(), choose_mode()
    common = {"weights": choose_weights(), "mode": mode, "augmentation": augmentation, **advanced(mode)}
    if mode == "fine-tune":
        st.caption(f"Augmentation of training images: {words(augmentation)}; set on the Preprocess page.")
    with st.container(horizontal=True):
        if st.button("Start training", type="primary", icon=":material/play_arrow:"):
            start(data, [(key, recipe)], common)
        if st.button(
            "Run the paper's protocol",
            icon=":material/playlist_play:",
            help="Six runs, one after the other: AlexNet, GoogLeNet and ResNet-18, each on original and on "
            "preprocessed images, with the settings above.",
        ):
            start(data, [(k, recipe_for(i, k, *clahe)) for k in TABLE_1 for i in KINDS], common)
    return st.empty()


@st.fragment(run_every=1.0)
def watch() -> None:
    """Runs again every second, only while something runs or waits."""
    queue = job_progress.active("device")
    if not queue:
        st.rerun()
    runs.live(queue)


header("Train", "Teach a network on the training images. It goes on when you close the browser.")
data = chosen_dataset()
place = st.grid(2, min_column_width=420, gap="large")
with place.cell():
    last_line = settings_form(data)
with place.cell():
    ended = [run for run in runs.of_dataset(data.id) if job_progress.has_ended(run.folder)]
    if job_progress.active("device"):
        watch()
        runs.put_down(ended)
    else:
        if not ended:
            st.info("Nothing has been trained on this dataset yet.", icon=":material/model_training:")
        for run in ended[:1]:
            with st.container(border=True):
                runs.summary(run)
        runs.put_down(ended[1:])
try:  # last, since the first time it takes some seconds
    last_line.caption(f"Trains on: {cached.device()}")
except CfuError as error:
    last_line.caption(str(error))
