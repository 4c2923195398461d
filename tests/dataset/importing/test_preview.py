"""What an import would give is known before an image is read."""

import pytest

from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.preview import preview_source
from cfu_core.dataset.importing.source import scan_source
from cfu_core.errors import DatasetError


@pytest.fixture
def presplit(write_zip, picture):
    """A zip with two partitions, two classes and a folder of masks; one file is no image."""
    files = {f"{part}/{label}/{i}.png": picture(1) for part in ("train", "test") for label in "ab" for i in (1, 2)}
    return write_zip(files | {"train/a/masks/1.png": picture(1), "train/a/broken.png": b"no image", "notes.txt": b""})


def test_classes_partitions_and_levels_are_counted(presplit):
    found = preview_source(presplit)
    assert found.layout is not None
    assert found.layout.roles == ("partition", "class")
    assert found.folders == ("a", "b", "masks", "test", "train")
    assert [dict(level.images) for level in found.levels] == [{"train": 5, "test": 4}, {"a": 5, "b": 4}]
    assert dict(found.counts) == {("a", "training"): 3, ("a", "test"): 2, ("b", "training"): 2, ("b", "test"): 2}
    assert [(issue.path, issue.kind) for issue in found.issues] == [("", "layout"), ("notes.txt", "other-file")]
    assert (found.error, found.manifest, found.groups, found.classes) == ("", "", 0, ["a", "b"])


def test_the_import_gives_what_the_preview_says_with_any_layout(presplit):
    for choice in (
        LayoutChoice(),
        LayoutChoice(roles=("class",)),
        LayoutChoice(roles=("group", "class"), left_out=()),
        LayoutChoice(left_out=("test",)),
    ):
        listed, read = preview_source(presplit, layout=choice), scan_source(presplit, layout=choice)
        assert listed.classes == read.classes
        assert sum(listed.counts.values()) == len(read.images) + 1  # the broken file was not read
        assert listed.groups == len(set(read.images["group"]) - {""})


def test_a_layout_that_does_not_fit_is_an_error_beside_the_proposal(presplit):
    found = preview_source(presplit, layout=LayoutChoice(roles=("class", "partition")))
    assert "The folders a, b are not named like partitions." in found.error
    assert (found.classes, found.layout is not None and found.layout.roles) == ([], ("partition", "class"))


def test_names_that_do_not_decide_give_a_question(write_tree, picture):
    found = preview_source(write_tree({f"{part}/1.png": picture(1) for part in ("train", "test")}))
    assert found.layout is not None
    assert "Which level is it?" in found.layout.question
    assert found.classes == []


def test_a_manifest_gives_the_classes(write_tree, picture):
    rows = "path,label,donor,split\nx/1.png,a,d1,train\nx/2.png,b,d2,test\n"
    root = write_tree({"x/1.png": picture(1), "x/2.png": picture(2), "manifest.csv": rows.encode()})
    for source in (root, root / "manifest.csv"):
        found = preview_source(source)
        assert (found.manifest, found.layout, found.levels) == ("manifest.csv", None, ())
        assert dict(found.counts) == {("a", "training"): 1, ("b", "test"): 1}
        assert found.groups == 2


def test_a_source_without_images_is_an_error(write_tree):
    with pytest.raises(DatasetError, match="contains no image"):
        preview_source(write_tree({"a/1.txt": b""}))
