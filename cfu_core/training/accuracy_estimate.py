"""Estimate how preprocessing changes the accuracy, within seconds, by cross-validated probes.

Test images take no part: they are reserved for the run that follows. Training and validation images are divided into
folds; images of one dish, and copies, are always in the same fold. A probe is fitted for each fold, and every image is
predicted once, by a probe that was not fitted to it. All recipes use the same folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.group_allocation import split_units, stratified_folds
from cfu_core.dataset.splitting import check_trainable, split_of
from cfu_core.errors import TrainingError
from cfu_core.evaluation.intervals import PairedComparison, compare_paired, wilson_interval
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import architecture
from cfu_core.models.weights import initial_network
from cfu_core.training.compute_options import ComputeOptions
from cfu_core.training.frozen_features import feature_options, frozen_features, weights_identifier
from cfu_core.training.memory import keep_freed_memory
from cfu_core.training.probe import FOLDS, cross_validate

MAX_IMAGES = 1000  # more images take longer and make the interval little narrower
#: Takes the name of a phase and returns the callback ``(done, total)`` of this phase.
Progress = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Estimated accuracy with one recipe.

    Attributes
    ----------
    accuracy, low, high : float
        Fraction of images that were predicted correctly, and the limits of its 95 % interval (Wilson); 0 to 1.
    correct, images : int
        Number of images that were predicted correctly, and of all predicted images.
    """

    accuracy: float
    low: float
    high: float
    correct: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Estimates for several recipes, and a comparison of the first recipe with each of the others.

    Attributes
    ----------
    estimates : list of Estimate
        In the order of the recipes.
    against : list of PairedComparison
        The first recipe compared with the second, the third, and so on. Differences are positive if the first recipe is
        better. The p values are not adjusted for the number of comparisons.
    weights : str
        Description of the initial weights, such as "ImageNet weights".
    all_images : bool
        Whether all training and validation images were used; False for a random sample of `MAX_IMAGES`.
    """

    estimates: list[Estimate]
    against: list[PairedComparison]
    weights: str
    all_images: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON values; each estimate and comparison becomes a dict."""
        return asdict(self)


def estimate(
    dataset: Dataset, recipes: Sequence[Recipe], key: str, weights: str, *, split_seed: int, progress: Progress
) -> Comparison:
    """Estimate the accuracy of a network with each recipe, by cross-validated probes.

    The network is frozen, so the estimate applies to probes; after fine-tuning, the accuracy is usually different. Test
    images are not used. Of more than `MAX_IMAGES` training and validation images, a random sample is used. From then
    on, this process keeps the memory that it frees (`cfu_core.training.memory.keep_freed_memory`).

    Parameters
    ----------
    dataset : Dataset
        A saved dataset. Each class needs at least `FOLDS` images, or dishes if these are known, outside the test
        partition. Copies of an image count once.
    recipes : sequence of Recipe
        At least one. Their size must be the network's input size.
    key : str
        Name of the architecture.
    weights : str
        ``imagenet``, ``none`` (random weights), or the path of a file.
    split_seed : int
        Seed of the split that defines the test images; also of the folds and of random weights.
    progress : callable
        Takes the name of a phase and returns a callback ``(done, total)`` for the steps of the phase: images, folds, or
        megabytes of a download. The callback may raise `StopRequested`; finished images and features stay in the cache.

    Returns
    -------
    Comparison
        With an estimate for each recipe.

    Raises
    ------
    TrainingError
        There are fewer than two classes, or too few images of a class; or no architecture is named `key`.
    DatasetError
        `split_seed` is negative, no split was found, or the saved split lacks images.
    WeightsError
        The ImageNet weights cannot be downloaded or do not exist for this network; or the file is missing, is damaged
        or belongs to another network.
    ImageError
        An image is missing from the image store, or cannot be decoded.
    StorageError
        The disk is full, the home folder is not writable, the saved split is damaged, the weights file is not readable,
        or the environment variable ``CFU_CACHE_GB`` is not a finite number of 0 or more.
    """
    keep_freed_memory()
    check_trainable(dataset.counts)
    allowed = _outside_test(dataset, split_seed)
    subset = _sample(allowed, split_seed)
    labels = dataset.class_indices[subset]
    units = split_units(dataset.images.iloc[subset])
    if min(len(set(units[labels == label])) for label in set(labels)) < FOLDS:
        raise TrainingError(
            "There are too few images for an estimate.",
            f"Each class needs at least {FOLDS} images (or dishes, if they are known) outside the test partition.",
        )
    folds = stratified_folds(labels, units, count=FOLDS, seed=split_seed)
    network, record = initial_network(
        key, weights, len(dataset.classes), seed=split_seed, progress=progress("Downloading ImageNet weights (MB)")
    )

    def load_network() -> tuple[nn.Module, ComputeOptions]:
        return network, feature_options(network, key, len(dataset.images))

    correct = []
    for number, recipe in enumerate(recipes, 1):
        of = f" ({number} of {len(recipes)})"
        features = frozen_features(
            dataset,
            recipe,
            key,
            weights_identifier(record, split_seed),
            load_network,
            prepare_progress=progress(f"Preprocessing{of}"),
            progress=progress(f"Computing features with {architecture(key).label}{of}"),
            subset=subset,
        )
        predicted = cross_validate(
            features.values, labels, folds, len(dataset.classes), progress=progress(f"Cross-validating{of}")
        )
        correct.append(predicted == labels)
    return Comparison(
        estimates=[_estimate(one) for one in correct],
        against=[compare_paired(other, correct[0]) for other in correct[1:]],
        weights=record.label,
        all_images=len(subset) == len(allowed),
    )


def _estimate(correct: np.ndarray) -> Estimate:
    count, images = int(correct.sum()), len(correct)
    low, high = wilson_interval(count, images)
    return Estimate(accuracy=count / images, low=low, high=high, correct=count, images=images)


def _outside_test(dataset: Dataset, seed: int) -> np.ndarray:
    """Return the positions in ``dataset.images`` of the training and validation images that have a class."""
    partition = dataset.images["path"].map(split_of(dataset, seed=seed).assignment).to_numpy()
    return np.flatnonzero((partition != "test") & (dataset.images["label"] != ""))


def _sample(positions: np.ndarray, seed: int) -> np.ndarray:
    """Return all positions, or a random sample of `MAX_IMAGES` of them."""
    if len(positions) <= MAX_IMAGES:
        return positions
    return np.sort(np.random.default_rng(seed).choice(positions, MAX_IMAGES, replace=False))
