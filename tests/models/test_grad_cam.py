"""Class activation maps, beside captum's."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from cfu_core.models.grad_cam import grad_cam
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import ARCHITECTURES

PAPERS = ("alexnet", "googlenet", "resnet18")


def network(key: str) -> nn.Module:
    torch.manual_seed(1)
    module = build_network(key, seed=1)
    replace_head(module, key, 3, seed=1)
    return module.eval()


@pytest.mark.parametrize("key", ARCHITECTURES)
def test_maps_equal_those_of_captum(key):
    known, module = ARCHITECTURES[key], network(key)
    side = known.input_size if key in PAPERS else 96
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0  # at random weights the signal of a deep network dies away without it
    with torch.no_grad():
        module.train()(images)
    module.eval()
    found = grad_cam(module, known.cam_layer, images)
    assert found.dtype == np.float32
    reference = LayerGradCam(module, module.get_submodule(known.cam_layer))
    for place in range(3):
        expected = reference.attribute(images, target=place, relu_attributions=True).detach().numpy()[:, 0]
        scale = max(expected.max(), 1e-12)
        np.testing.assert_allclose(found[:, place] / scale, expected / scale, atol=1e-4)
    assert found.max() > 0


def test_a_map_is_the_weighted_sum_of_the_channels():
    class Two(nn.Module):
        """One layer that passes the image on, then class 0 = the mean of channel 0 less twice that of channel 1."""

        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Identity()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            means = self.last(images).mean(dim=(2, 3))
            return torch.stack([means[:, 0] - 2 * means[:, 1], means[:, 1]], dim=1)

    image = torch.tensor([[[[4.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 0.0]], [[9.0] * 2] * 2]])
    maps = grad_cam(Two(), "last", image)
    # the gradient of a mean over four places is a quarter
    np.testing.assert_allclose(maps[0, 0], [[0.5, 0.0], [0.0, 0.5]])
    np.testing.assert_allclose(maps[0, 1], [[0.25, 0.25], [0.0, 0.0]])


def test_the_network_is_left_as_it_was():
    module = network("squeezenet1_1").requires_grad_(False)
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    before = module(images)
    with torch.no_grad():
        grad_cam(module, ARCHITECTURES["squeezenet1_1"].cam_layer, images)
    torch.testing.assert_close(module(images), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in module.parameters())
