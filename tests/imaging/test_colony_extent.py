import numpy as np

from cfu_core.imaging.colony_extent import colony_extent


def scene(*cells: tuple[int, int, int, float]) -> tuple[np.ndarray, np.ndarray]:
    """A core of 40 x 40 pixels in the middle of (200, 200), and a map with it and cells of (left, top, side, level)."""
    core, fine = np.zeros((200, 200), np.uint8), np.zeros((200, 200), np.float32)
    core[80:120, 80:120] = 1
    fine[80:120, 80:120] = 100
    for left, top, side, level in cells:
        fine[top : top + side, left : left + side] = level
    return core, fine


def taken(core: np.ndarray, fine: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the whole."""
    rows, columns = np.nonzero(colony_extent(core, fine).mask)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_the_core_alone() -> None:
    core, fine = scene()
    assert taken(core, fine) == (80, 80, 120, 120)
    assert colony_extent(core, fine).contrast == 100


def test_a_near_cell_belongs_to_the_colony_and_a_distant_one_does_not() -> None:
    # the core's size is 40, the largest distance 0.3 of it: 12 pixels
    assert taken(*scene((126, 95, 6, 100))) == (80, 80, 132, 120)
    assert taken(*scene((140, 95, 6, 100))) == (80, 80, 120, 120)


def test_a_near_cell_does_not_belong_to_the_colony_among_many_such_cells() -> None:
    everywhere = [
        (x, y, 6, 100) for x in range(5, 200, 25) for y in range(5, 200, 25) if abs(x - 97) > 40 or abs(y - 97) > 40
    ]
    assert taken(*scene((126, 95, 6, 100), *everywhere)) == (80, 80, 120, 120)


def test_specks_and_faint_objects_do_not_belong_to_the_colony() -> None:
    assert taken(*scene((126, 95, 3, 100))) == (80, 80, 120, 120)  # 9 pixels: dirt
    assert taken(*scene((126, 95, 12, 60))) == (80, 80, 120, 120)  # above the edge of a cell, below its peak


def test_a_long_object_that_touches_the_core_is_cut_off() -> None:
    assert taken(*scene((120, 95, 10, 50))) == (80, 80, 130, 120)
    # largest distance 12 and overhang 4 from the last pixel of the core, 119
    assert taken(*scene((120, 95, 60, 50)))[2] == 136


def test_without_enough_background_no_outlying_cell_is_added() -> None:
    core, fine = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.float32)
    core[8:48, 8:48] = 1
    fine[8:48, 8:48] = 100
    fine[20:26, 51:57] = 100
    assert taken(core, fine) == (8, 8, 48, 48)


def test_a_map_without_contrast_gives_an_empty_mask() -> None:
    core, _ = scene()
    whole = colony_extent(core, np.zeros((200, 200), np.float32))
    assert not whole.mask.any()
    assert whole.contrast == 0
