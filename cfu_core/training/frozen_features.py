"""Features of a frozen network, computed once for each image, recipe and weights, then cached.

The file ``<home>/cache/features/<recipe>-<network>-<weights>.npz`` contains ``keys`` (the key of each image, with its
box if the recipe crops to it, and with the change of the light if there is one) and ``features`` (a row for each key).
All datasets share it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from filelock import FileLock
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.networks import penultimate_features
from cfu_core.models.normalisation import change_light, normalise, to_floats
from cfu_core.models.registry import architecture
from cfu_core.models.weight_files import WeightsRecord
from cfu_core.storage import replacing, storage_errors
from cfu_core.training.cache import cache_folder, hold_lock
from cfu_core.training.cache_limit import make_room, mark_used
from cfu_core.training.compute_options import ComputeOptions
from cfu_core.training.devices import best_device
from cfu_core.training.loading import BatchLoader
from cfu_core.training.prepared_images import PreparedImages, image_keys, prepare
from cfu_core.training.tuning import fastest_options

BATCH = 16  # images per forward pass
SAVE_SECONDS = 20.0  # of work that are lost at most if the process is killed
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class FrozenFeatures:
    """Features of images of a dataset.

    Attributes
    ----------
    values : ndarray of float32, shape (N, F)
        Rows in the order of the requested images. Columns are the inputs of the network's classification layer.
    seconds : float
        Wall time in seconds of this call for computing features, without the preparation of images; 0 if all were
        cached.
    prepared : PreparedImages or None
        The images from which features were computed; None if all features were cached, because no image was then read.
    """

    values: np.ndarray
    seconds: float
    prepared: PreparedImages | None


def frozen_features(
    dataset: Dataset,
    recipe: Recipe,
    key: str,
    weights: str,
    load_network: Callable[[], tuple[nn.Module, ComputeOptions]],
    *,
    prepare_progress: Progress = lambda done, total: None,
    progress: Progress = lambda done, total: None,
    subset: np.ndarray | None = None,
    light: float = 1.0,
) -> FrozenFeatures:
    """Compute the input of a network's classification layer for each image, or read it from the cache.

    If the classification layer is a convolution, its input is averaged over the image. New features are written to
    ``<home>/cache/features/<recipe>-<network>-<weights>.npz`` about every 20 seconds and at the end. If another process
    computes features for the same file, this call waits for it.

    Parameters
    ----------
    dataset : Dataset
        Excluded images are left out.
    recipe : Recipe
        Its size must be the network's input size.
    key : str
        Name of the architecture.
    weights : str
        Identifier of the weights, from `weights_identifier`.
    load_network : callable
        Takes no arguments; returns the network with these weights, and its compute options. It is called only if
        features are missing. The network is then moved to the device of the options, and set to evaluation mode.
    prepare_progress, progress : callback ``(done, total)``
        Called with numbers of images, during preparation (also while waiting for another process) and during
        computation. They may raise `StopRequested`; the results so far are kept in the cache.
    subset : ndarray of int, optional
        Positions in ``dataset.images`` of the requested images, at least one; all images by default.
    light : float
        Factor by which the images are made brighter or darker, by `cfu_core.models.normalisation.change_light`. The
        features of such copies are cached, too.

    Returns
    -------
    FrozenFeatures
        With one row for each requested image.

    Raises
    ------
    ImageError
        An image is missing from the image store, or cannot be decoded.
    StorageError
        The disk is full, the home folder is not writable, or the environment variable ``CFU_CACHE_GB`` is not a finite
        number of 0 or more.
    TrainingError
        Features are missing, and no architecture is named `key`.
    """
    keys = np.array(image_keys(dataset, recipe), dtype=object)[dataset.rows]
    if subset is not None:
        keys = keys[subset]
    if light != 1:
        keys = np.array([f"{k} light {light:g}" for k in keys], dtype=object)
    path = cache_folder() / "features" / f"{recipe.digest}-{key}-{weights[:16]}.npz"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(FileLock(path.with_suffix(".lock")), lambda: prepare_progress(0, len(keys))):
        known = _read(path)
        missing = np.flatnonzero([k not in known for k in keys])
        if not len(missing):
            mark_used(path)
            return FrozenFeatures(values=np.stack([known[k] for k in keys]), seconds=0.0, prepared=None)
        prepared = prepare(dataset, recipe, progress=prepare_progress, subset=subset)
        rows = prepared.rows if subset is None else prepared.rows[subset]
        network, options = load_network()
        options.prepare(network).eval()
        started = saved = time.perf_counter()
        loader = BatchLoader(prepared.pixels, rows[missing], options.torch_device)
        # the last batch is filled up with copies, as a batch of another size would give other bits
        full = np.pad(missing, (0, -len(missing) % BATCH), mode="edge")
        try:
            for first in range(0, len(full), BATCH):
                progress(len(keys) - len(missing) + first, len(keys))
                batch, upcoming = full[first : first + BATCH], full[first + BATCH : first + 2 * BATCH]
                images = loader.load(rows[batch], upcoming=rows[upcoming])  # (B, S, S, 3)
                inputs = options.to_layout(normalise(change_light(to_floats(images), light)))  # (B, 3, S, S)
                with torch.inference_mode(), options.autocast(), penultimate_features(network, key) as features:
                    found = features(inputs).float().cpu().numpy()  # (B, F)
                known |= zip(keys[batch], found, strict=True)
                if time.perf_counter() - saved > SAVE_SECONDS:
                    _write(path, known)
                    saved = time.perf_counter()
        finally:
            _write(path, known)
        seconds = time.perf_counter() - started
        make_room(path)
        return FrozenFeatures(values=np.stack([known[k] for k in keys]), seconds=seconds, prepared=prepared)


def feature_options(network: nn.Module, key: str, images: int) -> ComputeOptions:
    """Find the fastest compute options for features of a number of images on this computer, in float32.

    Parameters
    ----------
    network : Module
        On the CPU. It may be on another device during the measurement, but is on the CPU again afterwards. Its weights
        do not change; its training or evaluation mode may.
    key : str
        Name of its architecture.
    images : int
        Number of images.

    Returns
    -------
    ComputeOptions
        For `best_device`, always with float32. For fewer than about 300 images, torch's defaults without a measurement.

    Raises
    ------
    TrainingError
        No architecture has this name.
    StorageError
        The result cannot be written to ``<home>/arithmetic.json``: the disk is full, or the folder is not writable.

    See Also
    --------
    cfu_core.training.tuning.fastest_options : Measures the options and stores the result.
    """
    side = architecture(key).input_size
    steps = -(-images // BATCH)
    return fastest_options(
        network, key, (BATCH, 3, side, side), best_device(), steps=steps, full_precision=True, training=False
    )


def weights_identifier(record: WeightsRecord, seed: int) -> str:
    """Return a unique identifier of the weights of a frozen network.

    Parameters
    ----------
    record : WeightsRecord
        From `cfu_core.models.weights.initial_network`.
    seed : int
        Seed of random weights; not used for weights from a file.

    Returns
    -------
    str
        SHA-256 of the file, or ``none-<seed>`` for random weights.
    """
    return record.sha256 or f"{record.kind}-{seed}"


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return features by key; none if the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return dict(zip(found["keys"].tolist(), found["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}


def _write(path: Path, known: dict[str, np.ndarray]) -> None:
    if known:
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(file, keys=np.array(list(known), dtype=str), features=np.stack(list(known.values())))
