import math

import numpy as np
import pytest

from cfu_core.errors import TrainingError
from cfu_core.imaging.augmentation import Augmentation, sample_matrices, warp

IDENTITY = [[1, 0, 0], [0, 1, 0]]


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (9, 9, 3), np.uint8)


def test_the_identity_changes_nothing(image):
    np.testing.assert_array_equal(warp(image, np.array(IDENTITY, float)), image)


def test_a_negative_column_mirrors_left_and_right(image):
    np.testing.assert_array_equal(warp(image, np.array([[-1, 0, 0], [0, 1, 0]], float)), image[:, ::-1])


def test_a_negative_row_mirrors_top_and_bottom(image):
    np.testing.assert_array_equal(warp(image, np.array([[1, 0, 0], [0, -1, 0]], float)), image[::-1])


def test_a_quarter_turn(image):
    # output (x, y) comes from input (-y, x): the top row is the left column, from bottom to top
    turned = warp(image, np.array([[0, -1, 0], [1, 0, 0]], float))
    np.testing.assert_array_equal(turned, np.rot90(image))
    np.testing.assert_array_equal(turned[0], image[:, -1])


def test_a_shift_is_in_halves_of_the_side(image):
    # the side of 9 pixels is 2 long between the outer centres, so that 0.5 is two pixels
    shifted = warp(image, np.array([[1, 0, 0.5], [0, 1, 0]], float))
    np.testing.assert_array_equal(shifted[:, :7], image[:, 2:])
    np.testing.assert_array_equal(shifted[:, 7:], image[:, [7, 6]])  # mirrored at the last pixel


def test_an_image_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="square"):
        warp(np.zeros((4, 5, 3), np.uint8), np.array(IDENTITY, float))


SETTINGS = [
    Augmentation(),
    Augmentation(reflect=False),
    Augmentation(rotation=0.0),
    Augmentation(translation=0.0),
    Augmentation(reflect=False, rotation=0.0, translation=0.0),
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("count", [1, 5])
def test_all_settings_advance_the_generator_equally(settings, count):
    rng, reference = np.random.default_rng(1), np.random.default_rng(1)
    sample_matrices(settings, count, rng)
    sample_matrices(Augmentation(), count, reference)
    assert rng.random() == reference.random()


def test_without_transformations_all_matrices_are_identities():
    matrices = sample_matrices(SETTINGS[-1], 6, np.random.default_rng(0))
    assert matrices.dtype == np.float32
    np.testing.assert_array_equal(matrices, np.array([IDENTITY] * 6, np.float32))


def test_reflection_alone_gives_each_of_four_images_about_equally_often():
    matrices = sample_matrices(Augmentation(rotation=0, translation=0), 4000, np.random.default_rng(0))
    signs = matrices[:, [0, 1], [0, 1]]
    assert set(np.abs(signs).ravel()) == {1.0}
    counts = np.unique(signs, axis=0, return_counts=True)[1]
    assert len(counts) == 4
    assert counts.min() > 850


def test_angles_and_shifts_stay_within_their_ranges_and_fill_them():
    settings = Augmentation(reflect=False, rotation=30, translation=0.1)
    matrices = sample_matrices(settings, 4000, np.random.default_rng(0))
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    shifts = matrices[:, :, 2] / 2  # as a share of the side
    assert 29 < angles.max() <= 30.001
    assert -30.001 <= angles.min() < -29
    assert 0.099 < shifts.max() <= 0.1001
    assert -0.1001 <= shifts.min() < -0.099


def test_no_matrix_scales_an_image():
    matrices = sample_matrices(Augmentation(), 100, np.random.default_rng(0)).astype(float)
    linear = matrices[:, :, :2]
    np.testing.assert_allclose(linear @ linear.transpose(0, 2, 1), np.broadcast_to(np.eye(2), (100, 2, 2)), atol=1e-6)


@pytest.mark.parametrize("rotation", [-1, 180.1, math.nan, math.inf])
def test_a_rotation_out_of_bounds_is_refused(rotation):
    with pytest.raises(TrainingError, match="between 0 and 180"):
        Augmentation(rotation=rotation)


@pytest.mark.parametrize("translation", [-0.1, 0.51, math.nan])
def test_a_translation_out_of_bounds_is_refused(translation):
    with pytest.raises(TrainingError, match=r"between 0 and 0\.5"):
        Augmentation(translation=translation)


def test_settings_survive_json():
    settings = Augmentation(reflect=False, rotation=15.0, translation=0.2)
    assert Augmentation(**settings.to_dict()) == settings
