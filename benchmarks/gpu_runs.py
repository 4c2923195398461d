"""Training with this project and with a common loop, and checks of predictions, maps and bundle against the CPU."""

import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from benchmarks import training as training_benchmark
from benchmarks.gpu_protocol import DEMO
from benchmarks.gpu_results import NEEDS_CUDA, Deadline, Recorder
from benchmarks.gpu_steps import EPOCH_IMAGES, batch_sizes, set_tf32, with_peak_memory
from cfu_core.dataset.catalog import load_dataset
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.grad_cam import grad_cam
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.models.registry import architecture
from cfu_core.models.weights import initial_network
from cfu_core.observer import Observer
from cfu_core.runs.execution import execute_run
from cfu_core.runs.model_files import load_model, softmax
from cfu_core.runs.planning import plan_runs, planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.runs.training_data import training_data
from cfu_core.training.compute_options import ComputeOptions, default_options
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import best_device
from cfu_core.training.loading import BatchLoader
from cfu_core.training.loop import EpochResult, Training, TrainingImages, predict_logits
from cfu_core.training.memory import keep_freed_memory
from cfu_core.training.prepared_images import prepare
from cfu_core.training.tuning import fastest_options

EPOCHS = 3  # of this project's training; the first is not counted
MANY_STEPS = 10**6  # so that the compute options are always measured
ALLOWED_DIFFERENCE = 2e-3  # of a probability, or of a map relative to the largest value of all maps
MAP_IMAGES = 16  # for Grad-CAM
BUNDLE_NETWORK = "resnet18"
MAXIMUM_WORKERS = 16  # of the common loop


class Quiet(Observer):
    """Ignores progress and never stops the work."""

    def report(self, phase: str, **details: Any) -> None:
        """Do nothing."""

    def stop_requested(self) -> bool:
        """Return False."""
        return False


# ---- training ----


def training(recorder: Recorder, networks: tuple[str, ...], *, dry: bool, scratch: Path, deadline: Deadline) -> None:  # noqa: ARG001
    """Measure the epochs of this project's training and of a common loop, and the GPU's memory.

    It uses a home folder of its own. The runs that it plans without executing them would otherwise be waiting for the
    protocol, and the protocol would find prepared images in the cache.
    """
    os.environ["CFU_HOME"] = str(scratch / "training-home")
    keep_freed_memory()
    folder, device = scratch / DEMO, best_device()
    workers = 0 if dry else min(os.cpu_count() or 1, MAXIMUM_WORKERS)
    split = training_benchmark.planned(networks[0], folder).split()  # also imports the demo
    images = sum(partition == "training" for partition in split.values())
    for key in networks:
        for batch in batch_sizes(dry=dry):
            settings = {"network": key, "batch": batch}
            peak: dict[str, Any] = {}
            recorder.measure(
                "training",
                {**settings, "method": "this project"},
                lambda k=key, b=batch, p=peak: own(k, b, p, dry=dry),
            )
            if peak:
                recorder.add({"name": "memory", "settings": settings, "numbers": peak}, 0.0)
            else:
                recorder.leave_out("memory", settings, "not measured" if device.type == "cuda" else NEEDS_CUDA)
            recorder.measure(
                "training",
                {**settings, "method": "ImageFolder and DataLoader", "workers": workers},
                lambda k=key, b=batch: common(k, b, workers, folder, images),
            )


def own(key: str, batch: int, peak: dict[str, Any], *, dry: bool) -> dict[str, Any]:
    """Train with the fastest compute options; the first epoch is not counted. Store the GPU's memory in `peak`."""
    loop, seconds = make_training(key, batch, epochs=1 if dry else EPOCHS, dry=dry)
    results: list[EpochResult] = []

    def train() -> dict[str, Any]:
        results.extend(loop.epochs())
        return {}

    torch.cuda.empty_cache()  # does nothing without a GPU
    peak.update(with_peak_memory(best_device(), train))
    counted = results[1:] or results
    images_per_second = median(result.images_per_second for result in counted)
    return {
        "images_per_second": images_per_second,
        "epoch_seconds": EPOCH_IMAGES / images_per_second,
        "validation_seconds": median(result.validate_seconds for result in counted),
        "first_epoch_seconds": results[0].train_seconds,
        **seconds,
        "options": loop.options.label,
    }


def make_training(key: str, batch: int, *, epochs: int, dry: bool) -> tuple[Training, dict[str, float]]:
    """Prepare the images of the demo and choose the compute options; also return the seconds that these took."""
    run = run_on_demo(key, Recipe.original(), batch=batch, epochs=epochs)
    dataset = planned_dataset(run)
    began = time.perf_counter()
    prepared, data = prepare(dataset, run.recipe), training_data(run, dataset)
    ready = time.perf_counter()
    network, _ = initial_network(key, "none", len(run.classes), seed=0)
    shape = (batch, 3, run.recipe.size, run.recipe.size)
    options = fastest_options(network, key, shape, best_device(), steps=0 if dry else MANY_STEPS)
    seconds = {"prepare_seconds": ready - began, "tune_seconds": time.perf_counter() - ready}
    labels = np.zeros(len(prepared.pixels), np.int64)
    labels[prepared.rows] = data.labels
    rows = {name: prepared.rows[positions] for name, positions in data.positions.items()}
    images = TrainingImages(
        pixels=prepared.pixels, labels=labels, training=rows["training"], validation=rows["validation"]
    )
    return Training(network, images, run.config, options), seconds


def run_on_demo(key: str, recipe: Recipe, *, batch: int, epochs: int) -> Run:
    """Plan a run of a network with random weights on the demo."""
    config = TrainingConfig(
        dataset=load_dataset(DEMO).id,
        architecture=key,
        recipe=recipe.at(architecture(key).input_size),
        weights="none",
        epochs=epochs,
        batch_size=batch,
    )
    return plan_runs([config], load_dataset(DEMO))[0]


def common(key: str, batch: int, workers: int, folder: Path, images: int) -> dict[str, Any]:
    """Measure the loop of `benchmarks.training.usual` on this device; its second epoch counts."""
    with (
        patch("cfu_core.models.weights.initial_network", _network_on_device),
        patch.object(training_benchmark, "BATCH", batch),
    ):
        seconds = median(training_benchmark.usual(key, folder, workers))
    return {"images_per_second": images / seconds, "epoch_seconds": EPOCH_IMAGES * seconds / images}


class OnDevice(nn.Module):
    """A network on the device, with images and logits on the CPU, so that a loop written for the CPU can train it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.device = best_device()
        self.network = network.to(self.device)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, C) of images (B, 3, S, S), on the CPU."""
        return self.network(images.to(self.device)).cpu()


def _network_on_device(*arguments: Any, **named: Any) -> tuple[nn.Module, Any]:
    network, record = initial_network(*arguments, **named)
    return OnDevice(network), record


# ---- checks ----


def checks(recorder: Recorder, networks: tuple[str, ...], *, dry: bool, scratch: Path, deadline: Deadline) -> None:  # noqa: ARG001
    """Compare predictions and Grad-CAM maps of trained networks with those of the CPU; export and verify a bundle.

    On a computer without a CUDA GPU, the two memory layouts of the CPU are compared.
    """
    device = best_device() if best_device().type == "cuda" else torch.device("cpu")
    options = replace(default_options(device), channels_last=device.type == "cpu")
    for key in networks:
        run: list[Run] = []
        settings = {"network": key}
        if not recorder.measure("trained network", settings, lambda k=key, r=run: trained(k, r, dry=dry)):
            continue
        for allowed in (True, False) if device.type == "cuda" else (False,):
            set_tf32(False)
            torch.backends.cudnn.allow_tf32 = allowed  # PyTorch's default is True, for convolutions only
            compared = {**settings, "device": options.label, "convolutions": "TF32" if allowed else "float32"}
            for name, compare in (("equal predictions", compare_predictions), ("equal maps", compare_maps)):
                recorder.measure(name, compared, lambda c=compare, r=run: c(*r, options))
        if key == BUNDLE_NETWORK:
            recorder.measure("bundle", settings, lambda r=run: export(*r, scratch / "bundle"))


def trained(key: str, found: list[Run], *, dry: bool) -> dict[str, Any]:
    """Find a finished run of the network, or train one for an epoch."""
    runs = [run for run in list_runs() if run.evaluation() and run.config.architecture == key]
    run = runs[0] if runs else run_on_demo(key, Recipe.preprocessed(), batch=2 if dry else 15, epochs=1)
    if not runs:
        execute_run(run, Quiet())
    found.append(run)
    return {"epochs": run.config.epochs, "recipe": run.recipe.kind}


def compare_predictions(run: Run, options: ComputeOptions) -> dict[str, Any]:
    """Compare the probabilities of the test images with those of the CPU, and those that the run stored as well."""
    pixels = test_images(run)
    expected = _probabilities(run, pixels, default_options(torch.device("cpu")))
    numbers = _difference(_probabilities(run, pixels, options), expected)
    stored = run.probabilities("test")
    if stored is not None:
        numbers["largest_difference_of_stored"] = float(np.abs(stored[1] - expected).max())
    return numbers


def _probabilities(run: Run, pixels: np.ndarray, options: ComputeOptions) -> np.ndarray:
    rows = np.arange(len(pixels))
    loader = BatchLoader(pixels, rows, options.torch_device)
    return softmax(predict_logits(options.prepare(load_model(run)), loader, rows, run.config.batch_size, options))


def compare_maps(run: Run, options: ComputeOptions) -> dict[str, Any]:
    """Compare Grad-CAM maps of test images with those of the CPU, relative to the largest value of all maps."""
    pixels = test_images(run)[:MAP_IMAGES]
    layer, maps = architecture(run.config.architecture).cam_layer, []
    for each in (options, default_options(torch.device("cpu"))):
        network = each.prepare(load_model(run))
        batch = each.to_layout(normalise(to_floats(torch.from_numpy(pixels).to(each.torch_device))))
        maps.append(grad_cam(network, layer, batch))
    scale = float(maps[1].max())
    return _difference(maps[0] / scale, maps[1] / scale)


def test_images(run: Run) -> np.ndarray:
    """Return the prepared test images of a run, uint8 of shape (N, S, S, 3)."""
    dataset = planned_dataset(run)
    positions = training_data(run, dataset).positions["test"]
    prepared = prepare(dataset, run.recipe, subset=positions)
    return np.ascontiguousarray(prepared.pixels[prepared.rows[positions]])


def _difference(found: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    largest = float(np.abs(found - expected).max())
    return {
        "images": len(found),
        "largest_difference": largest,
        "allowed": ALLOWED_DIFFERENCE,
        "equal": largest <= ALLOWED_DIFFERENCE,  # False for NaN
    }


def export(run: Run, folder: Path) -> dict[str, Any]:
    """Export the bundle of a run, which verifies it, and return the largest difference of each of its networks."""
    from cfu_core.exporting.export import export_run  # late: it needs more packages than the other parts

    tests = export_run(run, folder, Quiet())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    differences = {f"largest_difference_of_{name}": test.largest for name, test in tests.items()}
    return {"megabytes": size / 2**20, "images": min(test.images for test in tests.values()), **differences}
