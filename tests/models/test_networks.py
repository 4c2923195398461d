import pytest
import torch
from torch import nn

from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import architecture


def same(one: nn.Module, other: nn.Module) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items())


def test_the_same_seed_gives_the_same_weights():
    assert same(build_network("resnet18", seed=3), build_network("resnet18", seed=3))
    assert not same(build_network("resnet18", seed=3), build_network("resnet18", seed=4))


def test_the_same_seed_gives_the_same_head():
    networks = [build_network("resnet18", seed=0) for _ in range(3)]
    for network, seed in zip(networks, (7, 7, 8), strict=True):
        replace_head(network, "resnet18", 3, seed=seed)
    assert torch.equal(networks[0].fc.weight, networks[1].fc.weight)
    assert not torch.equal(networks[0].fc.weight, networks[2].fc.weight)


@pytest.mark.parametrize("key", ["googlenet", "resnet18", "alexnet"])
def test_the_new_head_has_an_output_for_each_class(key):
    network = build_network(key, seed=0)
    replace_head(network, key, 5, seed=0)
    head = network.get_submodule(architecture(key).head)
    assert head.out_features == 5
    with torch.inference_mode():
        side = architecture(key).input_size
        assert network.eval()(torch.zeros(2, 3, side, side)).shape == (2, 5)


def test_nothing_but_the_head_changes():
    network = build_network("resnet18", seed=0)
    before = {name: t.clone() for name, t in network.state_dict().items() if not name.startswith("fc.")}
    replace_head(network, "resnet18", 3, seed=1)
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_the_callers_random_state_is_not_touched():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network = build_network("resnet18", seed=1)
    replace_head(network, "resnet18", 3, seed=2)
    assert torch.equal(torch.rand(3), expected)
