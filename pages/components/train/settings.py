"""Widgets for the settings of a run, created from their declarations; all values are part of the URL."""

from pathlib import Path
from typing import Any

import streamlit as st

from cfu_core.models.weight_files import IMAGENET, NONE, weights_folder
from cfu_core.settings import setting
from cfu_core.training.config import TrainingConfig
from pages.components.address import in_url
from pages.components.dataset_choice import split_seed_input

WEIGHTS = {IMAGENET: "ImageNet", NONE: "Random", "file": "From a file"}
MODES = {"fine-tune": "All layers (fine-tune)", "probe": "The last layer (probe)"}


def choose_weights() -> str:
    """Show the choice of the initial weights, and return it."""
    with in_url("train_weights", IMAGENET, WEIGHTS.__contains__):
        kind = st.segmented_control(
            "Begin with the weights",
            list(WEIGHTS),
            required=True,
            format_func=lambda k: WEIGHTS[k],
            key="train_weights",
            help="Weights trained on ImageNet's photographs let a network learn from few images (transfer learning), "
            "as in the paper. They are downloaded once from PyTorch's server and verified.",
        )
    more = st.container()  # always present, so that the expander below stays open
    if kind == "file":
        with more, in_url("train_weights_file", "", lambda value: True):
            path = st.text_input(
                "Path of the file (.pth or .safetensors) on the computer that runs the dashboard",
                key="train_weights_file",
            )
        return str(Path(path).expanduser().absolute())
    kind = kind or IMAGENET
    more.caption(
        f"Without internet access, copy torchvision's file to `{weights_folder()}`."
        if kind == IMAGENET
        else "Random initial weights; the network learns much less from a few hundred images."
    )
    return kind


def choose_mode() -> str:
    """Show the choice between training all layers and the last layer, and return it."""
    declared = setting(TrainingConfig, "mode")
    with in_url("train_mode", declared.choices[0], declared.choices.__contains__):
        mode = st.segmented_control(
            declared.label,
            declared.choices,
            required=True,
            format_func=lambda mode: MODES[mode],
            key="train_mode",
            help=declared.help,
        )
    return mode or declared.choices[0]


def advanced_settings(mode: str) -> dict[str, Any]:
    """Show the advanced settings in an expander, and return them by name; a probe has seeds only."""
    with st.expander("Advanced", icon=":material/settings:"):
        left, right = st.columns(2)
        if mode == "probe":
            with left:
                values = {"seed": _number("seed")}
            with right:
                return values | {"split_seed": split_seed_input()}
        with left:
            values = {name: _number(name) for name in ("epochs", "batch_size")}
            values["learning_rate"] = _number("learning_rate", format="%.6f", step=0.0001)
            values["schedule"] = _choice("schedule")
            values["patience"] = _number("patience")
        with right:
            values["seed"] = _number("seed")
            values["split_seed"] = split_seed_input()
            values["optimizer"] = _choice("optimizer")
            values["precision"] = _choice("precision")
    return values


def _number(name: str, **kwargs: Any) -> Any:
    """Show the input of a numeric setting."""
    declared, default, key = setting(TrainingConfig, name), _default(name), f"train_{name}"
    kind: Any = type(default)
    low, high = kind(declared.minimum), kind(declared.maximum)
    with in_url(key, default, lambda value: low <= value <= high):
        return st.number_input(declared.label, min_value=low, max_value=high, help=declared.help, key=key, **kwargs)


def _choice(name: str) -> str:
    """Show the choice of a setting with a list of options."""
    declared, key = setting(TrainingConfig, name), f"train_{name}"
    with in_url(key, _default(name), declared.choices.__contains__):
        return st.selectbox(declared.label, declared.choices, help=declared.help, key=key)


def _default(name: str) -> Any:
    """Return the default of a setting."""
    return TrainingConfig.__dataclass_fields__[name].default
