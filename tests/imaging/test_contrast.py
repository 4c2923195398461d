import cv2
import numpy as np
import pytest
from skimage.exposure import equalize_adapthist

from cfu_core.errors import RecipeError
from cfu_core.imaging.contrast import (
    PRESETS,
    adjust_gamma,
    clahe,
    clip_limit_in_pixels,
    equalise,
    matlab_clip_limit,
    scikit_image_clip_limit,
    stretch,
)
from cfu_core.imaging.recipe import Recipe


@pytest.fixture
def image() -> np.ndarray:
    """A dim, tinted frame with blobs, whose colours stay inside RGB when their lightness changes."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:160, 0:200]
    grey = 110 + 25 * np.sin(x / 17) + 20 * np.cos(y / 11) + 0.1 * x
    grey += rng.normal(0, 4, grey.shape)
    return np.clip(grey[..., None] + np.array([6, 0, -6]), 0, 255).astype(np.uint8)


def lab(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)


@pytest.mark.parametrize(("clip_limit", "tiles"), [(2.0, 8), (0.5, 4), (10.0, 3), (40.0, 1)])
def test_it_is_opencvs_clahe_on_the_lightness(image, clip_limit, tiles):
    expected = lab(image)
    expected[..., 0] = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(tiles, tiles)).apply(expected[..., 0].copy())
    np.testing.assert_array_equal(
        clahe(image, clip_limit=clip_limit, tiles=tiles), cv2.cvtColor(expected, cv2.COLOR_LAB2RGB)
    )


def test_hues_are_preserved(image):
    before, after = lab(image).astype(int), lab(clahe(image, clip_limit=4.0, tiles=8)).astype(int)
    assert np.abs(after[..., 1:] - before[..., 1:]).max() <= 2  # LAB and RGB are both rounded to whole numbers
    assert np.abs(after[..., 0] - before[..., 0]).max() > 20


def test_contrast_grows_and_more_so_with_a_higher_limit(image):
    spread = [lab(clahe(image, clip_limit=c, tiles=4))[..., 0].std() for c in (0.5, 2.0, 8.0)]
    assert lab(image)[..., 0].std() < spread[1] < spread[2]
    assert spread[0] <= spread[1]


def test_the_input_is_not_changed(image):
    before = image.copy()
    after = clahe(image, clip_limit=3.0, tiles=8)
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(image, after)
    assert (after.shape, after.dtype) == (image.shape, np.uint8)


@pytest.mark.parametrize(("height", "width"), [(7, 100), (100, 7), (7, 7)])
def test_more_tiles_than_pixels_are_refused(height, width):
    with pytest.raises(RecipeError, match=rf"8 x 8 tiles .* {width} x {height} pixels.*1 to 7 tiles"):
        clahe(np.zeros((height, width, 3), np.uint8), clip_limit=2.0, tiles=8)


def test_no_tiles_are_refused():
    with pytest.raises(RecipeError, match="0 x 0 tiles"):
        clahe(np.zeros((8, 8, 3), np.uint8), clip_limit=2.0, tiles=0)  # OpenCV would end the process


def test_tiles_of_one_pixel_are_allowed():
    assert clahe(np.full((8, 8, 3), 90, np.uint8), clip_limit=2.0, tiles=8).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("clip_limit", "area", "pixels"),
    [
        (2.0, 256, 2),
        (2.56, 25_600, 256),
        (2.0, 28 * 28, 6),  # 6.125
        (0.1, 256, 1),  # never below one pixel
        (40.0, 65_536, 10_240),
    ],
)
def test_a_clip_limit_in_pixels_of_a_tile(clip_limit, area, pixels):
    assert clip_limit_in_pixels(clip_limit, area) == pixels


def test_opencv_clips_at_the_limit_in_pixels():
    # one tile of 64 x 64 pixels: limits of the same number of pixels give the same image, the next pixel another
    grey = (np.random.default_rng(0).normal(100, 3, (64, 64))).astype(np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    same, other = 2.01, 2.10
    assert clip_limit_in_pixels(2.0, 4096) == clip_limit_in_pixels(same, 4096) == 32
    assert clip_limit_in_pixels(other, 4096) == 33
    at_two = clahe(image, clip_limit=2.0, tiles=1)
    np.testing.assert_array_equal(clahe(image, clip_limit=same, tiles=1), at_two)
    assert (clahe(image, clip_limit=other, tiles=1) != at_two).any()


def test_scikit_images_default_of_one_percent():
    assert scikit_image_clip_limit(2.56) == pytest.approx(0.01)


@pytest.mark.parametrize("clip_limit", [1.0, 2.56, 10.0])
@pytest.mark.parametrize("area", [256, 784, 4096])
def test_scikit_images_equivalent_cuts_at_the_same_pixel(clip_limit, area):
    in_scikit_image = max(1, int(scikit_image_clip_limit(clip_limit) * area))
    assert in_scikit_image == clip_limit_in_pixels(clip_limit, area)


def test_matlabs_default_of_one_percent():
    assert matlab_clip_limit(3.55) == pytest.approx(0.01)


def test_matlabs_range():
    assert matlab_clip_limit(0.5) == 0.0
    assert matlab_clip_limit(1.0) == 0.0
    assert matlab_clip_limit(256.0) == 1.0
    assert matlab_clip_limit(1000.0) == 1.0


def test_scikit_image_at_the_equivalent_limit_gives_a_closely_related_image(image):
    # it stretches to the full range first and interpolates in another way: shapes agree, grey levels only about
    tiles, clip_limit = 4, 2.56
    ours = lab(clahe(image, clip_limit=clip_limit, tiles=tiles))[..., 0].astype(float)
    theirs = equalize_adapthist(
        lab(image)[..., 0],
        kernel_size=(image.shape[0] // tiles, image.shape[1] // tiles),
        clip_limit=scikit_image_clip_limit(clip_limit),
    )
    related = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
    assert related > 0.97


def test_presets_are_the_defaults_of_the_libraries_in_opencvs_meaning():
    limits = {preset.name: preset.clip_limit for preset in PRESETS}
    assert matlab_clip_limit(limits["MATLAB"]) == pytest.approx(0.01)
    assert scikit_image_clip_limit(limits["scikit-image"]) == pytest.approx(0.01)
    opencv = cv2.createCLAHE()
    assert limits["OpenCV"] == opencv.getClipLimit()
    assert {preset.tiles for preset in PRESETS} == {opencv.getTilesGridSize()[0]}
    assert Recipe.preprocessed().clip_limit == limits["Paper (our guess)"]


def test_equalisation_spreads_the_lightness_evenly(image):
    shares = np.histogram(lab(equalise(image))[..., 0], 8, (0, 256))[0] / (160 * 200)
    assert np.abs(shares - 1 / 8).max() < 0.04
    assert lab(image)[..., 0].std() < 30


def test_stretching_reaches_black_and_white_and_keeps_the_order(image):
    before, after = lab(image)[..., 0].astype(int), lab(stretch(image))[..., 0].astype(int)
    assert after.min() <= 1
    assert after.max() >= 254
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99


def test_gamma_below_one_brightens_by_its_formula():
    image = np.full((4, 4, 3), 128, np.uint8)
    before, after = lab(image)[0, 0, 0], lab(adjust_gamma(image, gamma=0.5))[0, 0, 0]
    assert after == pytest.approx(255 * (before / 255) ** 0.5, abs=2)
    assert np.abs(adjust_gamma(image, gamma=1.0).astype(int) - image).max() <= 1


@pytest.mark.parametrize("step", [equalise, stretch, lambda image: adjust_gamma(image, gamma=1.0)])
@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_constant_image_is_not_changed(step, value):
    flat = np.full((16, 16, 3), value, np.uint8)
    assert np.abs(step(flat).astype(int) - flat).max() <= 1
