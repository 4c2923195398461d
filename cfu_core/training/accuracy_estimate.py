"""What would this preprocessing do to the accuracy? Answered within seconds, by cross-validated probes.

The images of the test partition take no part: they are for the run that is decided on. Those of training and
validation are parted into folds, never between images of one dish or copies; a probe is fitted for each fold, and every
image is predicted once by a probe that has not seen it. Both recipes meet the same folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import nn

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.group_allocation import folds_of, units_of
from cfu_core.dataset.splitting import check_trainable, split_of
from cfu_core.errors import TrainingError
from cfu_core.evaluation.intervals import Paired, compare, wilson
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import architecture
from cfu_core.models.weights import initial_network
from cfu_core.training.compute_options import Arithmetic
from cfu_core.training.frozen_features import frozen_features, how_to_compute, weights_name
from cfu_core.training.memory import keep_freed_memory
from cfu_core.training.probe import FOLDS, cross_validate

MOST = 1000  # images; more hardly narrow the interval, and take longer
Progress = Callable[[str], Callable[[int, int], None]]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What one recipe gives.

    Parameters
    ----------
    accuracy, low, high : float
        Share of images that were predicted correctly, each once, with its 95 % interval (Wilson).
    correct, images : int
    """

    accuracy: float
    low: float
    high: float
    correct: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Estimates for some recipes; `against` compares the first with each of the others.

    Parameters
    ----------
    estimates : list of Estimate
        In the order of the recipes.
    against : list of Paired
        The first recipe against the second, the third, ...; positive where the first is better.
    weights : str
        What the network began with, in words.
    all_images : bool
        Whether every image outside the test partition took part.
    """

    estimates: list[Estimate]
    against: list[Paired]
    weights: str
    all_images: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def estimate(
    dataset: Dataset, recipes: Sequence[Recipe], key: str, weights: str, *, split_seed: int, progress: Progress
) -> Comparison:
    """Cross-validated accuracy of a probe under each recipe.

    Parameters
    ----------
    dataset : Dataset
    recipes : sequence of Recipe
        At the network's input size.
    key : str
        Name of the architecture.
    weights : str
        ``imagenet``, ``none`` or the path of a file.
    split_seed : int
        Which split says what the test images are; also of the folds, and of random weights.
    progress : callable
        Gives, for the name of a phase, what is called with steps done and in all; may raise `StopRequested`.

    Raises
    ------
    CfuError
        The dataset cannot be trained on, or the weights are not what they should be.
    """
    keep_freed_memory()
    check_trainable(dataset.counts)
    allowed = _outside_test(dataset, split_seed)
    wanted = _some(allowed, split_seed)
    labels = dataset.images["label"].map(dataset.classes.index).to_numpy(np.int64)[wanted]
    units = units_of(dataset.images.iloc[wanted])
    if min(len(set(units[labels == label])) for label in set(labels)) < FOLDS:
        raise TrainingError(
            "There are too few images for an estimate.",
            f"Each class needs at least {FOLDS} images, or dishes where they are known, outside the test partition.",
        )
    folds = folds_of(labels, units, count=FOLDS, seed=split_seed)
    network, record = initial_network(
        key, weights, len(dataset.classes), seed=split_seed, progress=progress("Downloading ImageNet weights (MB)")
    )

    def build() -> tuple[nn.Module, Arithmetic]:
        return network, how_to_compute(network, key, len(dataset.images))

    hits = []
    for number, recipe in enumerate(recipes, 1):
        of = f" ({number} of {len(recipes)})"
        features = frozen_features(
            dataset,
            recipe,
            key,
            weights_name(record, split_seed),
            build,
            preparing=progress(f"Preprocessing{of}"),
            progress=progress(f"{architecture(key).label} looks at the images{of}"),
            wanted=wanted,
        )
        predicted = cross_validate(
            features.values, labels, folds, len(dataset.classes), progress=progress(f"Cross-validating{of}")
        )
        hits.append(predicted == labels)
    return Comparison(
        estimates=[_estimate(hit) for hit in hits],
        against=[compare(hit, hits[0]) for hit in hits[1:]],
        weights=record.label,
        all_images=len(wanted) == len(allowed),
    )


def _estimate(hits: np.ndarray) -> Estimate:
    correct, images = int(hits.sum()), len(hits)
    low, high = wilson(correct, images)
    return Estimate(accuracy=correct / images, low=low, high=high, correct=correct, images=images)


def _outside_test(dataset: Dataset, seed: int) -> np.ndarray:
    """Images that may take part, by their place in ``dataset.images``."""
    partition = dataset.images["path"].map(split_of(dataset, seed=seed).assignment).to_numpy()
    return np.flatnonzero(partition != "test")


def _some(places: np.ndarray, seed: int) -> np.ndarray:
    """All of them, or some by chance where there are very many."""
    if len(places) <= MOST:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, MOST, replace=False))
