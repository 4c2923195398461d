import numpy as np
import pytest

from cfu_core.imaging.regions import best_region


def frame(*squares: tuple[int, int, int, int]) -> np.ndarray:
    """Levels (100, 100), 0 but for squares of (left, top, side, level)."""
    levels = np.zeros((100, 100), np.uint8)
    for left, top, side, level in squares:
        levels[top : top + side, left : left + side] = level
    return levels


def place(levels: np.ndarray) -> tuple[int, int, int]:
    """Left, top and area of the best region."""
    region = best_region(levels)
    assert region is not None
    rows, columns = np.nonzero(region.mask())
    return int(columns.min()), int(rows.min()), len(rows)


def test_the_larger_of_two_is_better() -> None:
    assert place(frame((10, 10, 20, 255), (60, 60, 15, 255))) == (10, 10, 400)


def test_the_stronger_of_two_is_better() -> None:
    assert place(frame((10, 10, 15, 120), (60, 60, 15, 255))) == (60, 60, 225)


def test_a_compact_core_is_better_than_that_with_a_faint_fibre() -> None:
    levels = frame((40, 40, 30, 255))
    levels[54:56] = np.maximum(levels[54:56], 60)  # across the frame
    assert place(levels) == (40, 40, 900)


def test_a_region_within_the_frame_is_better_than_one_that_its_border_cuts() -> None:
    assert place(frame((0, 10, 20, 255), (60, 60, 20, 255))) == (60, 60, 400)


def test_the_share_of_the_border_in_the_region() -> None:
    within, at_side, at_corner = (
        best_region(frame(square)) for square in ((5, 5, 20, 255), (0, 5, 20, 255), (0, 0, 20, 255))
    )
    assert (within.cut, at_side.cut, at_corner.cut) == (0, 1, 2)  # sides of 20 over the root of 400
    # the score is divided by 1 + cut; regions nearer to the border are also less central
    assert 2.3 > within.score / at_side.score > 2
    assert 3.6 > within.score / at_corner.score > 3


def test_the_central_one_of_several_equal_regions_is_found() -> None:
    corners = [(x, y, 20, 255) for x in (5, 75) for y in (5, 75)]
    assert place(frame((40, 40, 20, 255), *corners)) == (40, 40, 400)


def test_a_much_larger_region_is_better_than_a_central_one() -> None:
    assert place(frame((46, 46, 8, 255), (5, 5, 25, 255))) == (5, 5, 625)


@pytest.mark.parametrize(
    ("other", "expected"),
    [((60, 60, 20, 255), 1.0), ((60, 60, 10, 255), 0.25), ((60, 60, 20, 25), 0.0), ((60, 60, 0, 0), 0.0)],
    ids=["equal", "a quarter", "below the threshold", "none"],
)
def test_competition_is_the_ratio_of_masses_above_one_threshold(
    other: tuple[int, int, int, int], expected: float
) -> None:
    region = best_region(frame((10, 10, 20, 255), other))
    assert region is not None
    assert region.competition == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    "levels",
    [frame(), frame((50, 50, 4, 255)), frame((0, 0, 100, 255)), frame((2, 2, 95, 255))],
    ids=["nothing", "a speck", "everything", "nearly everything"],
)
def test_maps_without_a_region(levels: np.ndarray) -> None:
    assert best_region(levels) is None
