"""The protocol of the paper: three networks, each trained on original and on preprocessed images."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import architecture
from cfu_core.published.zamani_2023 import TABLE_1
from cfu_core.training.config import TrainingConfig


def protocol_pairs(preprocessed: Recipe, networks: Iterable[str] = tuple(TABLE_1)) -> list[tuple[str, Recipe]]:
    """Return the pairs of network and recipe in the paper's order.

    Parameters
    ----------
    preprocessed : Recipe
        Recipe of the preprocessed images; in the paper it is a crop and CLAHE.
    networks : iterable of str
        Names of registered architectures; by default the paper's three.
    """
    return [(network, recipe) for network in networks for recipe in (Recipe.original(), preprocessed)]


def configurations(
    dataset: str, pairs: Sequence[tuple[str, Recipe]], settings: Mapping[str, Any]
) -> list[TrainingConfig]:
    """Return one configuration for each pair of network and recipe, at the network's input size.

    Parameters
    ----------
    dataset : str
        Identifier of an imported dataset.
    pairs : sequence of (str, Recipe)
    settings : Mapping
        Further fields of `TrainingConfig`.

    Raises
    ------
    TrainingError
        A setting is out of bounds, or a network is unknown.
    """
    return [
        TrainingConfig(dataset=dataset, architecture=key, recipe=recipe.at(architecture(key).input_size), **settings)
        for key, recipe in pairs
    ]
