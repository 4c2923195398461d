import pytest

from cfu_core.dataset.edit_description import describe_edit
from cfu_core.dataset.history import Edit


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("relabel", {"a.png": "CFU_GM", "b.png": "CFU_GM"}, "2 images relabelled as CFU_GM: a.png, b.png"),
        ("exclude", {f"{n}.png": None for n in range(5)}, "5 images excluded: 0.png, 1.png, 2.png and 2 more"),
        ("partition", {"a.png": "test", "b.png": "test"}, "2 images moved to the partition test: a.png, b.png"),
        ("partition", {"a.png": None}, "1 image returned to the split: a.png"),
        (
            "partition",
            {"a.png": "test", "b.png": None, "c.png": None},
            "1 image moved to the partition test, 2 images returned to the split: a.png, b.png, c.png",
        ),
        (
            "box",
            {"a.png": [0, 0, 9, 9], "b.png": None},
            "1 image with the colony box set by hand, 1 image reset to the automatic colony box: a.png, b.png",
        ),
        ("box", {"a.png": None}, "1 image reset to the automatic colony box: a.png"),
        (
            "group",
            {f"{n}.png": f"dish {n}" for n in range(5)},
            "5 images assigned to group dish 0, dish 1, dish 2 and 2 more: 0.png, 1.png, 2.png and 2 more",
        ),
        ("group", {"a.png": "", "b.png": ""}, "2 images removed from their group: a.png, b.png"),
        (
            "group",
            {"a.png": "", "b.png": "dish 1"},
            "1 image assigned to group dish 1, 1 image removed from its group: a.png, b.png",
        ),
        (
            "range",
            {"a.tif": [0, 4095.0], "b.tif": [0.0, 4095]},
            "2 images with the range of samples 0 to 4095: a.tif, b.tif",
        ),
        ("plane", {"a.tif": 0}, "1 image with picture 1 of the file: a.tif"),
        ("undo", {"edit": 2}, "undo of edit 2"),
        ("redo", {"edit": 3}, "redo of edit 3"),
    ],
)
def test_an_edit_is_described_in_one_line(kind, changes, expected):
    assert describe_edit(Edit(number=1, when="", who="", why="", kind=kind, changes=changes)) == expected
