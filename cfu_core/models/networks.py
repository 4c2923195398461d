"""Registered networks as modules: built, and given a head for the classes at hand."""

import torch
from torch import nn
from torchvision.models import get_model_builder

from cfu_core.models.registry import architecture


def build_network(key: str, *, seed: int) -> nn.Module:
    """The network as torchvision initialises it at random, with its original head of 1000 classes."""
    options = architecture(key).options
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_model_builder(key)(weights=None, **options)


def replace_head(network: nn.Module, key: str, classes: int, *, seed: int) -> None:
    """Put a new, randomly initialised classification layer of `classes` outputs in place of the old one."""
    parent_name, _, name = architecture(key).head.rpartition(".")
    parent = network.get_submodule(parent_name)
    old = getattr(parent, name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        setattr(parent, name, nn.Linear(old.in_features, classes))
