"""Augmentation of batches of images, on the device that holds them."""

import numpy as np
import torch
from torch.nn import functional


def warp_batch(batch: torch.Tensor, matrices: np.ndarray) -> torch.Tensor:
    """Apply one affine map to each image, as `cfu_core.imaging.augmentation.warp` does to a single image.

    Interpolation is bilinear. Beyond its borders the image is reflected.

    Parameters
    ----------
    batch : Tensor of float32, shape (B, 3, S, S)
        Images of any three channels and any range of values.
    matrices : ndarray of float32, shape (B, 2, 3)
        One for each image, from `cfu_core.imaging.augmentation.sample_matrices`.

    Returns
    -------
    Tensor of float32, shape (B, 3, S, S)
        New images within the range of values of `batch`, on the same device.
    """
    maps, side = torch.from_numpy(matrices).to(batch), batch.shape[-1]
    positions = torch.linspace(-1, 1, side, device=batch.device)
    # the same as torch's affine_grid, which takes eight times as long: it multiplies 50,000 rows by a 3 x 2 matrix
    grid = torch.empty(len(batch), side, side, 2, device=batch.device)
    for axis in (0, 1):
        by_x, by_y, shift = maps[:, axis].T[:, :, None]  # (B, 1) each
        torch.add((by_y * positions + shift)[:, :, None], (by_x * positions)[:, None, :], out=grid[..., axis])
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
