"""Grad-CAM: which parts of an image speak for a class, in the last layer that still knows where things are."""

import numpy as np
import torch
from torch import nn


def grad_cam(network: nn.Module, layer: str, images: torch.Tensor) -> np.ndarray:
    """Class activation maps of every class, weighted by gradients (Selvaraju et al. 2017, equations 1 and 2).

    The weight of a channel is the mean, over all places, of the gradient of the class's logit by the channel; the map
    is the weighted sum of the channels, with what speaks against the class cut off at 0.

    Parameters
    ----------
    network : Module
        In evaluation mode; logits come out.
    layer : str
        The name of the module whose output is looked at, such as `Architecture.cam`.
    images : Tensor of float32, shape (N, 3, S, S)
        Normalised, on the network's device.

    Returns
    -------
    ndarray of float32, shape (N, C, h, w)
        0 or more, at the layer's own resolution.
    """
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        # cut off from what comes before: the gradient is not wanted there, and nobody may change it in place
        kept.append(output.detach().clone().requires_grad_())
        return kept[0].clone()

    hook = network.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = network(images)
            (activations,) = kept
            maps = []
            for place in range(logits.shape[1]):
                total = logits[:, place].sum()  # images do not touch each other, so that one pass serves them all
                (gradient,) = torch.autograd.grad(total, activations, retain_graph=place + 1 < logits.shape[1])
                weights = gradient.mean(dim=(2, 3), keepdim=True)
                maps.append((weights * activations).sum(dim=1).clamp(min=0))
    finally:
        hook.remove()
    return torch.stack(maps, dim=1).detach().float().cpu().numpy()
