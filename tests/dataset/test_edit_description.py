import pytest

from cfu_core.dataset.edit_description import describe_edit
from cfu_core.dataset.history import Edit


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("relabel", {"a.png": "CFU_GM", "b.png": "CFU_GM"}, "relabel to CFU_GM: a.png, b.png"),
        ("exclude", {f"{n}.png": None for n in range(5)}, "exclude: 0.png, 1.png, 2.png and 2 more"),
        ("partition", {"a.png": "test", "b.png": "training"}, "partition to test, training: a.png, b.png"),
        ("undo", {"edit": 2}, "undo of edit 2"),
        ("redo", {"edit": 3}, "redo of edit 3"),
    ],
)
def test_an_edit_is_described_in_one_line(kind, changes, expected):
    assert describe_edit(Edit(number=1, when="", who="", why="", kind=kind, changes=changes)) == expected
