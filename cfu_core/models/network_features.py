"""Penultimate features of ResNet-18, for a map of the images. torch is imported when the first image is given."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

KEY = "resnet18"
#: Names of torchvision's files of ImageNet weights for ResNet-18, the current one first.
WEIGHT_FILES = ("resnet18-f37072fd.pth", "resnet18-5c106cde.pth")
SIDE = 224  # pixels; the input size for which the weights were trained


@dataclass(frozen=True)
class NetworkFeatures:
    """ResNet-18 without its classification layer.

    Attributes
    ----------
    file : Path
        Weights, as a state dict of torchvision's network. They are read and verified when the first image is given.
    device : callable
        Takes no arguments and returns the device to compute on. It is called when the first image is given.
    label : str
        Name of the network and of its weights, for users.
    side : int
        Side of the input images in pixels.
    """

    file: Path
    device: Callable[[], "torch.device"]
    label: str = "ResNet-18 with ImageNet weights"
    side: int = SIDE

    @property
    def key(self) -> str:
        """Key of the stored features: the name of the weights file without suffix, which ends in a hash."""
        return self.file.stem

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Compute the features of images.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (B, side, side, 3)
            RGB.

        Returns
        -------
        ndarray of float32, shape (B, 512)
            Outputs of the last ReLU, averaged over the image: 0 or more. Rows in the order of `pixels`.

        Raises
        ------
        WeightsError
            The weights file is missing, is damaged or belongs to another network.
        StorageError
            This user may not read the weights file.
        """
        import torch

        from cfu_core.models.networks import penultimate_features
        from cfu_core.models.normalisation import normalise, to_floats

        network, device = self._network
        batch = normalise(to_floats(torch.from_numpy(np.ascontiguousarray(pixels)).to(device)))  # (B, 3, side, side)
        with torch.inference_mode(), penultimate_features(network, KEY) as features:
            return features(batch).float().cpu().numpy()

    @cached_property
    def _network(self) -> Any:
        """The network on its device, and the device."""
        from cfu_core.models.weights import initial_network

        network, _ = initial_network(KEY, str(self.file), 1, seed=0)
        device = self.device()
        return network.eval().to(device), device
