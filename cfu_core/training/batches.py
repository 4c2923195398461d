"""From uint8 images in memory to normalised batches on the device, augmented when they train."""

import numpy as np
import torch
from torch.nn import functional

from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD


def to_device(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """Images as floats from 0 to 1 on `device`.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (B, S, S, 3)
    device : torch.device

    Returns
    -------
    Tensor of float32, shape (B, 3, S, S)
    """
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    return batch.permute(0, 3, 1, 2).float().div_(255).contiguous()


def warp_batch(batch: torch.Tensor, matrices: np.ndarray) -> torch.Tensor:
    """Apply one affine map to each image, as `cfu_core.imaging.augmentation.warp` does to a single one.

    Parameters
    ----------
    batch : Tensor, shape (B, 3, S, S)
    matrices : ndarray, shape (B, 2, 3)
        From `cfu_core.imaging.augmentation.sample_matrices`.
    """
    theta = torch.from_numpy(matrices).to(batch)
    grid = functional.affine_grid(theta, list(batch.shape), align_corners=True)
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def normalise(batch: torch.Tensor) -> torch.Tensor:
    """Subtract ImageNet's mean and divide by its standard deviation, per channel."""
    mean = torch.tensor(IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    return (batch - mean) / std
