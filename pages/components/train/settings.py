"""Widgets for settings, made from the settings' own declarations."""

from pathlib import Path
from typing import Any

import streamlit as st

from cfu_core.models.weight_files import IMAGENET, NONE, weights_folder
from cfu_core.settings import setting
from cfu_core.training.config import TrainingConfig
from pages.components.state import split_seed_input

WEIGHTS = {IMAGENET: "ImageNet", NONE: "Random", "file": "From a file"}


def number(name: str, **kwargs: Any) -> Any:
    """A number input made from the setting's own declaration."""
    declared = setting(TrainingConfig, name)
    default: Any = TrainingConfig.__dataclass_fields__[name].default
    kind: Any = type(default)
    return st.number_input(
        declared.label,
        min_value=kind(declared.minimum),
        max_value=kind(declared.maximum),
        value=default,
        help=declared.help,
        key=f"train_{name}",
        persist_state="session",
        **kwargs,
    )


def choose_weights() -> str:
    """What the network begins with."""
    kind = st.segmented_control(
        "Begin with the weights",
        list(WEIGHTS),
        default=IMAGENET,
        required=True,
        format_func=lambda k: WEIGHTS[k],
        key="train_weights",
        persist_state="session",
        help="Weights learned on ImageNet's photographs let a network learn from few images (transfer learning), as in "
        "the paper. They are downloaded once from PyTorch's server and checked.",
    )
    more = st.container()  # always there, so that what follows keeps its place and stays unfolded
    if kind == "file":
        label = "Path of the file (.pth or .safetensors) on the computer that runs the dashboard"
        path = more.text_input(label, key="train_weights_file", persist_state="session")
        return str(Path(path).expanduser().absolute())
    more.caption(
        f"Without internet: put torchvision's file into {weights_folder()}."
        if kind == IMAGENET
        else "Begins at random, and learns much less from a few hundred images."
    )
    return kind


def choose_mode() -> str:
    """Whether all layers learn, or the last one."""
    declared = setting(TrainingConfig, "mode")
    return st.segmented_control(
        declared.label,
        declared.choices,
        default=declared.choices[0],
        required=True,
        format_func=lambda m: {"fine-tune": "All layers (fine-tune)", "probe": "The last layer (probe)"}[m],
        key="train_mode",
        persist_state="session",
        help=declared.help,
    )


def advanced(mode: str) -> dict[str, Any]:
    """Epochs, batch, rate, optimizer and seeds, folded away; the paper's values at first. A probe has seeds only."""
    with st.expander("Advanced", icon=":material/settings:"):
        left, right = st.columns(2)
        if mode == "probe":
            with left:
                values = {"seed": number("seed")}
            with right:
                return values | {"split_seed": split_seed_input()}
        with left:
            values = {name: number(name) for name in ("epochs", "batch_size")}
            values["learning_rate"] = number("learning_rate", format="%.6f", step=0.0001)
            values["schedule"] = _choice("schedule")
            values["patience"] = number("patience")
        with right:
            values["seed"] = number("seed")
            values["split_seed"] = split_seed_input()
            values["optimizer"] = _choice("optimizer")
            values["precision"] = _choice("precision")
    return values


def _choice(name: str) -> str:
    """A select box made from the setting's own declaration."""
    declared = setting(TrainingConfig, name)
    return st.selectbox(
        declared.label, declared.choices, help=declared.help, key=f"train_{name}", persist_state="session"
    )
