from collections.abc import Callable

import cv2
import numpy as np
import pytest

from cfu_core.imaging.copy_detection import CopyMatch, detect_copy
from cfu_core.imaging.copy_features import copy_features


def scene(seed: int, height: int = 200, width: int = 250) -> np.ndarray:
    """A frame full of detail, another one for each seed."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), rng.integers(190, 230, 3), np.uint8)
    for _ in range(45):
        centre, axes = rng.integers(0, 250, 2).tolist(), rng.integers(4, 24, 2).tolist()
        cv2.ellipse(image, centre, axes, int(rng.integers(180)), 0, 360, rng.integers(30, 200, 3).tolist(), -1)
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def colony(seed: int, x: int = 110, y: int = 90) -> np.ndarray:
    """Many small cells, together, on an empty frame with light that falls off to the corners."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(-1, 1, 250), np.linspace(-1, 1, 200))
    image = np.repeat((210 - 30 * (across**2 + down**2))[..., None], 3, axis=2).astype(np.uint8)
    for _ in range(60):
        centre = rng.normal((x, y), 12).astype(int).tolist()
        cv2.circle(image, centre, int(rng.integers(2, 5)), (90, 100, 120), 1, cv2.LINE_AA)
    return image


def plain(x: int, y: int, seed: int, noise: float = 5.0) -> np.ndarray:
    """A disc on grey, with a camera's noise of its own."""
    image = np.full((200, 250, 3), 220, np.uint8)
    cv2.circle(image, (x, y), 40, (150, 60, 60), -1)
    return np.clip(image + np.random.default_rng(seed).normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def match(one: np.ndarray, other: np.ndarray) -> CopyMatch | None:
    return detect_copy(copy_features(np.ascontiguousarray(one)), copy_features(np.ascontiguousarray(other)))


CHANGES: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
    ("identical", lambda image: image.copy()),
    ("re-encoded", lambda image: jpeg(image, 40)),
    ("re-encoded", lambda image: jpeg(image, 90)),
    ("resized", lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
    ("resized", lambda image: cv2.resize(image, None, fx=1.5, fy=1.5)),
    ("mirrored", lambda image: image[:, ::-1]),
    ("mirrored", lambda image: image[::-1]),
    ("turned", lambda image: np.rot90(image)),
    ("turned", lambda image: np.rot90(image, 2)),
    ("turned", lambda image: np.rot90(image, 3)),
    ("cropped", lambda image: image[:180, 25:]),
    ("cropped", lambda image: image[10:190, 12:237]),
    ("cropped", lambda image: cv2.resize(image[20:, :225], (250, 200))),
    ("cropped", lambda image: image[:, :230]),
    ("cropped", lambda image: jpeg(np.rot90(image[15:, 10:])[::-1], 70)),
]


@pytest.mark.parametrize(("kind", "change"), CHANGES)
@pytest.mark.parametrize("make", [scene, colony])
def test_copies_are_detected_with_their_kind(make, kind, change):
    image = make(1)
    found = match(image, change(image))
    assert found is not None
    assert found.kind == kind
    assert 0.85 < found.score <= 1
    assert found.score == 1 or kind != "identical"


@pytest.mark.parametrize("make", [scene, colony])
def test_copies_in_another_light_are_detected_also_if_cropped_or_turned(make):
    image = np.random.default_rng(5).normal(make(7), 2).clip(0, 255).astype(np.uint8)
    darker = cv2.convertScaleAbs(image, alpha=0.8)
    for change in (lambda picture: picture, np.rot90, lambda picture: picture[12:, :235]):
        assert match(image, change(darker)).kind == "brighter or darker"
    assert match(make(8), darker) is None


@pytest.mark.parametrize("change", [lambda image: image[15:, :230], lambda image: np.rot90(jpeg(image, 60))])
@pytest.mark.parametrize("make", [scene, colony])
def test_the_order_of_the_pictures_does_not_matter(make, change):
    image = make(2)
    one, other = match(image, change(image)), match(change(image), image)
    assert one.kind == other.kind
    assert one.score == pytest.approx(other.score, abs=0.05)


@pytest.mark.parametrize("make", [scene, colony])
def test_other_cells_in_the_same_places_of_the_frame_are_no_copies(make):
    pictures = [copy_features(make(seed)) for seed in range(8)]
    assert not any(detect_copy(pictures[a], pictures[b]) for a in range(8) for b in range(a))


def test_other_cells_under_the_same_scale_bar_are_no_copies():
    one, other = colony(1), colony(2)
    for image in (one, other):
        cv2.putText(image, "100 um", (170, 190), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0))
    assert match(one, other) is None
    assert match(one, jpeg(one, 60)).kind == "re-encoded"


def test_another_colour_is_another_picture():
    image = scene(3)
    assert match(image, np.ascontiguousarray(image[..., ::-1])) is None


def test_two_photographs_of_a_detailed_scene_are_copies():
    large = scene(4, height=220, width=270)
    first = np.clip(large[:200, :250] + np.random.default_rng(1).normal(0, 5, (200, 250, 3)), 0, 255).astype(np.uint8)
    assert match(first, large[12:212, 9:259]).kind == "cropped"
    assert match(first, large[20:, 20:]) is not None
    # too little in common
    wide = scene(5, height=300, width=250)
    assert match(wide[:200], wide[100:]) is None


def test_a_disc_at_another_position_is_another_picture():
    for x, y in ((112, 100), (140, 95), (112, 90)):
        assert match(plain(125, 100, 1), plain(x, y, 2)) is None


def test_a_disc_in_another_colour_is_another_picture():
    for noise in (0, 5):
        one, other = plain(125, 100, 1, noise), plain(125, 100, 2, noise)
        assert match(one, np.where(one < 190, [[[60, 60, 150]]], other).astype(np.uint8)) is None


def test_plain_pictures_with_another_grain_are_other_pictures():
    assert match(plain(125, 100, 1), plain(125, 100, 2)) is None
    assert match(plain(125, 100, 1), jpeg(plain(125, 100, 1), 90)).kind == "re-encoded"
    assert match(plain(100, 90, 1), plain(100, 90, 1)[:, ::-1]).kind == "mirrored"


def test_blank_pictures_are_copies_only_if_they_are_identical():
    rng = np.random.default_rng(0)
    across, down = np.meshgrid(np.linspace(-1, 1, 250), np.linspace(-1, 1, 200))
    uneven = (210 - 40 * (across**2 + down**2))[..., None]
    blanks = [np.full((200, 250, 3), level, np.uint8) for level in (0, 128, 129, 255)]
    blanks += [(uneven + rng.normal(0, noise, (200, 250, 3))).astype(np.uint8) for noise in (0, 1, 1, 3, 3)]
    pictures = [copy_features(blank) for blank in blanks]
    for a, picture in enumerate(pictures):
        assert detect_copy(picture, copy_features(blanks[a].copy())) == ("identical", 1.0)
        assert not any(detect_copy(picture, other) for other in pictures[:a])


@pytest.mark.parametrize("sizes", [((1, 1), (1, 2)), ((1, 3000), (3000, 1)), ((9, 7), (7, 9)), ((40, 900), (900, 40))])
def test_tiny_and_narrow_pictures_raise_no_error(sizes):
    one, other = (np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8) for size in sizes)
    found = match(one, other)
    assert found is None or found.score <= 1


def test_computing_features_does_not_change_the_picture():
    image = scene(6)
    before = image.copy()
    assert copy_features(image).shape == (200, 250)
    np.testing.assert_array_equal(image, before)
