import cv2
import numpy as np
import pytest

from cfu_core.imaging.frame_structure import STRUCTURE_LENGTH, frame_structure
from cfu_core.imaging.signature import (
    BLOBS,
    DESCRIPTION_LENGTH,
    DESCRIPTIONS_LENGTH,
    SIGNATURE_LENGTH,
    opponent,
    signature,
)


def scene(seed: int = 0, height: int = 240, width: int = 300) -> np.ndarray:
    """Blobs of several colours and sizes, none cut by the frame."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 215, np.uint8)
    for _ in range(14):
        centre = rng.integers(40, width - 40), rng.integers(40, height - 40)
        cv2.circle(image, [int(c) for c in centre], int(rng.integers(5, 24)), rng.integers(20, 200, 3).tolist(), -1)
    return image


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between the two descriptions that are nearest to each other."""
    one, other = (found[:DESCRIPTIONS_LENGTH].reshape(-1, DESCRIPTION_LENGTH) for found in (one, other))
    return float(np.linalg.norm(one[:, None] - other[None], axis=2).min())


def test_length_and_type():
    found = signature(scene())
    assert (found.dtype, found.shape) == (np.float32, (SIGNATURE_LENGTH,))
    assert DESCRIPTIONS_LENGTH == (1 + BLOBS) * DESCRIPTION_LENGTH
    assert SIGNATURE_LENGTH == DESCRIPTIONS_LENGTH + STRUCTURE_LENGTH
    np.testing.assert_array_equal(found[DESCRIPTIONS_LENGTH:], frame_structure(opponent(scene(), 64)[..., 0]))


def test_the_image_is_not_changed_and_the_result_is_always_the_same():
    image = scene()
    before = image.copy()
    np.testing.assert_array_equal(signature(image), signature(image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_and_mirroring_do_not_change_it(quarters, mirrored):
    image = scene()
    turned = np.rot90(image[:, ::-1] if mirrored else image, quarters)
    described = slice(DESCRIPTIONS_LENGTH)
    found, expected = signature(np.ascontiguousarray(turned)), signature(image)
    np.testing.assert_allclose(found[described], expected[described], atol=0.5)


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.5])
def test_size_has_little_effect(factor):
    image = scene()
    resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert distance(signature(image), signature(resized)) < 2


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_has_some_part_in_common_and_another_scene_has_not(seed):
    image = scene(seed)
    mine = signature(image)
    assert distance(mine, signature(image[4:-20, 30:])) < 8
    assert distance(mine, signature(scene(seed + 100))) > 10


def test_the_missing_blobs_of_a_blank_image_are_zero():
    blank = signature(np.full((50, 60, 3), 200, np.uint8))
    assert blank[:DESCRIPTION_LENGTH].any()
    assert not blank[DESCRIPTION_LENGTH:].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (7, 3), (2000, 1500)])
def test_any_size_is_accepted(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert np.isfinite(signature(image)).all()


def test_opponent_colours_of_one_pixel():
    # lightness (30 + 60 + 120) / 3; half of red less blue; half of green less a quarter of red and blue
    image = np.array([[[30, 60, 120]]], np.uint8)
    np.testing.assert_allclose(opponent(image, 8)[4, 4], [70, -45, -7.5], atol=1e-4)


def test_proportions_are_kept():
    assert opponent(np.zeros((100, 400, 3), np.uint8), 64).shape == (32, 128, 3)
