import numpy as np
import pytest
import torch

from cfu_core.imaging.augmentation import Augmentation, sample_matrices, warp
from cfu_core.models.normalisation import to_floats
from cfu_core.training.batches import warp_batch


@pytest.fixture
def images() -> np.ndarray:
    """Four square images that are smooth, so that ways of rounding do not matter, and without any symmetry."""
    y, x = np.mgrid[0:1:65j, 0:1:65j]
    planes = [
        [np.sin(3 * x + c) + y * (c + 1), np.cos(4 * y + i) - x * y, np.exp(-((x - 0.3) ** 2 + (y - 0.6) ** 2) * 9)]
        for i in range(4)
        for c in [i / 2]
    ]
    scaled = [[(p - p.min()) / (p.max() - p.min()) * 255 for p in image] for image in planes]
    return np.stack([np.stack(image, axis=-1) for image in scaled]).astype(np.uint8)


def as_images(batch: torch.Tensor) -> np.ndarray:
    return batch.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], lambda image: image),
        ([[-1, 0, 0], [0, 1, 0]], lambda image: image[:, ::-1]),
        ([[1, 0, 0], [0, -1, 0]], lambda image: image[::-1]),
        ([[0, -1, 0], [1, 0, 0]], np.rot90),
    ],
    ids=["identity", "left-right", "top-bottom", "quarter turn"],
)
def test_simple_maps_are_those_worked_out_by_hand(images, matrix, expected):
    matrices = np.array([matrix] * 4, np.float32)
    warped = as_images(warp_batch(to_floats(torch.from_numpy(images)), matrices))
    for one, image in zip(warped, images, strict=True):
        np.testing.assert_allclose(one, expected(image), atol=0.02)


def test_a_shift_moves_by_whole_pixels_and_mirrors_at_the_border(images):
    shift = 5 * 2 / 64  # five pixels of 65, whose outer centres are 2 apart
    matrices = np.array([[[1, 0, shift], [0, 1, 0]]] * 4, np.float32)
    warped = as_images(warp_batch(to_floats(torch.from_numpy(images)), matrices))
    np.testing.assert_allclose(warped[:, :, :60], images[:, :, 5:], atol=0.05)
    np.testing.assert_allclose(warped[:, :, 60:], images[:, :, 63:58:-1], atol=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_training_warps_as_the_preview_does(images, seed):
    matrices = sample_matrices(Augmentation(), 4, np.random.default_rng(seed))
    in_training = as_images(warp_batch(to_floats(torch.from_numpy(images)), matrices))
    in_preview = np.stack([warp(image, m) for image, m in zip(images, matrices, strict=True)])
    difference = np.abs(in_training - in_preview)
    assert difference.mean() < 0.6  # the preview rounds to whole grey levels and to 1/32 of a pixel
    assert difference[:, 16:-16, 16:-16].max() < 3


def test_each_image_of_a_batch_has_its_own_map(images):
    matrices = np.array([[[1, 0, 0], [0, 1, 0]], [[-1, 0, 0], [0, 1, 0]]], np.float32)
    warped = as_images(warp_batch(to_floats(torch.from_numpy(images[[0, 0]])), matrices))
    np.testing.assert_allclose(warped[0], images[0], atol=0.02)
    np.testing.assert_allclose(warped[1], images[0][:, ::-1], atol=0.02)
