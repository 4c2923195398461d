"""Depth, parameters and multiply-adds of the registered networks, measured on the modules themselves."""

from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import architecture


@dataclass(frozen=True, kw_only=True)
class Complexity:
    """Size of a network.

    Attributes
    ----------
    layers : int
        Convolutional and fully connected layers on the longest path from input to output.
    parameters_imagenet : int
        Number of parameters with the original head of 1000 classes.
    parameters : int
        Number of parameters with the new head.
    multiply_adds : int
        Multiply-add operations of one forward pass of one image, with the new head: half of what torch's
        `FlopCounterMode` counts, which includes only convolutions and matrix products.
    """

    layers: int
    parameters_imagenet: int
    parameters: int
    multiply_adds: int


def complexity(key: str, classes: int) -> Complexity:
    """Measure the complexity of a registered architecture.

    The network is built on torch's device ``meta``, without memory for its weights.

    Parameters
    ----------
    key : str
        Name of the architecture.
    classes : int
        Number of outputs of the new head.

    Returns
    -------
    Complexity
        For one image of the architecture's input size.

    Raises
    ------
    TrainingError
        No architecture has this name.
    """
    with torch.device("meta"):
        network = build_network(key, seed=0).eval()
        original = _parameters(network)
        replace_head(network, key, classes, seed=0)
        side = architecture(key).input_size
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            network(torch.empty(1, 3, side, side))
    return Complexity(
        layers=_depth(network),
        parameters_imagenet=original,
        parameters=_parameters(network),
        multiply_adds=counter.get_total_flops() // 2,
    )


def _parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _depth(network: nn.Module) -> int:
    """Count the layers with weights on the longest path of the traced graph."""
    depth: dict[fx.Node, int] = {}
    for node in fx.symbolic_trace(network).graph.nodes:
        weighted = node.op == "call_module" and isinstance(network.get_submodule(node.target), nn.Conv2d | nn.Linear)
        depth[node] = max((depth[n] for n in node.all_input_nodes), default=0) + weighted
    return max(depth.values())
