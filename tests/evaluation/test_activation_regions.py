"""What a map says, counted by hand."""

import numpy as np
import pytest

from cfu_core.evaluation.activation_regions import (
    is_inside,
    peak_position,
    region_of_interest,
    resize_map,
    share_of_frame,
    to_image_pixels,
)
from cfu_core.imaging.cropping import Box


def test_a_map_grows_to_the_picture_between_0_and_1():
    large = resize_map(np.array([[0.0, 4.0], [0.0, 4.0]]), 4)
    np.testing.assert_allclose(large, np.tile([0.0, 0.25, 0.75, 1.0], (4, 1)))
    assert not resize_map(np.zeros((3, 3)), 6).any()


def test_the_peak_is_the_centre_of_the_highest_cell():
    heat = np.zeros((4, 5))
    heat[3, 1] = 2.0
    assert peak_position(heat) == pytest.approx((1.5 / 5, 3.5 / 4))
    heat[3, 3] = 2.0
    assert peak_position(heat) == pytest.approx((2.5 / 5, 3.5 / 4))
    assert peak_position(np.zeros((4, 5))) is None


def test_the_region_is_the_largest_part_above_the_threshold():
    heat = np.zeros((10, 10))
    heat[2:5, 6:9] = 1.0
    heat[8, 1] = 0.9
    box = region_of_interest(heat, 10)
    assert box == Box(6, 2, 9, 5)
    heat[0, 0] = 0.1  # below the threshold
    assert region_of_interest(heat, 10) == box
    assert region_of_interest(np.zeros((10, 10)), 10) is None


def test_points_come_back_to_the_image():
    frame = Box(-10, 20, 90, 120)
    assert to_image_pixels((0.5, 0.25), frame) == (40.0, 45.0)
    assert is_inside((40.0, 45.0), Box(40, 45, 41, 46))
    assert not is_inside((41.0, 45.0), Box(40, 45, 41, 46))


def test_chance_is_the_share_of_the_frame():
    assert share_of_frame(Box(0, 0, 50, 50), Box(0, 0, 100, 100)) == 0.25
    assert share_of_frame(Box(80, 80, 120, 120), Box(0, 0, 100, 100)) == pytest.approx(0.04)
    assert share_of_frame(Box(200, 0, 300, 50), Box(0, 0, 100, 100)) == 0.0
