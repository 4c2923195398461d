from dataclasses import fields

import cv2
import numpy as np
import pytest

from cfu_core.imaging.measures import (
    EDGE_SIDE,
    MEASURES,
    MEASURING_SIDE,
    Measures,
    edge_width,
    measure,
    shrink,
)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


def test_a_flat_grey_image_has_lightness_and_nothing_else():
    found = measure(np.full((20, 30, 3), 119, np.uint8))
    assert found.brightness == pytest.approx(50.0, abs=0.3)  # sRGB 119 is L* 50.03
    assert (found.contrast, found.sharpness, found.entropy, found.saturation) == (0, 0, 0, 0)
    assert (found.underexposed, found.overexposed) == (0, 0)


def test_half_black_half_white():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = 255
    found = measure(image)
    assert found.brightness == pytest.approx(50)
    assert found.contrast == pytest.approx(50)
    assert found.entropy == pytest.approx(1)  # two values, equally often
    # the Laplacian is +100 in the column left of the edge, -100 right of it and 0 in the other 28
    assert found.sharpness == pytest.approx(100 * np.sqrt(2 / 30))
    assert (found.underexposed, found.overexposed) == (0.5, 0.5)


def test_three_quarters_dark():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20, :20] = 255
    found = measure(image)
    assert found.brightness == pytest.approx(25)
    assert found.contrast == pytest.approx(100 * np.sqrt(0.25 * 0.75))
    assert found.entropy == pytest.approx(0.75 * np.log2(4 / 3) + 0.25 * np.log2(4))
    assert (found.underexposed, found.overexposed) == (0.75, 0.25)


def test_white_noise_is_as_sharp_as_it_must_be():
    rng = np.random.default_rng(0)
    noise = rng.choice([-1, 1], (256, 256)) * 20
    found = measure(grey(128 + noise))
    # a Laplacian of 4 neighbours multiplies the spread of independent pixels by the root of 4**2 + 4 * 1**2
    assert found.sharpness / found.contrast == pytest.approx(np.sqrt(20), rel=0.02)
    assert found.entropy == pytest.approx(1, abs=0.001)


def test_chroma_of_pure_red():
    found = measure(np.full((8, 8, 3), (255, 0, 0), np.uint8))
    assert found.saturation == pytest.approx(104.6, abs=1)  # of sRGB red under D65
    assert found.brightness == pytest.approx(53.2, abs=0.3)


def test_exposure_counts_what_is_nearly_black_or_white():
    found = measure(grey(np.array([[0, 4, 60, 250, 255]]).repeat(4, axis=0)))
    assert (found.underexposed, found.overexposed) == (0.4, 0.4)


def test_blur_makes_less_sharp_and_leaves_brightness():
    rng = np.random.default_rng(1)
    image = cv2.GaussianBlur(grey(rng.integers(60, 200, (120, 160))), (0, 0), 1)
    sharp, blurred = measure(image), measure(cv2.GaussianBlur(image, (0, 0), 3))
    assert blurred.sharpness < sharp.sharpness / 3
    assert blurred.brightness == pytest.approx(sharp.brightness, abs=1)


def test_a_large_image_has_the_measures_of_its_small_copy():
    rng = np.random.default_rng(2)
    large = cv2.resize(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), (1536, 1024), interpolation=cv2.INTER_CUBIC)
    small = shrink(large, MEASURING_SIDE)
    assert small.shape == (341, 512, 3)
    assert measure(large) == measure(small)


def test_small_images_are_not_shrunk_and_thin_ones_keep_a_pixel():
    image = np.zeros((100, 512, 3), np.uint8)
    assert shrink(image, 512) is image
    assert shrink(np.zeros((3, 9000, 3), np.uint8), 512).shape == (1, 512, 3)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (3000, 1, 3)])
def test_the_smallest_images_can_be_measured(shape):
    found = measure(np.full(shape, 7, np.uint8))
    assert all(np.isfinite(list(found.to_dict().values())))
    assert found.sharpness == 0


def test_every_measure_is_explained():
    assert set(MEASURES) == {field.name for field in fields(Measures)} | {"edge_width"}
    assert all(facts.label and facts.help.endswith(".") and facts.unit for facts in MEASURES.values())


# --- the width of edges


def disc(radius: float, *, size: int = 200, inside: int = 80, outside: int = 200) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return grey(np.where(np.hypot(x, y) < radius, inside, outside))


def test_the_width_of_a_ramp_is_its_length():
    ramp = np.interp(np.arange(60), [27, 33], [60, 200])  # 6 pixels from dark to bright
    vertical = grey(np.tile(ramp, (50, 1)))
    assert edge_width(vertical) == pytest.approx(6, rel=0.15)
    assert edge_width(vertical.transpose(1, 0, 2).copy()) == pytest.approx(edge_width(vertical), rel=0.01)


def test_the_width_of_edges_does_not_depend_on_contrast_or_on_the_size_of_the_colony():
    widths = [edge_width(disc(60)), edge_width(disc(60, inside=180)), edge_width(disc(12))]
    assert max(widths) / min(widths) < 1.15


@pytest.mark.parametrize("radius", [12, 60])
@pytest.mark.parametrize("kernel", ["gauss", "motion"])
def test_blur_and_motion_widen_edges(radius, kernel):
    image = disc(radius)
    motion = np.full((1, 11), 1 / 11, np.float32)
    worse = cv2.GaussianBlur(image, (0, 0), 2) if kernel == "gauss" else cv2.filter2D(image, -1, motion)
    assert edge_width(worse) > 1.4 * edge_width(image)


def test_only_edges_in_the_box_count():
    image = np.hstack([cv2.GaussianBlur(disc(30, size=100), (0, 0), 3), disc(30, size=100)])
    assert edge_width(image, (15, 15, 85, 85)) > 1.4 * edge_width(image, (115, 15, 185, 85))
    assert edge_width(image) == pytest.approx(edge_width(image, (115, 15, 185, 85)), rel=0.2)


def test_a_larger_photograph_of_the_same_frame_has_the_same_width_of_edges():
    small = cv2.GaussianBlur(disc(200, size=EDGE_SIDE), (0, 0), 1.5)
    large = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    box = (300, 300, 724, 724)
    assert edge_width(large, [2 * edge for edge in box]) == pytest.approx(edge_width(small, box), rel=0.05)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (30, 30, 3)])
def test_without_edges_there_is_no_width(shape):
    assert np.isnan(edge_width(np.full(shape, 90, np.uint8)))
