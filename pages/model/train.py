"""Choose, start, watch, stop."""

import secrets
from typing import Any

import streamlit as st

from cfu_core.dataset.catalog import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.jobs.launch import submit_run
from cfu_core.models.registry import ARCHITECTURES, architecture
from cfu_core.paper import TABLE_1
from cfu_core.training.config import TrainingConfig
from pages.components import cached, jobs, runs
from pages.components.settings import advanced, choose_weights
from pages.components.state import chosen_clahe, chosen_dataset, header


def recipe_for(images: str, key: str) -> Recipe:
    """The recipe of original or preprocessed images at a network's size."""
    size = architecture(key).input_size
    clip, tiles = chosen_clahe()
    return Recipe.original(size) if images == "original" else Recipe.preprocessed(size, clip_limit=clip, tiles=tiles)


def start(data: Dataset, pairs: list[tuple[str, str]], common: dict[str, Any]) -> None:
    """Queue one run per pair of network and images."""
    together = secrets.token_hex(4) if len(pairs) > 1 else ""
    try:
        for key, images in pairs:
            config = TrainingConfig(dataset=data.id, architecture=key, recipe=recipe_for(images, key), **common)
            submit_run(config, data, batch=together)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.rerun()


def settings_form(data: Dataset) -> None:
    """Network, images, weights; the rest under Advanced; two buttons."""
    key = st.segmented_control(
        "Network",
        list(ARCHITECTURES),
        default="resnet18",
        required=True,
        format_func=lambda k: ARCHITECTURES[k].label,
        key="network",
        bind="query-params",
        help="AlexNet is the fastest on a processor; ResNet-18 and GoogLeNet are deeper.",
    )
    images = st.segmented_control(
        "Images",
        ["original", "preprocessed"],
        default="preprocessed",
        required=True,
        key="train_images",
        persist_state="session",
        help="Original: resized only. Preprocessed: cropped to the colony, then CLAHE, then resized.",
    )
    st.caption(recipe_for(images, key).summary + ("" if images == "original" else " · set on the Preprocess page"))
    common = {"weights": choose_weights(), **advanced()}
    with st.container(horizontal=True):
        if st.button("Start training", type="primary", icon=":material/play_arrow:"):
            start(data, [(key, images)], common)
        if st.button(
            "Run the paper's protocol",
            icon=":material/playlist_play:",
            help="Six runs, one after the other: AlexNet, GoogLeNet and ResNet-18, each on original and on "
            "preprocessed images, with the settings above.",
        ):
            start(data, [(k, i) for k in TABLE_1 for i in ("original", "preprocessed")], common)
    st.caption(f"Trains on: {cached.networks(len(data.classes))['device']}")


@st.fragment(run_every=1.0)
def watch() -> None:
    """Runs again every second, only while something runs or waits."""
    queue = jobs.active("device")
    if not queue:
        st.rerun()
    runs.live(queue)


header("Train", "Teach a network on the training images. It goes on when you close the browser.")
data = chosen_dataset()
place = st.grid(2, min_column_width=420, gap="large")
with place.cell():
    settings_form(data)
with place.cell():
    if jobs.active("device"):
        watch()
    else:
        done = runs.of_dataset(data.id)
        if not done:
            st.info("Nothing has been trained on this dataset yet.", icon=":material/model_training:")
        for run in done[:1]:
            with st.container(border=True):
                st.markdown(f"Latest run: **{run.name}**")
                runs.summary(run)
