import pytest
import torch
from torch import nn

from cfu_core.models.networks import build_network, count_features, penultimate_features, replace_head, set_head
from cfu_core.models.registry import ARCHITECTURES, architecture


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


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_each_network_takes_a_step_of_training(key):
    """Its input size, its new head, the features before it, the layer for Grad-CAM, and that all of it learns."""
    facts = architecture(key)
    network = build_network(key, seed=0)
    replace_head(network, key, 5, seed=0)
    seen: list[torch.Tensor] = []
    handle = network.get_submodule(facts.cam_layer).register_forward_hook(lambda _m, _i, output: seen.append(output))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    torch.manual_seed(0)  # dropout and stochastic depth leave out the same layers each time
    before = [p.detach().clone() for p in network.parameters()]
    batch = torch.rand(2, 3, facts.input_size, facts.input_size, generator=torch.Generator().manual_seed(0))
    logits = network.train()(batch)
    handle.remove()
    assert logits.shape == (2, 5)
    (image,) = seen
    assert image.ndim == 4
    assert 6 <= image.shape[2] == image.shape[3] <= 13
    loss = nn.functional.cross_entropy(logits, torch.tensor([0, 4]))
    assert torch.autograd.grad(loss, image, retain_graph=True)[0].abs().sum() > 0
    loss.backward()
    optimizer.step()
    changed = [not torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True)]
    assert sum(changed) > 0.9 * len(changed)

    # a linear layer of the features is the whole network
    network.eval()
    weight, bias = torch.randn(5, count_features(network, key)), torch.randn(5)
    set_head(network, key, weight, bias)
    with torch.inference_mode(), penultimate_features(network, key) as features:
        expected = features(batch) @ weight.T + bias
    with torch.inference_mode():
        torch.testing.assert_close(network(batch), expected, rtol=1e-3, atol=1e-3)


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
