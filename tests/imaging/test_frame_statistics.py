import numpy as np
import pytest

from cfu_core.imaging.frame_statistics import extreme_samples, frame_statistics


def test_the_border_is_the_frame_around_the_colony():
    image = np.full((100, 120, 3), (200, 200, 200), np.uint8)
    image[30:70, 40:80] = (150, 20, 20)
    found = frame_statistics(image, (40, 30, 80, 70))
    assert found.border_lightness == pytest.approx(80.6, abs=0.5)  # sRGB 200 is L* 80.6
    assert (found.border_a, found.border_b, found.border_noise) == (0, 0, 0)
    assert found.mean_a > 5
    assert found.coloured == 1


def test_other_cells_in_the_border_do_not_change_its_colour():
    image = np.full((100, 100, 3), (210, 200, 190), np.uint8)
    clean = frame_statistics(image)
    image[:7, :40] = (90, 30, 120)
    cells = frame_statistics(image)
    assert cells.border_lightness == pytest.approx(clean.border_lightness, abs=0.05)
    assert (cells.border_a, cells.border_b) == pytest.approx((clean.border_a, clean.border_b), abs=0.05)


def test_a_box_that_fills_the_frame_leaves_its_edge():
    image = np.full((64, 64, 3), 40, np.uint8)
    image[4:-4, 4:-4] = 220
    assert frame_statistics(image, (0, 0, 64, 64)).border_lightness == pytest.approx(16, abs=1)  # sRGB 40 is L* 16.1


def test_the_noise_of_a_flat_border_is_its_standard_deviation():
    rng = np.random.default_rng(0)
    levels = np.clip(np.rint(rng.normal(128, 6, (200, 200))), 0, 255).astype(np.uint8)
    image = np.repeat(levels[..., None], 3, axis=2)
    found = frame_statistics(image)
    lightness_per_level = 0.39  # of sRGB around 128, L* 53.6
    assert found.border_noise == pytest.approx(6 * lightness_per_level, rel=0.05)
    assert found.coloured == 0


def test_the_spread_of_a_border_of_two_halves_is_half_of_their_difference():
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, 30:] = 255
    found = frame_statistics(image)
    assert found.border_lightness_spread == pytest.approx(50)
    assert (found.border_a_spread, found.border_b_spread) == (0, 0)


def test_extreme_samples_ignore_single_hot_pixels():
    image = np.full((200, 200, 3), 100, np.uint8)
    image[:20] = 30
    image[180:] = 200
    assert extreme_samples(image) == (30, 200)
    image[0, 0], image[100, 100] = 255, 0
    assert extreme_samples(image) == (30, 200)
    assert extreme_samples(np.full((1, 1, 3), 7, np.uint8)) == (7, 7)
    assert extreme_samples(np.full((1, 1, 3), 255, np.uint8)) == (255, 255)


def test_a_pale_tint_is_a_colour_and_grey_with_rounding_errors_is_not():
    grey = np.full((40, 40, 3), 200, np.uint8)
    assert frame_statistics(grey).coloured == 0
    assert frame_statistics(grey + np.uint8([0, 1, 2])).coloured == 0
    assert frame_statistics(grey + np.uint8([3, 1, 0])).coloured == 1
