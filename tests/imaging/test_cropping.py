from pathlib import Path

import cv2
import numpy as np
import pytest

from cfu_core.dataset.demo.frame import draw_frame
from cfu_core.imaging.cropping import Box, Colony, crop_to, locate_colony, square_around
from cfu_core.imaging.reading import read


def uneven_background(height: int, width: int, seed: int = 0, noise: float = 2) -> np.ndarray:
    """A bright frame, darker to one corner, with a camera's noise."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = 205 - 45 * x - 25 * y - 30 * (x - 0.5) ** 2
    grain = np.random.default_rng(seed).normal(0, noise, (height, width, 3))
    return np.clip(light[..., None] + np.array([4, 0, -12]) + grain, 0, 255).astype(np.uint8)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = max(0, min(one.right, other.right) - max(one.left, other.left))
    height = max(0, min(one.bottom, other.bottom) - max(one.top, other.top))
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)


def discs(*places: tuple[int, int, int], colour: tuple[int, int, int] = (120, 70, 60)) -> np.ndarray:
    """A frame of 300 x 400 pixels with a disc at each (x, y, radius)."""
    image = uneven_background(300, 400)
    for x, y, radius in places:
        cv2.circle(image, (x, y), radius, colour, -1, lineType=cv2.LINE_AA)
    return image


def located(image: np.ndarray) -> Colony:
    colony = locate_colony(image)
    assert colony is not None
    return colony


def box_of(image: np.ndarray) -> Box:
    return located(image).box


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.3, 0.35), (0.72, 0.6), (0.25, 0.7)])
@pytest.mark.parametrize("radius", [0.1, 0.18])
@pytest.mark.parametrize("size", [(240, 320), (1200, 1600), (900, 700)])
def test_a_disc_on_an_uneven_background_is_found(centre, radius, size):
    height, width = size
    image = uneven_background(height, width)
    x, y, r = round(centre[0] * width), round(centre[1] * height), round(radius * min(size))
    cv2.circle(image, (x, y), r, (120, 70, 60), -1, lineType=cv2.LINE_AA)
    found = box_of(image)
    assert overlap(found, Box(x - r, y - r, x + r + 1, y + r + 1)) > 0.7


def test_the_larger_of_two_discs_is_found():
    image = uneven_background(300, 400)
    cv2.circle(image, (100, 150), 50, (120, 70, 60), -1)
    cv2.circle(image, (320, 80), 12, (120, 70, 60), -1)
    assert overlap(box_of(image), Box(50, 100, 151, 201)) > 0.7


def test_cells_that_lie_close_together_are_one_colony():
    image = uneven_background(400, 400)
    rng = np.random.default_rng(5)
    for _ in range(260):
        angle, distance = rng.uniform(0, 2 * np.pi), 70 * np.sqrt(rng.random())
        centre = (round(200 + distance * np.cos(angle)), round(210 + distance * np.sin(angle)))
        cv2.circle(image, centre, 5, (110, 80, 70), -1)
    assert overlap(box_of(image), Box(125, 135, 276, 286)) > 0.7


def test_a_colony_at_the_border_is_found_within_the_image():
    image = uneven_background(300, 400)
    cv2.circle(image, (10, 150), 50, (120, 70, 60), -1)
    found = box_of(image)
    assert found.left == 0
    assert overlap(found, Box(0, 100, 61, 201)) > 0.7


def cluster(image: np.ndarray, centre: tuple[int, int], radius: int, number: int) -> None:
    """Cells of 3 pixels' radius, close together."""
    rng = np.random.default_rng(5)
    for _ in range(number):
        angle, distance = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.random())
        x, y = centre[0] + distance * np.cos(angle), centre[1] + distance * np.sin(angle)
        cv2.circle(image, (round(x), round(y)), 3, (110, 80, 70), -1, lineType=cv2.LINE_AA)


def test_a_cell_beside_the_colony_belongs_to_it_in_a_clean_frame_only():
    alone = uneven_background(300, 400)
    cluster(alone, (200, 150), 40, 200)
    cv2.circle(alone, (256, 150), 3, (110, 80, 70), -1, lineType=cv2.LINE_AA)
    assert overlap(box_of(alone), Box(157, 107, 260, 194)) > 0.9
    crowd = alone.copy()
    for x in range(15, 400, 30):
        for y in range(15, 300, 30):
            if np.hypot(x - 200, y - 150) > 70:
                cv2.circle(crowd, (x, y), 3, (110, 80, 70), -1, lineType=cv2.LINE_AA)
    assert overlap(box_of(crowd), Box(157, 107, 244, 194)) > 0.85


def test_the_unusual_cell_is_found_among_many_of_another_kind():
    image = np.full((360, 360, 3), (250, 228, 200), np.uint8)
    for x in range(20, 360, 80):
        for y in range(20, 360, 80):
            cv2.circle(image, (x, y), 25, (195, 150, 160), -1, lineType=cv2.LINE_AA)
    cv2.circle(image, (180, 190), 34, (150, 120, 190), -1, lineType=cv2.LINE_AA)
    cv2.circle(image, (176, 186), 24, (70, 40, 130), -1, lineType=cv2.LINE_AA)
    assert overlap(box_of(image), Box(146, 156, 215, 225)) > 0.8


def smear(*cells: tuple[int, int, int, int]) -> np.ndarray:
    """A smear of 360 x 360 pixels with many red blood cells, and stained cells of (x, y, radius, radius of nucleus)."""
    image = np.full((360, 360, 3), (250, 228, 200), np.uint8)
    for x in range(20, 360, 80):
        for y in range(20, 360, 80):
            if all(np.hypot(x - cx, y - cy) > radius + 20 for cx, cy, radius, _ in cells):
                cv2.circle(image, (x, y), 27, (200, 160, 160), -1, lineType=cv2.LINE_AA)
    for x, y, radius, nucleus in cells:
        cv2.circle(image, (x, y), radius, (190, 165, 195), -1, lineType=cv2.LINE_AA)
        cv2.circle(image, (x - 4, y + 5), nucleus, (70, 40, 130), -1, lineType=cv2.LINE_AA)
    return image


def test_the_box_contains_the_cytoplasm_but_no_red_cell_that_touches_it():
    image = smear((180, 180, 45, 25))
    for x, y in ((180 + 70, 180), (180, 180 - 70)):
        cv2.circle(image, (x, y), 27, (200, 160, 160), -1, lineType=cv2.LINE_AA)
    assert overlap(box_of(image), Box(135, 135, 226, 226)) > 0.85


def test_of_several_cells_of_one_kind_the_complete_central_one_is_found_with_less_confidence():
    corners = [(x, y, 45, 28) for x in (0, 359) for y in (0, 359)]
    found = located(smear((180, 180, 45, 28), *corners))
    assert overlap(found.box, Box(135, 135, 226, 226)) > 0.85
    assert found.confidence < 0.8 * located(smear((180, 180, 45, 28))).confidence


@pytest.mark.parametrize("factor", [0.6, 3.0, 6.0])
def test_the_box_grows_with_the_image(factor: float):
    image = discs((150, 130, 45))
    larger = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    expected = Box(*(round(factor * edge) for edge in (105, 85, 196, 176)))
    assert overlap(box_of(larger), expected) > 0.85


def test_confidence_is_highest_for_a_clear_disc_and_lowest_for_one_of_two():
    clear = located(discs((150, 130, 45)))
    faint = located(discs((150, 130, 45), colour=(165, 158, 147)))
    one_of_two = located(discs((110, 140, 40), (290, 150, 40)))
    assert 0.5 < clear.confidence <= 1
    assert clear.confidence > 1.3 * faint.confidence
    assert faint.confidence > 1.3 * one_of_two.confidence


@pytest.mark.parametrize(
    "doubtful",
    [(0, 130, 45), (150, 130, 9), (200, 150, 175)],
    ids=["cut by the border", "tiny", "nearly the whole frame"],
)
def test_doubtful_structures_have_less_confidence(doubtful: tuple[int, int, int]):
    colony = locate_colony(discs(doubtful))
    assert colony is None or colony.confidence < 0.75 * located(discs((150, 130, 45))).confidence


def test_most_drawn_colonies_are_found():
    overlaps = []
    for cfu_type in ("CFU-E", "CFU-GM", "CFU-PreB"):
        for number in range(1, 6):
            frame = draw_frame(cfu_type, seed=77, number=number, dish=number)
            overlaps.append(overlap(box_of(frame.image), Box(*frame.box)))
    assert np.median(overlaps) > 0.8
    assert min(overlaps) > 0.3


@pytest.mark.real
def test_the_stained_cell_lies_in_the_square(real_images: Path):
    inside = []
    for path in sorted((real_images / "blood_lineages").rglob("*.jpg"))[::24]:
        image = read(path)
        square = square_around(box_of(image), 0.05)
        rows, columns = np.nonzero(image[..., 0] < 120)  # nuclei absorb red light, red blood cells do not
        central = (abs(rows - 181) < 45) & (abs(columns - 180) < 45)
        rows, columns = rows[central], columns[central]
        within = (rows >= square.top) & (rows < square.bottom) & (columns >= square.left) & (columns < square.right)
        inside.append(within.mean() if len(within) else 1.0)
    assert len(inside) > 20
    assert np.mean(np.array(inside) > 0.95) > 0.9


@pytest.mark.parametrize(
    "image",
    [
        np.full((200, 300, 3), 180, np.uint8),
        np.zeros((200, 300, 3), np.uint8),
        uneven_background(300, 400),
        uneven_background(1500, 2000, seed=1),
        uneven_background(240, 250, noise=7),
    ],
    ids=["bright", "black", "noise", "large noise", "much noise"],
)
def test_nothing_is_found_in_a_uniform_image(image):
    assert locate_colony(image) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 7), (8, 8), (2, 300), (1, 4000), (4000, 1), (9, 3000)])
def test_tiny_and_narrow_images_raise_no_error(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = locate_colony(image)
    if found is not None:
        assert 0 <= found.box.left < found.box.right <= size[1]
        assert 0 <= found.box.top < found.box.bottom <= size[0]
        assert 0 <= found.confidence <= 1


def test_the_image_is_not_changed():
    image = uneven_background(100, 100)
    cv2.circle(image, (50, 50), 20, (120, 70, 60), -1)
    before = image.copy()
    locate_colony(image)
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
def test_pixels_outside_the_image_are_reflected_as_by_numpy(box):
    image = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)
    pad = 60
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    expected = padded[box.top + pad : box.bottom + pad, box.left + pad : box.right + pad]
    found = crop_to(image, box)
    np.testing.assert_array_equal(found, expected)
    assert found.flags["C_CONTIGUOUS"]


def test_the_outermost_pixels_are_not_repeated():
    image = np.arange(5, dtype=np.uint8)[None, :, None].repeat(3, axis=2).repeat(2, axis=0)
    assert crop_to(image, Box(-2, 0, 7, 1))[0, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 4, 3, 2]


@pytest.mark.parametrize("box", [Box(-5, 0, 0, 4), Box(12, 0, 14, 4), Box(0, -4, 4, 0), Box(0, 8, 4, 12)])
def test_a_box_beside_the_image_is_a_programming_error(box):
    with pytest.raises(ValueError, match="outside an image of 12 x 8"):
        crop_to(np.zeros((8, 12, 3), np.uint8), box)
