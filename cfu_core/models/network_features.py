"""A network's penultimate features of images, for a map of them. torch is imported when the first image comes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.models.weight_files import weights_folder

if TYPE_CHECKING:
    import torch

KEY = "resnet18"
#: torchvision's files of ImageNet weights for it, the present one first.
FILES = ("resnet18-f37072fd.pth", "resnet18-5c106cde.pth")
SIDE = 224  # pixels; the size for which the weights were made


def local_imagenet_file() -> Path | None:
    """The ResNet-18 weights of ImageNet in the folder of weights; None where there are none. Nothing is downloaded."""
    return next((path for name in FILES if (path := weights_folder() / name).is_file()), None)


@dataclass(frozen=True)
class NetworkFeatures:
    """ResNet-18 without its classification layer.

    Parameters
    ----------
    file : Path
        Its weights, a state dict of torchvision's network; read and checked when the first image comes.
    device : callable
        Gives the device to compute on; called then, too.
    label : str
        What network and which weights, for people.
    """

    file: Path
    device: Callable[[], "torch.device"]
    label: str = "ResNet-18 with ImageNet's weights"
    side: int = SIDE

    @property
    def key(self) -> str:
        """The name under which its features are kept: that of the file, which ends in its hash."""
        return self.file.stem

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Features of some images.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (B, side, side, 3)
            RGB.

        Returns
        -------
        ndarray of float32, shape (B, 512)
            After the ReLU and the mean over the image: 0 or more.

        Raises
        ------
        WeightsError
            The file is damaged or of another network.
        """
        import torch

        from cfu_core.models.networks import penultimate

        network, device = self._network
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2).float().div_(255)
        mean, spread = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        with torch.inference_mode(), penultimate(network, KEY) as features:
            return features((batch - mean) / spread).float().cpu().numpy()

    @cached_property
    def _network(self) -> Any:
        """The network on its device, and the device."""
        from cfu_core.models.weights import initial_network

        network, _ = initial_network(KEY, str(self.file), 1, seed=0)
        device = self.device()
        return network.eval().to(device), device
