"""From uint8 images to normalised batches, augmented when they train; on whatever device they lie."""

import numpy as np
import torch
from torch.nn import functional

from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD


def to_floats(images: torch.Tensor) -> torch.Tensor:
    """Images as floats from 0 to 255, channels first.

    Parameters
    ----------
    images : Tensor of uint8, shape (B, S, S, 3)

    Returns
    -------
    Tensor of float32, shape (B, 3, S, S)
        On the same device.
    """
    return images.permute(0, 3, 1, 2).float()


def warp_batch(batch: torch.Tensor, matrices: np.ndarray) -> torch.Tensor:
    """Apply one affine map to each image, as `cfu_core.imaging.augmentation.warp` does to a single one.

    Parameters
    ----------
    batch : Tensor, shape (B, 3, S, S)
    matrices : ndarray, shape (B, 2, 3)
        From `cfu_core.imaging.augmentation.sample_matrices`.
    """
    maps, side = torch.from_numpy(matrices).to(batch), batch.shape[-1]
    along = torch.linspace(-1, 1, side, device=batch.device)
    # what torch's affine_grid gives, which takes eight times as long: it multiplies 50,000 rows by a matrix of 3 x 2
    grid = torch.empty(len(batch), side, side, 2, device=batch.device)
    for axis in (0, 1):
        by_x, by_y, shift = maps[:, axis].T[:, :, None]
        torch.add((by_y * along + shift)[:, :, None], (by_x * along)[:, None, :], out=grid[..., axis])
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def normalise(batch: torch.Tensor) -> torch.Tensor:
    """Floats from 0 to 255 as networks expect them: minus ImageNet's mean, over its standard deviation, per channel."""
    mean, deviation = (torch.tensor(v, device=batch.device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return torch.addcmul(-mean / deviation, batch, 1 / (255 * deviation))
