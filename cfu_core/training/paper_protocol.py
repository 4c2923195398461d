"""The protocol of the paper: three networks, each trained on original and on preprocessed images."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import architecture
from cfu_core.published.zamani_2023 import TABLE_1
from cfu_core.training.config import TrainingConfig


def protocol_pairs(preprocessed: Recipe, networks: Iterable[str] = tuple(TABLE_1)) -> list[tuple[str, Recipe]]:
    """List the pairs of network and recipe in the paper's order.

    Parameters
    ----------
    preprocessed : Recipe
        Recipe of the preprocessed images; in the paper it is a crop and CLAHE.
    networks : iterable of str
        Names of registered architectures, which are not checked here; by default the paper's three.

    Returns
    -------
    list of (str, Recipe)
        Two pairs for each network: first with ``Recipe.original()``, then with `preprocessed`. The sizes of the recipes
        are not yet those of the networks; `configurations` sets them.
    """
    return [(network, recipe) for network in networks for recipe in (Recipe.original(), preprocessed)]


def configurations(
    dataset: str, pairs: Sequence[tuple[str, Recipe]], settings: Mapping[str, Any]
) -> list[TrainingConfig]:
    """Create one configuration for each pair of network and recipe.

    Parameters
    ----------
    dataset : str
        Identifier of an imported dataset, which is not checked here.
    pairs : sequence of (str, Recipe)
        Names of registered architectures with recipes, for example from `protocol_pairs`.
    settings : Mapping
        Further fields of `TrainingConfig` by name, such as ``epochs``; the same for all configurations.

    Returns
    -------
    list of TrainingConfig
        In the order of `pairs`. Each recipe has the input size of its network.

    Raises
    ------
    TrainingError
        A value in `settings` is not allowed, or no architecture has a name in `pairs`.
    TypeError
        A key of `settings` is unknown, or is ``dataset``, ``architecture`` or ``recipe``.
    """
    return [
        TrainingConfig(dataset=dataset, architecture=key, recipe=recipe.at(architecture(key).input_size), **settings)
        for key, recipe in pairs
    ]
