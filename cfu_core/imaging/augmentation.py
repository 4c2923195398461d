"""Data augmentation by random reflection, rotation and translation, as affine matrices.

This module samples the matrices and applies them to single images. Training applies the same matrices to whole batches
on the device (`cfu_core.training.batches`); a test compares the two.

Zamani et al. (2023) name the three operations without their ranges; the default ranges are our own. A colony has no
upright position, so all angles and both mirror images are equally likely. A shift of a tenth of the side keeps it in
the frame.
"""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from cfu_core.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Ranges of the random transformations of a training image.

    Attributes
    ----------
    reflect : bool
        Mirror left to right and top to bottom, each with probability 0.5.
    rotation : float
        Largest angle in either direction, in degrees, 0 to 180.
    translation : float
        Largest shift along each axis in either direction, as a fraction of the side, 0 to 0.5.

    Raises
    ------
    TrainingError
        The rotation or the translation is outside its range.
    """

    reflect: bool = True
    rotation: float = 180.0
    translation: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.rotation <= 180:
            raise TrainingError(f"The rotation is {self.rotation} degrees.", "It must be between 0 and 180.")
        if not 0 <= self.translation <= 0.5:
            raise TrainingError(f"The translation is {self.translation}.", "It must be between 0 and 0.5.")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON values."""
        return asdict(self)


def sample_matrices(settings: Augmentation, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sample random affine maps in normalised coordinates, from the output image to the input image.

    Parameters
    ----------
    settings : Augmentation
        Ranges of the transformations. The values are distributed uniformly within them.
    count : int
        Number of matrices.
    rng : numpy.random.Generator
        Source of randomness. Its advance depends only on `count`, not on `settings`.

    Returns
    -------
    ndarray of float32, shape (count, 2, 3)
        Multiplied by (x, y, 1) of a pixel of the output image, a matrix gives (x, y) in the input image. Coordinates
        are -1 at the centre of the first pixel and 1 at the centre of the last one.
    """
    angle = np.deg2rad(rng.uniform(-1, 1, count) * settings.rotation)
    shift = rng.uniform(-2, 2, (count, 2)) * settings.translation  # the side is 2 long
    mirror = np.where((rng.random((count, 2)) < 0.5) & settings.reflect, -1.0, 1.0)
    matrices = np.zeros((count, 2, 3))
    matrices[:, 0, 0] = np.cos(angle) * mirror[:, 0]
    matrices[:, 0, 1] = -np.sin(angle) * mirror[:, 1]
    matrices[:, 1, 0] = np.sin(angle) * mirror[:, 0]
    matrices[:, 1, 1] = np.cos(angle) * mirror[:, 1]
    matrices[:, :, 2] = shift
    return matrices.astype(np.float32)


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply one affine map to an image.

    Interpolation is bilinear. Beyond its borders the image is reflected.

    Parameters
    ----------
    image : ndarray of uint8, shape (S, S, 3)
        A square image of any three channels, with a side of at least 2 pixels.
    matrix : ndarray, shape (2, 3)
        One of the matrices from `sample_matrices`.

    Returns
    -------
    ndarray of uint8, shape (S, S, 3)
        A new image with the same order of channels.

    Raises
    ------
    ValueError
        The image is not square.
    """
    side = image.shape[0]
    if image.shape[1] != side:
        raise ValueError(f"a square image is needed, not {image.shape}")
    half = (side - 1) / 2
    to_unit = np.array([[1 / half, 0, -1], [0, 1 / half, -1], [0, 0, 1]])
    to_pixels = np.array([[half, 0, half], [0, half, half]])
    pixels = to_pixels @ np.vstack([matrix, [0, 0, 1]]) @ to_unit
    return cv2.warpAffine(
        image,
        pixels,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
