import pytest
import torch
from torch import nn

from cfu_core.errors import TrainingError
from cfu_core.models.networks import build_network
from cfu_core.models.registry import ARCHITECTURES, IMAGENET_MEAN, IMAGENET_STD, architecture
from cfu_core.published import zamani_2023


def test_the_papers_networks_are_registered_with_its_input_sizes():
    assert {key: ARCHITECTURES[key].input_size for key in zamani_2023.TABLE_1} == {
        key: published.input_size for key, published in zamani_2023.TABLE_1.items()
    }
    assert list(ARCHITECTURES)[:3] == list(zamani_2023.TABLE_1)  # first on screens


def test_an_unknown_model_is_refused_with_the_names_of_the_known_ones():
    with pytest.raises(TrainingError, match=r"no model named 'vgg99'\. Known models: alexnet, googlenet, resnet18, "):
        architecture("vgg99")


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_an_entry_is_found_by_its_own_key(key):
    assert architecture(key).key == key
    assert architecture(key).label


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_the_head_is_the_last_layer_with_weights(key):
    with torch.device("meta"):
        network = build_network(key, seed=0)
    weighted = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    assert architecture(key).head == weighted[-1]


def test_the_normalisation_is_imagenets():
    assert IMAGENET_MEAN == (0.485, 0.456, 0.406)
    assert IMAGENET_STD == (0.229, 0.224, 0.225)
