import cv2
import numpy as np
import pytest

from cfu_core.imaging.outline import Outline, crowding, outline

RED, CYTOPLASM, NUCLEUS = (-50, 15, -15), (-45, 5, -35), (-120, 40, -60)  # differences from the background in LAB


def scene(
    *discs: tuple[int, int, int, tuple[int, int, int]], size: int = 128
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Core, saliency and difference of discs (x, y, radius, colour); the core is the last disc."""
    difference = np.zeros((size, size, 3), np.float32)
    for x, y, radius, colour in discs:
        cv2.circle(difference, (x, y), radius, colour, -1)
    x, y, radius, _ = discs[-1]
    core = np.zeros((size, size), np.uint8)
    cv2.circle(core, (x, y), radius, 1, -1)
    difference += np.random.default_rng(0).normal(0, 1, difference.shape).astype(np.float32)
    return core > 0, np.sqrt((difference**2).sum(axis=2)), difference


def overlap(found: Outline, x: int, y: int, radius: int) -> float:
    """Intersection over union of an outline and a disc."""
    disc = np.zeros(found.mask.shape, np.uint8)
    cv2.circle(disc, (x, y), radius, 1, -1)
    return float((found.mask & (disc > 0)).sum() / (found.mask | (disc > 0)).sum())


RED_CELLS = [(x, y, 11, RED) for x in range(12, 128, 26) for y in range(12, 128, 26) if abs(x - 64) + abs(y - 64) > 30]


def test_the_cytoplasm_belongs_to_the_cell_and_red_cells_that_touch_it_do_not() -> None:
    touching = [(64 + 30, 64, 11, RED), (64, 64 - 30, 11, RED)]
    found = outline(*scene(*RED_CELLS, *touching, (64, 64, 20, CYTOPLASM), (61, 66, 13, NUCLEUS)))
    assert overlap(found, 64, 64, 20) > 0.9
    assert found.solidity > 0.9
    assert found.stability > 0.9


def test_a_nucleus_of_several_parts_is_one_cell() -> None:
    found = outline(
        *scene(*RED_CELLS, (64, 64, 22, CYTOPLASM), (54, 58, 8, NUCLEUS), (72, 58, 8, NUCLEUS), (64, 74, 8, NUCLEUS))
    )
    assert overlap(found, 64, 64, 22) > 0.85


def test_a_cell_that_the_border_cuts_has_its_outline_on_the_border() -> None:
    found = outline(*scene(*RED_CELLS, (8, 64, 20, CYTOPLASM), (8, 64, 13, NUCLEUS)))
    assert overlap(found, 8, 64, 20) > 0.85
    assert found.mask[60:68, 0].all()


@pytest.mark.parametrize(("radius", "lowest", "highest"), [(0, 0, 0.1), (12, 0.2, 0.7), (22, 0.9, 1)])
def test_competition_grows_with_another_cell_of_the_same_colours(radius: int, lowest: float, highest: float) -> None:
    other = [(100, 100, radius, NUCLEUS)] if radius else []
    found = outline(*scene(*other, (45, 45, 20, NUCLEUS)))
    assert overlap(found, 45, 45, 20) > 0.9
    assert lowest <= found.competition <= highest


def test_cells_that_lie_apart_have_a_low_solidity() -> None:
    cells = [(x, y, 2, NUCLEUS) for x in range(40, 90, 6) for y in range(40, 90, 6)]
    core, fine, difference = scene(*cells, (64, 64, 2, NUCLEUS))
    core[38:90, 38:90] = True
    assert outline(core, fine, difference).solidity < 0.75


def test_the_same_input_gives_the_same_outline_and_is_not_changed() -> None:
    given = scene(*RED_CELLS, (64, 64, 20, CYTOPLASM), (61, 66, 13, NUCLEUS))
    before = [array.copy() for array in given]
    np.testing.assert_array_equal(outline(*given).mask, outline(*given).mask)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_crowding_is_the_share_of_different_pixels_outside_the_mask() -> None:
    difference = np.zeros((10, 10, 3), np.float32)
    difference[:, :5, 1] = 11  # more than 10 grey levels
    difference[:, 5:, 1] = 9
    mask = np.zeros((10, 10), bool)
    assert crowding(mask, difference) == 0.5
    mask[:, :4] = True
    assert crowding(mask, difference) == pytest.approx(10 / 60)
    assert crowding(np.ones((10, 10), bool), difference) == 0
