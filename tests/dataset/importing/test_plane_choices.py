"""Files with several pictures in a dataset: which one is used is stored, said, and can be changed."""

import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.catalog import dataset_folder, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edit_description import describe_edit
from cfu_core.dataset.edits import edit_dataset, undo_edit
from cfu_core.dataset.importing.plane_choices import choose_planes
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import load_survey, survey, thumbnail
from cfu_core.dataset.table import content_digest, images_table
from cfu_core.errors import DatasetError
from cfu_core.imaging.planes import COMPOSITE, FIRST_PAGE, FUSED
from cfu_core.imaging.reading import decode
from cfu_core.imaging.recipe import Recipe
from cfu_core.training.prepared_images import image_keys
from pages.components.image_choice import displayable
from tests.imaging.test_reading import tiff


@pytest.fixture
def stacks(cfu_home, cases, tmp_path) -> Dataset:  # noqa: ARG001 - sets CFU_HOME
    """One class with the case files, and one with an ordinary TIFF."""
    (tmp_path / "stacks" / "A").mkdir(parents=True)
    (tmp_path / "stacks" / "B").mkdir()
    for file in (*(cases / "05_stacks").iterdir(), cases / "06_channels" / "two_channels.tif"):
        (tmp_path / "stacks" / "A" / file.name).write_bytes(file.read_bytes())
    plain = np.random.default_rng(2).integers(0, 255, (40, 50), dtype=np.uint8)
    (tmp_path / "stacks" / "B" / "plain.tif").write_bytes(tiff(plain))
    return import_source(tmp_path / "stacks")


def test_the_used_picture_is_stored_and_never_black_or_a_thumbnail(stacks):
    planes = dict(zip(stacks.images["path"], [stacks.plane(row) for row in range(5)], strict=True))
    assert planes == {
        "A/imagej_z5.tif": 2,
        "A/imagej_z5_one_ifd.tif": 2,
        "A/thumbnail_first.tif": None,
        "A/two_channels.tif": None,
        "B/plain.tif": None,
    }
    for row in range(5):
        pixels = stacks.read_image(row)
        assert pixels.shape[:2] == (stacks.images["height"].iat[row], stacks.images["width"].iat[row])
        assert pixels.std() > 5
    assert load_dataset(stacks.id).plane(0) == 2


def test_the_import_says_what_each_kind_of_file_has_and_what_is_left_out(stacks):
    found = {issue.path: issue.detail for issue in stacks.import_issues if issue.kind == "plane"}
    assert found == {
        "A/imagej_z5.tif": "2 files have 5 pictures each (focal planes). Of them, the sharpest is used; another one "
        "can be chosen on Explore.",
        "A/thumbnail_first.tif": "1 file has 1 picture of another size beside the largest one, which is used.",
        "A/two_channels.tif": "1 file has 1 channel that is neither colour nor alpha, left out.",
    }


def test_another_picture_can_be_chosen(stacks):
    survey(stacks)
    edited = edit_dataset(stacks.id, "plane", {"A/imagej_z5.tif": 1})
    assert edited.plane(0) == 1
    assert (edited.read_image(0) != stacks.read_image(0)).any()
    assert edited.digest != stacks.digest
    changed = [a != b for a, b in zip(*(image_keys(d, Recipe.original()) for d in (edited, stacks)), strict=True)]
    assert changed == [True, False, False, False, False]
    assert not load_survey(edited).complete
    assert undo_edit(stacks.id).digest == stacks.digest
    first = edit_dataset(stacks.id, "plane", {"A/imagej_z5.tif": 0})
    assert first.read_image(0).max() == 0  # the black plane, because a person chose it


@pytest.mark.parametrize(
    ("path", "plane", "message"),
    [
        ("A/imagej_z5.tif", 5, "Picture 6 of A/imagej_z5.tif cannot be used"),
        ("A/imagej_z5.tif", COMPOSITE, "A composite of all channels of A/imagej_z5.tif cannot be used"),
        ("A/imagej_z5.tif", -1, "whole number from 0"),
        ("A/imagej_z5.tif", "1", "whole number from 0"),
        ("B/plain.tif", 0, "has only one picture"),
    ],
)
def test_a_picture_that_the_file_does_not_have_is_refused(stacks, path, plane, message):
    with pytest.raises(DatasetError, match=message):
        edit_dataset(stacks.id, "plane", {path: plane})


def test_all_planes_fused_are_a_picture_like_any_other(stacks):
    edited = edit_dataset(stacks.id, "plane", {"A/imagej_z5.tif": FUSED})
    assert load_dataset(stacks.id).plane(0) == FUSED
    keys, before = (set(each.images["key"]) for each in (edited, stacks))
    assert len(keys - before) == 1
    assert edited.digest != stacks.digest
    first = edit_dataset(stacks.id, "plane", {"A/imagej_z5.tif": 1})
    assert first.images["key"].iat[0] not in keys | before
    assert "1 image with all focal planes fused in focus of the file" in describe_edit(edited.edits[0])
    assert edited.sample_range(0) == stacks.sample_range(0)
    assert edited.read_image(0).std() > 5


def test_each_picture_of_a_file_has_a_key_of_its_own_and_the_first_one_that_of_the_file():
    row = {"path": "a.tif", "label": "a", "digest": "d", "extension": ".tif", "size_bytes": 1, "width": 2, "height": 2}
    planes = (None, FIRST_PAGE, 0, 1, FUSED, COMPOSITE)
    tables = [images_table([row | {"plane": plane}]) for plane in planes]
    assert [table["key"][0] == "d" for table in tables] == [True, True, True, False, False, False]
    assert len({table["key"][0] for table in tables}) == 4
    assert len({content_digest(table) for table in tables}) == 4


def test_the_second_view_of_a_camera_is_shown_everywhere(cfu_home, cases, tmp_path):  # noqa: ARG001
    (tmp_path / "plates" / "A").mkdir(parents=True)
    file = cases / "13_extensions" / "two_pictures.mpo"
    (tmp_path / "plates" / "A" / "two.jpg").write_bytes(file.read_bytes())
    dataset = import_source(tmp_path / "plates")
    assert (dataset.plane(0), displayable(dataset, 0)[1]) == (0, "image/jpeg")
    edited = edit_dataset(dataset.id, "plane", {"A/two.jpg": 1})
    survey(edited)
    second = edited.read_image(0).astype(int)
    assert np.abs(second - dataset.read_image(0)).mean() > 20
    for picture in (thumbnail(edited, 0), displayable(edited, 0)[0]):
        assert np.abs(decode(picture) - second).mean() < 3


def test_one_choice_for_all_files_changes_those_that_have_it_and_names_the_others(cfu_home, cases, tmp_path):  # noqa: ARG001
    folder = tmp_path / "plates" / "A"
    folder.mkdir(parents=True)
    for source in ("05_stacks/imagej_z5.tif", "13_extensions/animated.gif", "13_extensions/photo.webp"):
        (folder / source.rpartition("/")[2]).write_bytes((cases / source).read_bytes())
    grey = np.random.default_rng(2).integers(0, 255, (2, 40, 50), dtype=np.uint8)
    (folder / "channels.tif").write_bytes(tiff(grey, imagej=True, metadata={"axes": "CYX"}))
    dataset = import_source(tmp_path / "plates")
    gif, channels, stack = "A/animated.gif", "A/channels.tif", "A/imagej_z5.tif"
    assert choose_planes(dataset, "sharpest") == ({}, [])
    assert choose_planes(dataset, "sharpest", channel=1) == ({channels: 1}, [gif, stack])
    assert choose_planes(dataset, "composite") == ({channels: COMPOSITE}, [gif, stack])
    fused = choose_planes(dataset, "fused")
    assert fused == ({stack: FUSED}, [gif, channels])
    edited = edit_dataset(dataset.id, "plane", fused.changes)
    assert choose_planes(edited, "fused").changes == {}
    assert choose_planes(edited, "sharpest").changes == {stack: 2}
    with pytest.raises(ValueError, match="no choice"):
        choose_planes(dataset, "best")


def test_a_table_from_before_pictures_were_chosen_uses_the_first(stacks):
    file = dataset_folder(stacks.id) / "images.parquet"
    table = pd.read_parquet(file)
    table.drop(columns=["samples", "black", "white", "plane", "key"]).to_parquet(file, index=False)
    plain = table.assign(black=pd.NA, white=pd.NA, plane=pd.NA)
    plain = plain.astype({"black": "Float64", "white": "Float64", "plane": "Int64"})
    summary = dataset_folder(stacks.id) / "dataset.json"
    summary.write_text(summary.read_text().replace(stacks.imported_digest, content_digest(plain)))
    loaded = load_dataset(stacks.id)
    assert loaded.read_image(0).max() == 0
    row = loaded.images["path"].tolist().index("A/thumbnail_first.tif")
    assert loaded.read_image(row).shape == (24, 32, 3)
    assert loaded.sample_ranges is None
    assert stacks.sample_ranges is not None
    assert loaded.images["key"].tolist() == loaded.images["digest"].tolist()
