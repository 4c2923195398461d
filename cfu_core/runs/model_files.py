"""A run's network: as it begins, and on disk with all that is needed to use it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from cfu_core.errors import CfuError, RunError, WeightsError
from cfu_core.imaging import recipe as recipes
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.models.weights import WeightsRecord, initial_network
from cfu_core.observer import Observer
from cfu_core.runs.store import Run
from cfu_core.storage import write_bytes, write_json
from cfu_core.training.compute_options import plain
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device
from cfu_core.training.loading import Feed
from cfu_core.training.loop import predict_logits

MODEL = "model.safetensors"


def network_to_train(run: Run, config: TrainingConfig, observer: Observer) -> tuple[nn.Module, WeightsRecord]:
    """The run's network with the weights that it is to begin with, and what they are."""
    observer.report(f"Loading {run.spec['weights_label']}")
    return initial_network(
        config.architecture,
        config.weights,
        len(run.classes),
        seed=config.seed,
        progress=observer.progress("Downloading ImageNet weights (MB)"),
    )


def save_model(run: Run, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Keep a network's weights, with all that is needed to use them beside them."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
    # by way of bytes: safetensors' own writer hides from us that the disk is full
    write_bytes(run.folder / MODEL, save(tensors))
    write_json(
        run.folder / "model.json",
        {
            "architecture": run.config["architecture"],
            "classes": run.classes,
            "recipe": run.config["recipe"],
            "normalisation": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
            **facts,
        },
    )


def load_model(run: Run) -> nn.Module:
    """The run's network, on the CPU, in evaluation mode.

    Raises
    ------
    RunError
        The run has not finished an epoch yet.
    WeightsError
        The file is damaged.
    """
    path = run.folder / MODEL
    if not path.exists():
        raise RunError(f"The run {run.id} has no trained model.", "It has not finished an epoch.", "Train it first.")
    try:
        return read_network(path, run.config["architecture"], len(run.classes))
    except WeightsError as error:
        raise WeightsError(error.found, error.expected, "Train the run again.") from error


def read_network(path: Path, key: str, classes: int) -> nn.Module:
    """A network with the weights that a ``.safetensors`` file holds, on the CPU, in evaluation mode.

    Parameters
    ----------
    path : Path
    key : str
        Name of the architecture.
    classes : int

    Raises
    ------
    WeightsError
        The file is damaged, or of another network.
    """
    network = _empty(key, classes)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} is damaged: {error}.") from error
    return network.eval()


def empty_network(run: Run) -> nn.Module:
    """The run's network, to be filled with weights."""
    return _empty(run.config["architecture"], len(run.classes))


def _empty(key: str, classes: int) -> nn.Module:
    network = build_network(key, seed=0)
    replace_head(network, key, classes, seed=0)
    return network


def predict(run: Run, images: list[np.ndarray]) -> np.ndarray:
    """Class probabilities that a run's network gives to new images.

    Parameters
    ----------
    run : Run
    images : list of ndarray of uint8, shape (H, W, 3)
        RGB, as decoded; the run's own recipe is applied.

    Returns
    -------
    ndarray of float64, shape (len(images), classes)
    """
    if not images:
        raise CfuError("No images were given.", "Name at least one image.")
    arithmetic = plain(best_device())
    network = arithmetic.settle(load_model(run))
    pixels = np.stack([recipes.apply(run.recipe, image) for image in images])
    rows = np.arange(len(images))
    feed = Feed(pixels, rows, arithmetic.on)
    return probabilities_of(predict_logits(network, feed, rows, run.config["batch_size"], arithmetic))


def probabilities_of(logits: torch.Tensor) -> np.ndarray:
    """Softmax of each row, as float64."""
    return logits.double().softmax(dim=1).numpy()
