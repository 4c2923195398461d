"""From uint8 images to the normalised input of the networks."""

import torch

from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD


def to_floats(images: torch.Tensor) -> torch.Tensor:
    """Convert images from uint8 to floats, and put the channels first.

    Parameters
    ----------
    images : Tensor of uint8, shape (B, S, S, 3)
        RGB.

    Returns
    -------
    Tensor of float32, shape (B, 3, S, S)
        RGB, 0 to 255, on the same device. `normalise` scales it.
    """
    return images.permute(0, 3, 1, 2).float()


def change_light(batch: torch.Tensor, factor: float) -> torch.Tensor:
    """Multiply a batch by a factor, up to white; `batch` itself for the factor 1.

    Parameters
    ----------
    batch : Tensor of float32, shape (B, 3, S, S)
        RGB, 0 to 255, as from `to_floats`.
    factor : float
        Above 1 the images become brighter, below 1 darker.

    Returns
    -------
    Tensor of float32, shape (B, 3, S, S)
        RGB, 0 to 255, on the same device.
    """
    return batch if factor == 1 else (batch * factor).clamp(max=255)


def normalise(batch: torch.Tensor) -> torch.Tensor:
    """Scale a batch to 0 to 1, then subtract ImageNet's mean of each channel and divide by its standard deviation.

    Parameters
    ----------
    batch : Tensor of float32, shape (B, 3, S, S)
        RGB, 0 to 255, as from `to_floats`.

    Returns
    -------
    Tensor of float32, shape (B, 3, S, S)
        About -2.1 to 2.6, on the same device. `batch` does not change.
    """
    mean, std = (torch.tensor(v, device=batch.device).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return torch.addcmul(-mean / std, batch, 1 / (255 * std))
