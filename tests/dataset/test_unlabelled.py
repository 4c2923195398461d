"""Datasets of which no image, or not every image, has a class."""

import shutil

import pytest

from cfu_core.dataset.audit.unlabelled import unlabelled
from cfu_core.dataset.catalog import list_datasets, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset, undo_edit
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.left_out import missing_classes
from cfu_core.dataset.splitting import check_trainable, make_split, split_of
from cfu_core.errors import TrainingError

pytestmark = pytest.mark.usefixtures("cfu_home")


@pytest.fixture
def half_labelled(drawn_shapes, tmp_path) -> Dataset:
    """The drawn shapes with a manifest in which every third image has no class."""
    folder = tmp_path / "half"
    shutil.copytree(drawn_shapes, folder)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    rows = [f"{path},{path.partition('/')[0] if i % 3 else ''}" for i, path in enumerate(paths)]
    (folder / "manifest.csv").write_text("\n".join(["path,label", *rows]))
    return import_source(folder)


def test_images_without_a_class_count_in_no_class(half_labelled):
    assert half_labelled.classes == ["disc", "ring", "square"]
    assert (len(half_labelled.images), sum(half_labelled.counts.values()), half_labelled.unlabelled) == (36, 24, 12)
    indices = half_labelled.class_indices
    assert ((indices == -1) == (half_labelled.images["label"] == "")).all()
    assert [half_labelled.classes[i] for i in indices if i >= 0] == [x for x in half_labelled.images["label"] if x]
    (summary,) = list_datasets()
    assert (summary.n_images, summary.unlabelled) == (36, 12)


def test_an_image_that_gets_a_class_stays_in_its_partition(half_labelled):
    split = split_of(half_labelled)
    assert set(split.assignment) == set(half_labelled.images["path"])
    assert set(split.counts) == {"disc", "ring", "square"}
    path = half_labelled.images["path"][half_labelled.images["label"] == ""].iloc[0]
    edited = edit_dataset(half_labelled.id, "relabel", {path: "ring"})
    after = split_of(edited)
    assert after.assignment == split.assignment
    assert after.counts["ring"][split.assignment[path]] == split.counts["ring"][split.assignment[path]] + 1
    assert undo_edit(half_labelled.id).unlabelled == 12


def test_the_split_of_the_classes_is_that_of_the_paper_with_and_without_other_images(half_labelled):
    labelled = half_labelled.images[half_labelled.images["label"] != ""].reset_index(drop=True)
    assert make_split(half_labelled.images).counts == make_split(labelled).counts
    assert make_split(half_labelled.images).misplaced == 0


def test_a_dataset_without_classes_cannot_be_trained_and_says_what_is_missing(drawn_shapes):
    data = import_source(drawn_shapes, layout=LayoutChoice(unlabelled=True))
    assert load_dataset(data.id).unlabelled == 36
    with pytest.raises(TrainingError, match=r"No image has a class\..*Give the images classes on Explore\."):
        check_trainable(data.counts)
    assert split_of(data).counts == {}


def test_a_split_made_without_classes_says_so_before_and_after_they_are_given(drawn_shapes):
    data = import_source(drawn_shapes, layout=LayoutChoice(unlabelled=True))
    assert split_of(data).nearness == "No image has a class yet: all images were divided together, 70 / 15 / 15."
    paths = data.images["path"]
    split = split_of(edit_dataset(data.id, "relabel", {path: "ab"[i % 2] for i, path in enumerate(paths)}))
    assert "it was made for 70 / 15 / 15 of all images, before they had classes, with identical" in split.nearness


def test_a_split_made_with_some_classes_says_how_many_images_had_none(half_labelled):
    images = half_labelled.images
    tested = images["path"].map(split_of(half_labelled).assignment) == "test"
    edited = edit_dataset(half_labelled.id, "relabel", dict.fromkeys(images["path"][tested], "ring"))
    assert "70 / 15 / 15 per class, and of 12 images that had no class yet, with" in split_of(edited).nearness


def test_the_audit_lists_images_without_a_class(half_labelled):
    (finding,) = unlabelled(half_labelled.images)
    assert (finding.kind, len(finding.paths)) == ("unlabelled", 12)
    assert list(unlabelled(half_labelled.images[half_labelled.images["label"] != ""])) == []


def test_a_file_that_cannot_be_read_beside_images_without_a_class_is_no_missing_class(drawn_shapes, tmp_path):
    folder = tmp_path / "flat"
    (folder / "scans").mkdir(parents=True)
    (folder / "scans" / "bad.png").write_bytes(b"no image")
    for path in sorted((drawn_shapes / "ring").glob("*.png"))[:3]:
        shutil.copy(path, folder)
    data = import_source(folder, layout=LayoutChoice(unlabelled=True))
    assert (data.unlabelled, missing_classes(data)) == (3, [])
