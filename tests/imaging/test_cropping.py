import cv2
import numpy as np
import pytest

from cfu_core.imaging.cropping import Box, cut, find_colony, square_around


def uneven_background(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A bright frame, darker to one corner, with a camera's noise."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = 205 - 45 * x - 25 * y - 30 * (x - 0.5) ** 2
    noise = np.random.default_rng(seed).normal(0, 2, (height, width, 3))
    return np.clip(light[..., None] + np.array([4, 0, -12]) + noise, 0, 255).astype(np.uint8)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = max(0, min(one.right, other.right) - max(one.left, other.left))
    height = max(0, min(one.bottom, other.bottom) - max(one.top, other.top))
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.3, 0.35), (0.72, 0.6), (0.25, 0.7)])
@pytest.mark.parametrize("radius", [0.1, 0.18])
@pytest.mark.parametrize("size", [(240, 320), (1200, 1600), (900, 700)])
def test_a_disc_on_an_uneven_background_is_found(centre, radius, size):
    height, width = size
    image = uneven_background(height, width)
    x, y, r = round(centre[0] * width), round(centre[1] * height), round(radius * min(size))
    cv2.circle(image, (x, y), r, (120, 70, 60), -1, lineType=cv2.LINE_AA)
    found = find_colony(image)
    assert found is not None
    assert overlap(found, Box(x - r, y - r, x + r + 1, y + r + 1)) > 0.7


def test_the_larger_of_two_discs_is_found():
    image = uneven_background(300, 400)
    cv2.circle(image, (100, 150), 50, (120, 70, 60), -1)
    cv2.circle(image, (320, 80), 12, (120, 70, 60), -1)
    assert overlap(find_colony(image), Box(50, 100, 151, 201)) > 0.7


def test_cells_that_lie_close_together_are_one_colony():
    image = uneven_background(400, 400)
    rng = np.random.default_rng(5)
    for _ in range(260):
        angle, distance = rng.uniform(0, 2 * np.pi), 70 * np.sqrt(rng.random())
        centre = (round(200 + distance * np.cos(angle)), round(210 + distance * np.sin(angle)))
        cv2.circle(image, centre, 5, (110, 80, 70), -1)
    assert overlap(find_colony(image), Box(125, 135, 276, 286)) > 0.7


def test_a_colony_at_the_border_is_found_within_the_image():
    image = uneven_background(300, 400)
    cv2.circle(image, (10, 150), 50, (120, 70, 60), -1)
    found = find_colony(image)
    assert found.left == 0
    assert overlap(found, Box(0, 100, 61, 201)) > 0.7


@pytest.mark.parametrize(
    "image",
    [
        np.full((200, 300, 3), 180, np.uint8),
        np.zeros((200, 300, 3), np.uint8),
        uneven_background(300, 400),
        uneven_background(1500, 2000, seed=1),
    ],
    ids=["bright", "black", "noise", "large noise"],
)
def test_nothing_is_found_where_nothing_stands_out(image):
    assert find_colony(image) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 7), (8, 8), (2, 300), (1, 4000), (4000, 1), (9, 3000)])
def test_tiny_and_narrow_images_do_no_harm(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = find_colony(image)
    assert found is None or 0 <= found.left < found.right <= size[1]


def test_the_image_is_not_changed():
    image = uneven_background(100, 100)
    before = image.copy()
    find_colony(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        (Box(10, 20, 30, 40), 0.0, Box(10, 20, 30, 40)),
        # 20 + 10 % on each side = 24, around (20, 30)
        (Box(10, 20, 30, 40), 0.1, Box(8, 18, 32, 42)),
        # the longer side counts: 40 + 5 % on each side = 44, around (30, 15)
        (Box(10, 10, 50, 20), 0.05, Box(8, -7, 52, 37)),
        (Box(0, 0, 10, 30), 0.0, Box(-10, 0, 20, 30)),
        (Box(5, 5, 6, 6), 1.0, Box(4, 4, 7, 7)),
        (Box(0, 0, 1, 1), 0.05, Box(0, 0, 1, 1)),
    ],
)
def test_a_square_around_a_box(box, margin, expected):
    square = square_around(box, margin)
    assert square == expected
    assert square.width == square.height


def test_width_and_height_of_a_box():
    box = Box(3, 5, 10, 25)
    assert (box.width, box.height) == (7, 20)


@pytest.mark.parametrize(
    "box",
    [
        Box(2, 1, 9, 6),
        Box(0, 0, 12, 8),
        Box(-3, 2, 5, 7),
        Box(4, -2, 8, 5),
        Box(8, 3, 15, 8),
        Box(3, 5, 7, 12),
        Box(-4, -3, 16, 11),
        Box(-6, -6, 2, 2),
        Box(-40, -30, 50, 40),
    ],
    ids=["inside", "whole", "left", "top", "right", "bottom", "all round", "corner", "several times over"],
)
def test_what_lies_outside_is_mirrored_as_numpy_mirrors_it(box):
    image = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
    pad = 60
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    expected = padded[box.top + pad : box.bottom + pad, box.left + pad : box.right + pad]
    found = cut(image, box)
    np.testing.assert_array_equal(found, expected)
    assert found.flags["C_CONTIGUOUS"]


def test_the_mirror_lies_on_the_outermost_pixels():
    image = np.arange(5, dtype=np.uint8)[None, :, None].repeat(3, axis=2).repeat(2, axis=0)
    assert cut(image, Box(-2, 0, 7, 1))[0, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 4, 3, 2]


@pytest.mark.parametrize("box", [Box(-5, 0, 0, 4), Box(12, 0, 14, 4), Box(0, -4, 4, 0), Box(0, 8, 4, 12)])
def test_a_box_beside_the_image_is_a_programming_error(box):
    with pytest.raises(ValueError, match="outside an image of 12 x 8"):
        cut(np.zeros((8, 12, 3), np.uint8), box)
