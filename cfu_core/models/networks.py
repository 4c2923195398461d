"""Build the registered networks and replace their classification layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torchvision.models import get_model_builder

from cfu_core.models.darknet19 import DarkNet19
from cfu_core.models.registry import architecture

#: Builders of the networks that torchvision does not provide.
OWN_BUILDERS: dict[str, Callable[..., nn.Module]] = {"darknet19": DarkNet19}


def build_network(key: str, *, seed: int) -> nn.Module:
    """Build a network with random weights and its original head of 1000 classes.

    Parameters
    ----------
    key : str
        Name of the architecture.
    seed : int
        Seed of the weights. torch's global random state on the CPU does not change; that of each GPU is set to this
        seed.

    Returns
    -------
    Module
        On torch's default device, normally the CPU, in training mode. It takes normalised images, shape (B, 3, S, S),
        and returns logits, shape (B, 1000).

    Raises
    ------
    TrainingError
        No architecture has this name.
    """
    arguments = architecture(key).builder_arguments
    build = OWN_BUILDERS.get(key) or get_model_builder(key)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(weights=None, **arguments)


def replace_head(network: nn.Module, key: str, classes: int, *, seed: int) -> None:
    """Replace the classification layer by a new one with random weights, in place.

    A ReLU after the classification layer (SqueezeNet 1.1) is removed.

    Parameters
    ----------
    network : Module
        From `build_network`. It is changed; the new layer is on torch's default device, normally the CPU.
    key : str
        Name of its architecture.
    classes : int
        Number of outputs of the new layer.
    seed : int
        Seed of the weights. torch's global random state on the CPU does not change; that of each GPU is set to this
        seed.

    Raises
    ------
    TrainingError
        No architecture has this name.
    """
    entry = architecture(key)
    old = network.get_submodule(entry.head)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(old, nn.Conv2d):
            new: nn.Module = nn.Conv2d(old.in_channels, classes, 1)
        else:
            new = nn.Linear(old.in_features, classes)  # type: ignore[arg-type]
    network.set_submodule(entry.head, new)
    if entry.rectifier:  # its gradient is 0 where a logit is negative, so that a class might never be learned
        network.set_submodule(entry.rectifier, nn.Identity())


def count_features(network: nn.Module, key: str) -> int:
    """Return the number of features F of a network: the inputs of its classification layer.

    Parameters
    ----------
    network : Module
        From `build_network`.
    key : str
        Name of its architecture.

    Raises
    ------
    TrainingError
        No architecture has this name.
    """
    head = network.get_submodule(architecture(key).head)
    return head.in_channels if isinstance(head, nn.Conv2d) else head.in_features  # type: ignore[return-value]


@contextmanager
def logits_and_features(
    network: nn.Module, key: str
) -> Iterator[Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]]:
    """Provide a function that computes the logits and the input of the classification layer, within a ``with`` block.

    If the classification layer is a convolution, its input is averaged over the image. After `replace_head`, the
    product of these features and the weights of the classification layer, plus its bias, gives the logits.

    Parameters
    ----------
    network : Module
        Should be in evaluation mode; otherwise dropout is applied. A hook is registered in it until the block ends.
    key : str
        Name of its architecture.

    Yields
    ------
    callable
        Takes a batch of normalised images, shape (B, 3, S, S), on the network's device, and returns the logits, shape
        (B, C), the same as those of the network alone, and the features, shape (B, F), on the same device.

    Raises
    ------
    TrainingError
        No architecture has this name.
    """
    inputs_of_head: list[torch.Tensor] = []
    head = network.get_submodule(architecture(key).head)
    handle = head.register_forward_pre_hook(lambda _, inputs: inputs_of_head.append(inputs[0]))

    def both(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        inputs_of_head.clear()
        logits = network(batch)
        (found,) = inputs_of_head  # (B, F), or (B, F, h, w) before a convolution
        return logits, found.mean(dim=(2, 3)) if found.ndim == 4 else found

    try:
        yield both
    finally:
        handle.remove()


@contextmanager
def penultimate_features(network: nn.Module, key: str) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """Provide a function that computes the input of the classification layer alone, within a ``with`` block.

    Parameters
    ----------
    network : Module
        Should be in evaluation mode; otherwise dropout is applied. A hook is registered in it until the block ends.
    key : str
        Name of its architecture.

    Yields
    ------
    callable
        Takes a batch of normalised images, shape (B, 3, S, S), on the network's device, and returns the features of
        `logits_and_features`, shape (B, F), on the same device.

    Raises
    ------
    TrainingError
        No architecture has this name.
    """
    with logits_and_features(network, key) as both:
        yield lambda batch: both(batch)[1]


def set_head(network: nn.Module, key: str, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Set the weights of the classification layer, in place.

    Parameters
    ----------
    network : Module
        With a classification layer of C outputs, from `replace_head`.
    key : str
        Name of its architecture.
    weight : Tensor, shape (C, F)
        Row c gives the logit of class c from the features of `penultimate_features`.
    bias : Tensor, shape (C,)
        Minus infinity is allowed, for a class that is never predicted.

    Raises
    ------
    TrainingError
        No architecture has this name.
    RuntimeError
        The shapes do not match those of the classification layer.
    """
    head = network.get_submodule(architecture(key).head)
    with torch.no_grad():
        head.weight.copy_(weight.view_as(head.weight))  # type: ignore[operator, arg-type]
        head.bias.copy_(bias)  # type: ignore[operator]
