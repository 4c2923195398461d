"""Registered networks as modules: built, and given a head for the classes at hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torchvision.models import get_model_builder

from cfu_core.models.darknet19 import DarkNet19
from cfu_core.models.registry import architecture

#: Networks that torchvision has not.
OWN: dict[str, Callable[..., nn.Module]] = {"darknet19": DarkNet19}


def build_network(key: str, *, seed: int) -> nn.Module:
    """The network as it is initialised at random, with its original head of 1000 classes."""
    options = architecture(key).options
    build = OWN.get(key) or get_model_builder(key)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(weights=None, **options)


def replace_head(network: nn.Module, key: str, classes: int, *, seed: int) -> None:
    """Put a new, randomly initialised classification layer of `classes` outputs in place of the old one."""
    facts = architecture(key)
    old = network.get_submodule(facts.head)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(old, nn.Conv2d):
            new: nn.Module = nn.Conv2d(old.in_channels, classes, 1)
        else:
            new = nn.Linear(old.in_features, classes)  # type: ignore[arg-type]
    network.set_submodule(facts.head, new)
    if facts.rectifier:  # below zero, a class could not learn any more
        network.set_submodule(facts.rectifier, nn.Identity())


@contextmanager
def penultimate(network: nn.Module, key: str) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """While this holds: what the classification layer is given, as a function of a batch, a mean over the image.

    A linear layer of these features is what the whole network computes.
    """
    given: list[torch.Tensor] = []
    head = network.get_submodule(architecture(key).head)
    handle = head.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))

    def features(batch: torch.Tensor) -> torch.Tensor:
        given.clear()
        network(batch)
        return given[0].mean(dim=(2, 3)) if given[0].ndim == 4 else given[0]

    try:
        yield features
    finally:
        handle.remove()


def set_head(network: nn.Module, key: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Give the classification layer these weights, of shape (classes, features), and this bias."""
    head = network.get_submodule(architecture(key).head)
    with torch.no_grad():
        head.weight.copy_(weight.view_as(head.weight))  # type: ignore[operator, arg-type]
        head.bias.copy_(bias)  # type: ignore[operator]
