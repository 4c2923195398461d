import numpy as np
import pytest

from cfu_core.imaging.copy_light import (
    BRIGHTNESS,
    COLOURS,
    CONTRAST,
    GREY,
    colours_agree,
    light_change,
    light_difference,
)
from cfu_core.imaging.signature import OPPONENT


def opponent(rgb: np.ndarray) -> np.ndarray:
    return (np.clip(rgb, 0, 255) @ OPPONENT.T).astype(np.float32)


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    """RGB of 400 places: purple cells on a bright ground."""
    rng = np.random.default_rng(0)
    share = rng.uniform(0, 1, (400, 1))
    return (1 - share) * [225, 215, 210] + share * [110, 70, 160] + rng.normal(0, 4, (400, 3))


def grey(rgb: np.ndarray) -> np.ndarray:
    return np.repeat(rgb @ [[0.299], [0.587], [0.114]], 3, axis=1)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("", lambda rgb: rgb + 1),
        (BRIGHTNESS, lambda rgb: 0.9 * rgb),
        (BRIGHTNESS, lambda rgb: 1.15 * rgb),  # clips some places
        (BRIGHTNESS, lambda rgb: 255 * (rgb / 255) ** 1.25),
        (COLOURS, lambda rgb: rgb * [1.1, 0.95, 0.85]),
        (GREY, grey),
        (CONTRAST, lambda rgb: 180 + 2 * (rgb - 180)),
        (CONTRAST, lambda rgb: rgb + 25 * np.sin(np.arange(400))[:, None]),
    ],
)
def test_changes_of_light_are_named_in_both_directions(places, kind, change):
    one, other = opponent(places), opponent(change(places))
    for pair in ((one, other), (other, one)):
        assert light_change(*pair, uneven=2.5) == kind
        assert colours_agree(*pair)


def test_a_tinted_grey_picture_was_not_converted_to_grey(places):
    one, other = opponent(grey(places)), opponent(grey(places) * [1.1, 1, 0.9])
    assert light_change(one, other, uneven=2.5) == COLOURS


def test_small_local_changes_are_named_only_if_the_registration_is_exact(places):
    one, other = opponent(places), opponent(places + 8 * np.sin(np.arange(400))[:, None])
    assert light_change(one, other, uneven=2.5) == CONTRAST
    assert light_change(one, other, uneven=10) == ""


def test_exchanged_colours_do_not_agree(places):
    assert not colours_agree(opponent(places), opponent(places[:, ::-1]))
    assert colours_agree(opponent(grey(places)), opponent(places[:, ::-1]))


def test_the_difference_is_the_root_mean_square():
    assert light_difference(np.array([[0, 0, 0]]), np.array([[3, 0, 0]])) == pytest.approx(np.sqrt(3))
    assert light_difference(np.empty((0, 3)), np.empty((0, 3))) == np.inf
