"""Networks of runs: with their initial weights, and on disk with everything that is needed to use them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from cfu_core.errors import RunError, WeightsError
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.models.weights import WeightsRecord, initial_network
from cfu_core.observer import Observer
from cfu_core.runs.run import MODEL, Run
from cfu_core.storage import write_bytes, write_json
from cfu_core.training.compute_options import default_options
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device
from cfu_core.training.loading import BatchLoader
from cfu_core.training.loop import predict_with_features


def initial_run_network(run: Run, config: TrainingConfig, observer: Observer) -> tuple[nn.Module, WeightsRecord]:
    """Build a run's network with its initial weights.

    Parameters
    ----------
    run : Run
        Run that determines the classes.
    config : TrainingConfig
        Configuration of the run: architecture, initial weights, and the seed of random weights.
    observer : Observer
        Receives one report, and the progress of a download in megabytes.

    Returns
    -------
    network : Module
        On the CPU, in training mode, with one output per class. The classification layer has random weights.
    record : WeightsRecord
        Kind, file name and checksum of the weights.

    Raises
    ------
    WeightsError
        The ImageNet weights cannot be downloaded or do not exist for this network; or the file is missing, damaged, or
        of another network.
    StorageError
        The user may not read the file, or the downloaded file cannot be written.
    StopRequested
        The observer requested to stop during the download.
    """
    observer.report(f"Loading {run.plan.weights_label}")
    return initial_network(
        config.architecture,
        config.weights,
        len(run.classes),
        seed=config.seed,
        progress=observer.progress("Downloading ImageNet weights (MB)"),
    )


def save_model(run: Run, weights: Mapping[str, torch.Tensor], details: Mapping[str, Any]) -> None:
    """Write the model of a run into its folder, replacing an earlier one.

    ``model.safetensors`` holds the weights; ``model.json`` the architecture, the classes, the recipe and the
    normalisation.

    Parameters
    ----------
    run : Run
        Run whose folder receives the files, and whose architecture, classes and recipe are saved.
    weights : mapping of str to Tensor
        State dict of the network, on any device.
    details : mapping of str to object
        Further entries of ``model.json``, as JSON values; they replace entries of the same name.

    Raises
    ------
    TypeError
        `details` contains something else than JSON values and tuples. ``model.safetensors`` is written then.
    StorageError
        The disk is full, or the folder is not writable.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in weights.items()}
    # safetensors' own writer would not report a full disk as an OSError
    write_bytes(run.folder / MODEL, save(tensors))
    write_json(
        run.folder / "model.json",
        {
            "architecture": run.config.architecture,
            "classes": run.classes,
            "recipe": run.recipe.to_dict(),
            "normalisation": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
            **details,
        },
    )


def load_model(run: Run) -> nn.Module:
    """Load the trained network of a run; after fine-tuning, with the weights of the best epoch.

    Returns
    -------
    Module
        On the CPU, in evaluation mode; returns logits.

    Raises
    ------
    RunError
        The run has no model yet. Fine-tuning writes it when it ends or stops after at least one epoch; a probe writes
        it after its last layer is fitted.
    WeightsError
        ``model.safetensors`` is damaged or does not fit the network, or the user may not read it.
    """
    path = run.folder / MODEL
    if not path.exists():
        raise RunError(
            f"The run {run.id} has no trained model.",
            "It is written when the training ends, or stops after at least one epoch.",
            "Train the run to its end, or stop it after an epoch.",
        )
    try:
        return read_network(path, run.config.architecture, len(run.classes))
    except WeightsError as error:
        raise WeightsError(error.found, error.expected, "Train the run again.") from error


def read_network(path: Path, key: str, classes: int) -> nn.Module:
    """Load a network from a ``.safetensors`` file.

    Parameters
    ----------
    path : Path
        File with the state dict of the network.
    key : str
        Name of the architecture.
    classes : int
        Number of outputs.

    Returns
    -------
    Module
        On the CPU, in evaluation mode; returns logits.

    Raises
    ------
    WeightsError
        The file is missing, damaged, not readable for the user, or of another network or number of classes.
    TrainingError
        No architecture has this name.
    """
    network = _build(key, classes)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise WeightsError(f"{path} is damaged: {error}.") from error
    return network.eval()


def build_run_network(run: Run) -> nn.Module:
    """Build a run's network with random weights, on the CPU, for weights that are loaded afterwards."""
    return _build(run.config.architecture, len(run.classes))


def _build(key: str, classes: int) -> nn.Module:
    network = build_network(key, seed=0)
    replace_head(network, key, classes, seed=0)
    return network


def load_predictor(run: Run) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load a run's network once, for predictions of any number of batches on the best device of this computer.

    Parameters
    ----------
    run : Run
        Run with a model; it determines the largest number of images per forward pass.

    Returns
    -------
    callable
        Function from at least one image that the recipe of the run was applied to, uint8 of shape (N, S, S, 3), to
        class probabilities, float64 of shape (N, C), with columns in the order of ``run.classes``, and to the inputs of
        the classification layer, float32 of shape (N, F). Rows of probabilities sum to 1.

    Raises
    ------
    RunError
        The run has no model yet.
    WeightsError
        The model is damaged, or the user may not read it.
    """
    options = default_options(best_device())
    network = options.prepare(load_model(run))

    def predict(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, key = np.arange(len(pixels)), run.config.architecture
        loader = BatchLoader(pixels, rows, options.torch_device)
        logits, features = predict_with_features(network, key, loader, rows, run.config.batch_size, options)
        return softmax(logits), features

    return predict


def softmax(logits: torch.Tensor) -> np.ndarray:
    """Return the softmax of each row, computed in float64.

    Parameters
    ----------
    logits : Tensor of float, shape (N, C)
        On the CPU, without gradient.

    Returns
    -------
    ndarray of float64, shape (N, C)
        Probabilities; rows sum to 1. A logit of minus infinity gives probability 0.
    """
    return logits.double().softmax(dim=1).numpy()
