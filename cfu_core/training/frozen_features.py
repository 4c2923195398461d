"""What a network that does not learn makes of each image: computed once per image, recipe and weights, then kept.

``<home>/cache/features/<recipe>-<network>-<weights>.npz`` holds ``keys`` (an image's digest, and its box where the
recipe crops to it) and ``features``, a row for each; images of all datasets share it.
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
from cfu_core.models.networks import penultimate
from cfu_core.models.registry import architecture
from cfu_core.models.weight_files import WeightsRecord
from cfu_core.storage import replacing, storage_errors
from cfu_core.training.batches import normalise, to_floats
from cfu_core.training.cache import cache_folder, waited_for
from cfu_core.training.cache_limit import make_room, mark_used
from cfu_core.training.compute_options import Arithmetic
from cfu_core.training.devices import best_device
from cfu_core.training.loading import Feed
from cfu_core.training.prepared_images import PreparedImages, image_keys, prepare
from cfu_core.training.tuning import fastest

BATCH = 16  # images at once
SAVE_SECONDS = 20.0  # what a kill may cost at most
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class FrozenFeatures:
    """Features of the images of a dataset that count.

    Parameters
    ----------
    values : ndarray of float32, shape (N, F)
        In the order of ``dataset.images``.
    seconds : float
        What computing them took just now; 0 when they were there.
    prepared : PreparedImages or None
        The images they were computed from; None when no image was needed.
    """

    values: np.ndarray
    seconds: float
    prepared: PreparedImages | None


def frozen_features(
    dataset: Dataset,
    recipe: Recipe,
    key: str,
    weights: str,
    build: Callable[[], tuple[nn.Module, Arithmetic]],
    *,
    preparing: Progress = lambda done, total: None,
    progress: Progress = lambda done, total: None,
    wanted: np.ndarray | None = None,
) -> FrozenFeatures:
    """The input of a network's classification layer for each image, a mean over the image.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
        Its size is the network's input size.
    key : str
        Name of the architecture.
    weights : str
        Names its weights for good: the digest of their file, or the seed of random ones.
    build : callable
        Gives the network with these weights, and how to compute; called only where an image is missing.
    preparing, progress : callable
        Called with images done and in all, while they are prepared and computed; may raise `StopRequested`. What is
        done by then stays.
    wanted : ndarray of int, optional
        Which images, by their place in ``dataset.images``; all by default.

    Returns
    -------
    FrozenFeatures
        With a row for each image that is wanted.
    """
    keys = np.array(image_keys(dataset, recipe), dtype=object)[dataset.rows]
    if wanted is not None:
        keys = keys[wanted]
    path = cache_folder() / "features" / f"{recipe.digest}-{key}-{weights[:16]}.npz"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with waited_for(FileLock(path.with_suffix(".lock")), lambda: preparing(0, len(keys))):
        known = _read(path)
        missing = np.flatnonzero([k not in known for k in keys])
        if not len(missing):
            mark_used(path)
            return FrozenFeatures(values=np.stack([known[k] for k in keys]), seconds=0.0, prepared=None)
        prepared = prepare(dataset, recipe, progress=preparing, wanted=wanted)
        rows = prepared.rows if wanted is None else prepared.rows[wanted]
        network, arithmetic = build()
        arithmetic.settle(network).eval()
        started = saved = time.perf_counter()
        feed = Feed(prepared.pixels, rows[missing], arithmetic.on)
        full = np.pad(missing, (0, -len(missing) % BATCH), mode="edge")  # a batch of another size gives other bits
        try:
            for first in range(0, len(full), BATCH):
                progress(len(keys) - len(missing) + first, len(keys))
                part, then = full[first : first + BATCH], full[first + BATCH : first + 2 * BATCH]
                images = feed.take(rows[part], then=rows[then])
                with torch.inference_mode(), arithmetic.autocast(), penultimate(network, key) as features:
                    found = features(arithmetic.laid_out(normalise(to_floats(images)))).float().cpu().numpy()
                known |= zip(keys[part], found, strict=True)
                if time.perf_counter() - saved > SAVE_SECONDS:
                    _write(path, known)
                    saved = time.perf_counter()
        finally:
            _write(path, known)
        seconds = time.perf_counter() - started
        make_room(path)
        return FrozenFeatures(values=np.stack([known[k] for k in keys]), seconds=seconds, prepared=prepared)


def how_to_compute(network: nn.Module, key: str, images: int) -> Arithmetic:
    """The fastest way to compute features of so many images here, in full precision."""
    side = architecture(key).input_size
    steps = -(-images // BATCH)
    return fastest(
        network, key, (BATCH, 3, side, side), best_device(), steps=steps, full_precision=True, learning=False
    )


def weights_name(record: WeightsRecord, seed: int) -> str:
    """A name for weights that no other weights have: by their file, or by the seed of random ones."""
    return record.sha256 or f"{record.kind}-{seed}"


def _read(path: Path) -> dict[str, np.ndarray]:
    """Features by key; none where the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return dict(zip(found["keys"].tolist(), found["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}


def _write(path: Path, known: dict[str, np.ndarray]) -> None:
    if known:
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(file, keys=np.array(list(known), dtype=str), features=np.stack(list(known.values())))
