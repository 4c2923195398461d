import cv2
import numpy as np
import pytest

from cfu_core.imaging.registration import SCALES, coarse_fits, frame_corners, orient, refine, shrink_to_area, warp_scene


def texture(height: int, width: int, seed: int = 0, grain: float = 3.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), grain) * 100


@pytest.mark.parametrize("orientation", range(8))
def test_the_orientation_is_found(orientation):
    scene = texture(36, 44)
    inverse = orientation if orientation >= 4 else -orientation % 4
    fits = coarse_fits([scene], orient(scene, inverse))
    assert fits[0].orientation == orientation
    assert fits[0].correlation == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(fits[0].warp, np.eye(3), atol=1e-9)


def test_orientations_are_rotations_and_mirrored_rotations():
    picture = np.array([[1, 2, 3], [4, 5, 6]])
    assert orient(picture, 0).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert orient(picture, 1).tolist() == [[3, 6], [2, 5], [1, 4]]
    assert orient(picture, 2).tolist() == [[6, 5, 4], [3, 2, 1]]
    assert orient(picture, 4).tolist() == [[3, 2, 1], [6, 5, 4]]
    assert len({orient(picture, orientation).tobytes() for orientation in range(8)}) == 8


def test_a_shift_is_found_in_shares_of_the_frame():
    large = texture(60, 70)
    scene, picture = large[10:50, 10:60], large[12:52, 5:55]  # the picture begins 5 to the left and 2 below
    fit = coarse_fits([scene], picture)[0]
    assert fit.orientation == 0
    np.testing.assert_allclose(fit.warp[:2, 2], [-5 / 50, 2 / 40], atol=1e-9)


def test_the_scale_of_a_crop_is_found():
    scene = texture(40, 40, grain=4)
    scenes = [cv2.resize(scene, None, fx=scale, fy=scale) for scale in SCALES]
    picture = cv2.resize(scene[:34, :34], (40, 40))
    fit = coarse_fits(scenes, picture)[0]
    assert fit.correlation > 0.95
    # 34 / 40 = 0.85; the nearest scale is 1.19, that is 0.84
    assert frame_corners(fit.warp)[1] - frame_corners(fit.warp)[0] == pytest.approx([40 / 48, 40 / 48])


def test_a_blank_picture_has_no_correlation():
    assert {fit.correlation for fit in coarse_fits([texture(40, 40)], np.zeros((40, 40), np.float32))} == {0.0}


def test_refining_finds_a_fraction_of_a_pixel_and_both_scales():
    scene = texture(120, 150, grain=5)
    true = np.array([[0.93, 0, 0.021], [0, 0.96, 0.017], [0, 0, 1]])
    picture, here = warp_scene(scene, scene, true)
    assert here.all()
    start = np.array([[0.92, 0, 0.03], [0, 0.92, 0.03], [0, 0, 1]])
    correlation, found = refine(start, scene, picture)
    assert correlation > 0.999
    np.testing.assert_allclose(found, true, atol=0.05 / 150)
    np.testing.assert_allclose(frame_corners(found), [[0.021, 0.017], [0.951, 0.977]], atol=0.05 / 120)


def test_a_warp_that_cannot_be_refined_is_returned_unchanged():
    start = np.eye(3)
    correlation, warp = refine(start, texture(40, 40), np.zeros((40, 40), np.float32))
    assert correlation == 0
    assert warp is start


def test_pixels_outside_the_scene_are_not_visible():
    half_to_the_right = np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]])
    scene = np.arange(8, dtype=np.float32)[None].repeat(4, axis=0)
    seen, here = warp_scene(scene, scene, half_to_the_right)
    assert here[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert seen[0, :4].tolist() == [4, 5, 6, 7]


def test_pictures_are_never_enlarged():
    picture = texture(100, 80)
    assert shrink_to_area(picture, 2000).shape == (50, 40)
    assert shrink_to_area(picture, 8000) is picture
    assert shrink_to_area(picture, 9000) is picture
