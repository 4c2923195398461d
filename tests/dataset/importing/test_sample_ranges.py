"""Images of more than 8 bits in a dataset: one range for all of them, used wherever they are decoded."""

import cv2
import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.catalog import dataset_folder, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset, undo_edit
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import load_survey, survey, thumbnail
from cfu_core.dataset.table import content_digest
from cfu_core.errors import DatasetError
from cfu_core.imaging.reading import decode
from cfu_core.imaging.recipe import Recipe
from cfu_core.training.prepared_images import image_keys
from tests.imaging.test_reading import tiff

RNG = np.random.default_rng(8)
FIELD = RNG.integers(1200, 3700, (48, 64), dtype=np.uint16)  # of a camera of 12 bits


@pytest.fixture
def camera(cfu_home, tmp_path) -> Dataset:  # noqa: ARG001 - sets CFU_HOME
    """Eight images of two classes, half of those of one class with one bright pixel."""
    for label in ("dark", "hot"):
        (tmp_path / "camera" / label).mkdir(parents=True)
        for number in range(4):
            field = np.roll(FIELD, 3 * number + 17 * (label == "hot"), axis=1)
            if label == "hot" and number % 2:
                field[9, 9] = 4100
            (tmp_path / "camera" / label / f"{number}.tif").write_bytes(tiff(field))
    cv2.imwrite(str(tmp_path / "camera" / "dark" / "usual.png"), (FIELD // 16).astype(np.uint8))
    return import_source(tmp_path / "camera")


def brightness(dataset: Dataset) -> list[float]:
    return [round(float(dataset.read_image(row).mean()), 1) for row in range(len(dataset.images))]


def test_all_images_of_a_camera_share_one_range(camera):
    assert camera.images["samples"].tolist() == ["uint16"] * 4 + [""] + ["uint16"] * 4
    assert {camera.sample_range(row) for row in range(9)} == {(0, 4095), None}
    means = brightness(camera)
    assert max(means) - min(means) < 1
    assert means[0] == pytest.approx(FIELD.mean() / 4095 * 255, abs=0.5)


def test_the_import_says_which_range_it_chose_and_what_is_clipped(camera):
    (issue,) = [issue for issue in camera.import_issues if issue.kind == "range"]
    assert issue.path == "dark/0.tif"
    assert "8 images have samples of 16 bits. 0 is shown as black and 4095 as white" in issue.detail
    assert "2 images have single values outside of this range" in issue.detail
    assert load_dataset(camera.id).import_issues == camera.import_issues


def test_the_range_can_be_edited_and_changes_pixels_keys_survey_and_digest(camera):
    survey(camera)
    before = load_survey(camera).table["brightness"].to_numpy()
    path = camera.images["path"].iat[0]
    edited = edit_dataset(camera.id, "range", {path: [0, 16383]}, why="another gain")
    assert edited.sample_range(0) == (0, 16383)
    assert edited.read_image(0).mean() == pytest.approx(camera.read_image(0).mean() / 4, abs=0.5)
    assert edited.digest != camera.digest
    recipe = Recipe.original()
    changed = [a != b for a, b in zip(image_keys(edited, recipe), image_keys(camera, recipe), strict=True)]
    assert changed == [True] + [False] * 8
    assert not load_survey(edited).complete
    survey(edited)
    after = load_survey(edited).table["brightness"].to_numpy()
    assert after[0] < before[0] / 2
    assert (after[1:] == before[1:]).all()
    assert decode(thumbnail(edited, 0)).mean() == pytest.approx(edited.read_image(0).mean(), abs=3)
    undone = undo_edit(camera.id)
    assert undone.digest == camera.digest
    assert load_survey(undone).complete


@pytest.mark.parametrize(
    ("path", "ends", "message"),
    [
        ("dark/usual.png", [0, 255], "has no range of samples"),
        ("dark/0.tif", [5, 5], "two numbers, black less than white"),
        ("dark/0.tif", [0, float("nan")], "two numbers"),
        ("dark/0.tif", [1], "two numbers"),
        ("dark/0.tif", "ab", "two numbers"),
    ],
)
def test_an_invalid_range_is_refused(camera, path, ends, message):
    with pytest.raises(DatasetError, match=message):
        edit_dataset(camera.id, "range", {path: ends})


def test_a_png_of_16_bits_is_read_by_the_same_rule(cfu_home, tmp_path):
    (tmp_path / "png" / "A").mkdir(parents=True)
    for number, peak in enumerate((900, 3000)):
        cv2.imwrite(str(tmp_path / "png" / "A" / f"{number}.png"), np.full((20, 20), peak, np.uint16))
    dataset = import_source(tmp_path / "png")
    assert dataset.read_image(0)[0, 0, 0] == round(900 / 4095 * 255)
    assert dataset.read_image(1)[0, 0, 0] == round(3000 / 4095 * 255)
    assert cfu_home.exists()


def test_floating_point_images_of_two_scales_keep_their_scale(cfu_home, cases, tmp_path):
    (tmp_path / "mixed" / "A").mkdir(parents=True)
    for file in (cases / "02_twelve_bit_float").iterdir():
        if file.name != "int16_signed.tif":
            (tmp_path / "mixed" / "A" / file.name).write_bytes(file.read_bytes())
    dataset = import_source(tmp_path / "mixed")
    assert set(dataset.images["samples"]) == {"", "uint16", "float32", "float32 (0 to 1)"}
    means = brightness(dataset)
    assert max(means) - min(means) < 1
    assert sum("not numbers" in issue.detail for issue in dataset.import_issues) == 1
    assert cfu_home.exists()


def test_a_table_from_before_there_were_ranges_is_read_and_has_the_same_digest(camera):
    file = dataset_folder(camera.id) / "images.parquet"
    table = pd.read_parquet(file)
    old = table.drop(columns=["samples", "black", "white", "key"])
    old.to_parquet(file, index=False)
    plain = table.assign(black=pd.NA, white=pd.NA).astype({"black": "Float64", "white": "Float64"})
    assert content_digest(plain) != content_digest(table)
    summary = dataset_folder(camera.id) / "dataset.json"
    summary.write_text(summary.read_text().replace(camera.imported_digest, content_digest(plain)))
    loaded = load_dataset(camera.id)
    assert {loaded.sample_range(row) for row in range(9)} == {None}
    assert loaded.images["key"].tolist() == loaded.images["digest"].tolist()
