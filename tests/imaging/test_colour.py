import cv2
import numpy as np
import pytest

from cfu_core.imaging.colour import flatten_background, neutralise_background, normalise_stain


def frame(tint: tuple[int, int, int] = (220, 220, 220), slope: float = 0.0) -> np.ndarray:
    """A dark disc on a plain background that darkens by `slope` from left to right."""
    image = np.full((120, 160, 3), tint, np.float32)
    cv2.circle(image, (80, 60), 22, (90, 60, 70), -1)
    light = 1 - slope * np.linspace(0, 1, 160, dtype=np.float32)[None, :, None]
    return np.clip(image * light, 0, 255).astype(np.uint8)


def test_flattening_corrects_illumination_and_keeps_its_mean():
    uneven = frame(slope=0.3)
    even = flatten_background(uneven).astype(float)
    corners = [even[5, 5, 0], even[5, 154, 0], even[114, 5, 0], even[114, 154, 0]]
    assert np.ptp(corners) <= 3
    assert abs(int(uneven[5, 5, 0]) - int(uneven[5, 154, 0])) > 50
    assert np.mean(corners) == pytest.approx(220 * 0.85, abs=3)  # the mean light along the slope


def test_flattening_does_not_change_even_illumination():
    even = frame()
    assert np.abs(flatten_background(even).astype(int) - even).max() <= 1


def test_neutral_makes_a_tinted_background_grey():
    corner = neutralise_background(frame(tint=(230, 200, 170)))[3, 3].astype(int)
    assert np.ptp(corner) <= 1
    assert corner.mean() == pytest.approx(200, abs=2)


def test_neutral_does_not_change_a_grey_background():
    grey = frame()
    assert np.abs(neutralise_background(grey).astype(int) - grey).max() <= 1


def test_stain_normalisation_reduces_the_difference_of_weak_and_strong_stains():
    rng = np.random.default_rng(0)
    thickness = cv2.GaussianBlur(rng.random((64, 64, 1)).astype(np.float32), (0, 0), 4)[..., None] * 2
    absorbs = np.array([0.65, 0.70, 0.29])  # haematoxylin (Ruifrok and Johnston 2001)
    weak, strong = ((255 * 10 ** (-depth * thickness * absorbs)).astype(np.uint8) for depth in (0.25, 0.4))
    before = np.abs(weak.astype(int) - strong).mean()
    after = np.abs(normalise_stain(weak).astype(int) - normalise_stain(strong)).mean()
    assert after < before / 3


@pytest.mark.parametrize("step", [flatten_background, neutralise_background, normalise_stain])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_flat_image_stays_flat(step, value):
    flat = np.full((20, 30, 3), value, np.uint8)
    changed = step(flat)
    assert (changed.shape, changed.dtype) == (flat.shape, np.uint8)
    assert np.ptp(changed.reshape(-1, 3), axis=0).max() <= 1


@pytest.mark.parametrize("step", [flatten_background, neutralise_background, normalise_stain])
def test_the_input_is_not_changed(step):
    image = frame(slope=0.2)
    before = image.copy()
    step(image)
    np.testing.assert_array_equal(image, before)
