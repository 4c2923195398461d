import cv2
import numpy as np
import pytest

from cfu_core.imaging.background import background_surface


def curved(height: int, width: int) -> np.ndarray:
    """A quadratic surface in three channels, 120 to 215 grey levels."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 200 - 18 * x + 9 * y - 20 * x * x - 12 * y * y + 6 * x * y
    return (light[..., None] * np.array([1.0, 0.97, 0.9])).astype(np.float32)


def error(image: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(background_surface(image) - truth).max())


@pytest.mark.parametrize("size", [(48, 48), (190, 256), (301, 200)])
def test_a_smooth_background_is_fitted_to_within_a_grey_level(size: tuple[int, int]) -> None:
    truth = curved(*size)
    surface = background_surface(truth)
    assert surface.shape == truth.shape
    assert surface.dtype == np.float32
    assert np.abs(surface - truth).max() < 1.5


def test_noise_and_a_large_dark_colony_do_not_bias_the_surface() -> None:
    truth = curved(300, 400)
    image = truth + np.random.default_rng(0).normal(0, 3, truth.shape).astype(np.float32)
    cv2.ellipse(image, (180, 150), (130, 95), 20, 0, 360, (60, 30, 50), -1)  # a third of the frame
    assert error(image, truth) < 4


def test_many_cells_are_not_mistaken_for_the_background() -> None:
    truth = np.full((300, 300, 3), (250, 228, 200), np.float32)
    image = truth.copy()
    for x in range(0, 330, 56):
        for y in range(0, 330, 56):
            cv2.circle(image, (x, y), 20, (195, 150, 160), -1)  # 40 % of the frame
    assert error(image, truth) < 4


def test_it_does_not_depend_on_the_size_of_the_image() -> None:
    large = curved(480, 640)
    cv2.circle(large, (200, 300), 90, (40, 30, 60), -1)
    small = cv2.resize(large, (160, 120), interpolation=cv2.INTER_AREA)
    of_large = cv2.resize(background_surface(large), (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(of_large - background_surface(small)).max() < 1


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2)])
def test_the_surface_of_one_colour_is_that_colour(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), (10, 128, 250), np.float32)
    np.testing.assert_allclose(background_surface(image), image, atol=0.5)


def test_the_image_is_not_changed() -> None:
    image = curved(60, 80)
    before = image.copy()
    background_surface(image)
    np.testing.assert_array_equal(image, before)
