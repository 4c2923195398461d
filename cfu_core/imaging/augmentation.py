"""Reflection, rotation and translation as matrices: sampled here, applied here to one image.

Training applies the same matrices to whole batches on the device (`cfu_core.training.batches`); a test holds
the two together. The paper names the three operations without their ranges; the defaults are ours: a colony has
no upright position, so every angle and both mirror images are equally likely, and a shift of a tenth of the
side keeps it in the frame.
"""

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from cfu_core.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What may happen to a training image.

    Parameters
    ----------
    reflect : bool
        Mirror left-right and top-bottom, each with probability one half.
    rotation : float
        Largest rotation to either side, in degrees, 0 to 180.
    translation : float
        Largest shift along each axis, as a fraction of the side, 0 to 0.5.
    """

    reflect: bool = True
    rotation: float = 180.0
    translation: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.rotation <= 180:
            raise TrainingError(f"The rotation is {self.rotation} degrees.", "It must lie between 0 and 180.")
        if not 0 <= self.translation <= 0.5:
            raise TrainingError(f"The translation is {self.translation}.", "It must lie between 0 and 0.5.")

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def sample_matrices(settings: Augmentation, count: int, rng: np.random.Generator) -> np.ndarray:
    """Random affine maps in normalised coordinates, each from the output image to the input image.

    Parameters
    ----------
    settings : Augmentation
    count : int
        How many matrices.
    rng : numpy.random.Generator
        Advanced by the same amount whatever the settings are.

    Returns
    -------
    ndarray of float32, shape (count, 2, 3)
        Rows give the input's column and row. Coordinates run from -1 at the centre of the first pixel to 1 at
        the centre of the last one.
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
    """Apply one map; what comes from outside the image is mirrored at its border.

    Parameters
    ----------
    image : ndarray of uint8, shape (S, S, 3)
        A square image.
    matrix : ndarray, shape (2, 3)
        From `sample_matrices`.

    Returns
    -------
    ndarray of uint8, shape (S, S, 3)
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
