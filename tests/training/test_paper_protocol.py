import pytest

from cfu_core.errors import TrainingError
from cfu_core.imaging.recipe import Recipe
from cfu_core.training.paper_protocol import configurations, protocol_pairs

ODD = Recipe(background="flatten", crop=True, margin=0.3, contrast="gamma")


def test_the_protocol_is_three_networks_on_original_and_preprocessed_images():
    assert protocol_pairs(ODD) == [
        ("alexnet", Recipe.original()),
        ("alexnet", ODD),
        ("googlenet", Recipe.original()),
        ("googlenet", ODD),
        ("resnet18", Recipe.original()),
        ("resnet18", ODD),
    ]


def test_each_configuration_has_the_size_of_its_network():
    found = configurations("cells-1", protocol_pairs(ODD), {"weights": "none", "epochs": 3})
    assert [config.recipe.size for config in found] == [224, 224, 299, 299, 299, 299]
    assert {(config.dataset, config.weights, config.epochs) for config in found} == {("cells-1", "none", 3)}
    with pytest.raises(TrainingError, match="Epochs is 0"):
        configurations("cells-1", protocol_pairs(ODD), {"epochs": 0})
