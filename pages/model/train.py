"""The Train page: settings of a run, its start, and the queue of runs."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.jobs.launch import submit_runs
from cfu_core.models.registry import ARCHITECTURES
from cfu_core.runs.run import Run
from cfu_core.training.paper_protocol import configurations, protocol_pairs
from pages.components import cached, job_progress, runs
from pages.components.address import in_url
from pages.components.dataset_choice import chosen_dataset, split_seed
from pages.components.page_layout import header
from pages.components.preprocess.augmentation import describe_augmentation, restored_augmentation
from pages.components.train.data_warnings import data_warnings
from pages.components.train.duration import count_and_duration
from pages.components.train.images import ORIGINAL, choose_images, protocol_note
from pages.components.train.run_queue import current_run, live_queue, resumable_runs
from pages.components.train.settings import advanced_settings, choose_mode, choose_weights


def start_button(
    data: Dataset, pairs: Sequence[tuple[str, Recipe]], settings: dict[str, Any], label: str, **button: Any
) -> None:
    """Show a button that queues a run for each network and recipe; its label has their estimated duration."""
    try:
        configs = configurations(data.id, pairs, settings)
        label += count_and_duration(configs, cached.split(data, split_seed()))
        if st.button(label, **button):
            submit_runs(configs, data)
            st.rerun()
    except CfuError as error:
        st.error(str(error), icon=":material/error:")


def settings_form(data: Dataset) -> DeltaGenerator:
    """Show the settings and the buttons that start runs; return the placeholder below them."""
    with in_url("network", "resnet18", ARCHITECTURES.__contains__):
        chosen = st.pills(
            "Network",
            list(ARCHITECTURES),
            required=True,
            format_func=lambda k: ARCHITECTURES[k].label,
            key="network",
            wrap=True,
            help="The first three are those of the paper. AlexNet is the fastest on a CPU.",
        )
    key = chosen or "resnet18"
    size = ARCHITECTURES[key].input_size
    st.caption(f"{ARCHITECTURES[key].label}: {ARCHITECTURES[key].note}. Its input is {size} × {size} pixels.")
    recipe, preprocessed = choose_images()
    st.page_link("pages/data/preprocess.py", label="Change the recipe on Preprocess", icon=":material/tune:")
    augmentation, mode = restored_augmentation(), choose_mode()
    settings = {"weights": choose_weights(), "mode": mode, "augmentation": augmentation, **advanced_settings(mode)}
    if mode == "fine-tune":
        st.caption(
            f"Augmentation of the training images: {describe_augmentation(augmentation)}. "
            "It is set on the Preprocess page."
        )
    accepted = data_warnings(data)
    with st.container(horizontal=True):
        start_button(
            data,
            [(key, recipe)],
            settings,
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            key="start",
            disabled=not accepted,
        )
        start_button(
            data,
            protocol_pairs(preprocessed),
            settings,
            "Run the paper's protocol",
            icon=":material/playlist_play:",
            key="protocol",
            disabled=preprocessed.kind == ORIGINAL or not accepted,
            help="Six consecutive runs: AlexNet, GoogLeNet and ResNet-18, each on original and on preprocessed images, "
            "with the settings above.",
        )
    st.caption(f"The paper's protocol. {protocol_note(preprocessed)}")
    return st.empty()


@st.fragment(run_every=1.0)
def watch(show: Callable[[Sequence[Run]], None]) -> None:
    """Update the queue every second while runs train or wait."""
    queue = job_progress.active("device")
    if not queue:
        st.rerun()
    show([run for run in queue if isinstance(run, Run)])


header("Train", "Train a network on the training images. The run continues when you close the browser.")
data = chosen_dataset()
busy = bool(job_progress.active("device"))
if busy:
    watch(current_run)
place = st.grid(2, min_column_width=420, gap="large")
with place.cell():
    last_line = settings_form(data)
with place.cell():
    ended = [run for run in runs.runs_on_dataset(data.id) if run.status().state.ended]
    if busy:
        watch(live_queue)
        resumable_runs(ended)
    else:
        if not ended:
            st.info("No network has been trained on this dataset yet.", icon=":material/model_training:")
        for run in ended[:1]:
            with st.container(border=True):
                runs.show_summary(run)
        resumable_runs(ended[1:])
try:  # last, because the first call takes some seconds
    last_line.caption(f"Device: {cached.device()}")
except CfuError as error:
    last_line.caption(str(error))
