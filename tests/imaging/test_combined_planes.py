"""Focal planes fused in focus, and composites of channels."""

import cv2
import numpy as np
import pytest

from cfu_core.errors import ImageError
from cfu_core.imaging.combined_planes import combinations, fuse, hue_names
from cfu_core.imaging.decoding import open_pictures
from cfu_core.imaging.planes import COMPOSITE, FUSED, picture_in_words
from cfu_core.imaging.reading import decode
from cfu_core.imaging.sample_range import SampleRange
from tests.imaging.test_reading import tiff

RNG = np.random.default_rng(5)


def halves() -> tuple[np.ndarray, np.ndarray]:
    """Return a texture of 12 bits, and two planes of it, of which each shows one half in focus."""
    texture = cv2.GaussianBlur(RNG.normal(0, 1, (80, 120)).astype(np.float32), (0, 0), 1.2)
    sharp = np.clip(2000 + 600 * texture / texture.std(), 0, 4095).astype(np.uint16)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    left = np.arange(120) < 60
    return sharp, np.stack([np.where(left, sharp, blurred), np.where(left, blurred, sharp)])


def test_each_half_is_taken_from_the_plane_that_is_in_focus_there():
    sharp, planes = halves()
    fused = fuse(planes[..., None])[..., 0]
    away = np.abs(np.arange(120) - 60) > 12  # from the border between the halves
    assert (fused[:, away] == sharp[:, away]).all()
    assert ((fused == planes[0]) | (fused == planes[1])).all()  # no value is made up
    error = [np.sqrt(np.mean((found.astype(float) - sharp) ** 2)) for found in (fused, *planes)]
    assert error[0] < 0.2 * min(error[1:])


def test_noise_of_the_camera_does_not_decide_which_plane_is_sharpest():
    _, planes = halves()
    noisy = np.clip(planes + RNG.normal(0, 450, planes.shape), 0, 4095).astype(np.uint16)
    fused = fuse(noisy[..., None])[..., 0]
    away = np.abs(np.arange(120) - 60) > 12
    assert (fused[:, away] == np.where(np.arange(120) < 60, noisy[0], noisy[1])[:, away]).mean() > 0.98


@pytest.mark.parametrize("order", ["ZCYX", "CZYX"])
def test_the_planes_of_the_first_channel_are_fused_in_any_order_of_the_axes(order):
    _, planes = halves()
    other = np.full_like(planes, 100)
    samples = np.stack([planes, other], axis=1 if order == "ZCYX" else 0)
    data = tiff(samples, ome=True, metadata={"axes": order}, photometric="minisblack")
    assert combinations(open_pictures(data)) == [FUSED, COMPOSITE]
    expected = np.rint(fuse(planes[..., None])[..., 0] / 4095 * 255)
    assert np.abs(decode(data, plane=FUSED, samples=SampleRange(0, 4095))[..., 0] - expected).max() <= 1


def test_pages_of_colours_are_fused():
    _, planes = halves()
    coloured = np.repeat((planes // 16).astype(np.uint8)[..., None], 3, axis=3)
    data = tiff(coloured, photometric="rgb")
    assert combinations(open_pictures(data)) == [FUSED]
    assert (decode(data, plane=FUSED) == fuse(coloured)).all()


def test_each_channel_of_a_composite_has_its_hue_and_is_stretched_by_itself():
    channels = np.zeros((3, 40, 60), np.uint16)
    channels[0, :, :20], channels[1, :, 20:40], channels[2, :, 30:] = 4000, 50, 900
    channels[:, 0, 0] = 0
    found = decode(tiff(channels, imagej=True, metadata={"axes": "CYX"}), plane=COMPOSITE)
    assert found[5, 5].tolist() == [255, 0, 0]
    assert found[5, 25].tolist() == [0, 255, 0]
    assert found[5, 35].tolist() == [0, 255, 255]
    assert found[5, 50].tolist() == [0, 0, 255]
    two = decode(tiff(channels[:2], imagej=True, metadata={"axes": "CYX"}), plane=COMPOSITE)
    assert (two[5, 5].tolist(), two[5, 25].tolist()) == ([0, 255, 0], [255, 0, 255])
    assert hue_names(2) == ["green", "magenta"]
    assert hue_names(4) == ["red", "green", "blue", "grey"]


def test_an_empty_channel_of_a_composite_is_black():
    channels = np.stack([np.full((40, 60), 77, np.uint8), RNG.integers(0, 255, (40, 60), dtype=np.uint8)])
    found = decode(tiff(channels, imagej=True, metadata={"axes": "CYX"}), plane=COMPOSITE)
    assert (found[..., 1] == 0).all()
    assert found[..., 0].std() > 50


def test_the_focal_planes_of_each_channel_of_a_composite_are_fused():
    _, planes = halves()
    samples = np.stack([planes, planes], axis=1)
    found = decode(tiff(samples, imagej=True, metadata={"axes": "ZCYX"}), plane=COMPOSITE)
    fused = fuse(planes[..., None])[..., 0]
    assert np.corrcoef(found[..., 1].ravel(), fused.ravel())[0, 1] > 0.999
    assert (found[..., 1] == found[..., 0]).all()


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (np.zeros((2, 8, 9), np.uint8), {"imagej": True, "metadata": {"axes": "TYX"}}),
        (np.zeros((8, 9), np.uint8), {}),
        (np.zeros((2, 8, 9), np.uint8), {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}),
    ],
)
def test_other_files_have_no_combined_picture(samples, options):
    data = tiff(samples, **options)
    assert combinations(open_pictures(data)) == []
    with pytest.raises(ImageError, match=f"and {picture_in_words(FUSED)} was chosen"):
        decode(data, plane=FUSED)
