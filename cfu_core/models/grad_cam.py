"""Grad-CAM: which regions of an image support each class, from the output of one layer."""

import numpy as np
import torch
from torch import nn


def grad_cam(network: nn.Module, layer: str, images: torch.Tensor) -> np.ndarray:
    """Compute class activation maps of every class, weighted by gradients.

    The weight of a channel is the mean, over all positions, of the gradient of the class's logit with respect to the
    channel. The map is the ReLU of the weighted sum of the channels, so that evidence against the class is set to 0.

    Parameters
    ----------
    network : Module
        In evaluation mode. It returns logits, shape (N, C).
    layer : str
        Dotted name of the module whose output is mapped, such as `Architecture.cam_layer`. Its output has the shape
        (N, K, h, w), and the network must call it exactly once.
    images : Tensor of float32, shape (N, 3, S, S)
        Normalised, on the network's device.

    Returns
    -------
    ndarray of float32, shape (N, C, h, w)
        Values of 0 or more, at the resolution of the layer; C in the order of the network's outputs. The maps are not
        scaled to a common maximum. A map is 0 everywhere if no position supports its class.

    Raises
    ------
    AttributeError
        The network has no module with the name `layer`.
    ValueError
        The network does not call this module, or calls it more than once.

    Notes
    -----
    One backward pass is computed for each class. The gradients of the network's weights do not change.

    References
    ----------
    R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh and D. Batra (2017). Grad-CAM: Visual Explanations
    from Deep Networks via Gradient-based Localization. ICCV. Equations 1 and 2.
    """
    outputs: list[torch.Tensor] = []

    def record(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        # detached, as no gradient is needed before this layer; a copy is passed on, as a later layer may work in place
        outputs.append(output.detach().clone().requires_grad_())
        return outputs[0].clone()

    hook = network.get_submodule(layer).register_forward_hook(record)
    try:
        with torch.enable_grad():
            logits = network(images)  # (N, C)
            (activations,) = outputs  # (N, K, h, w)
            maps = []
            for label in range(logits.shape[1]):
                total = logits[:, label].sum()  # images are independent: one backward pass gives all their gradients
                (gradient,) = torch.autograd.grad(total, activations, retain_graph=label + 1 < logits.shape[1])
                weights = gradient.mean(dim=(2, 3), keepdim=True)  # (N, K, 1, 1)
                maps.append((weights * activations).sum(dim=1).clamp(min=0))  # (N, h, w)
    finally:
        hook.remove()
    return torch.stack(maps, dim=1).detach().float().cpu().numpy()
