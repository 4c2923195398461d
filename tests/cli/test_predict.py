"""Classification of files and folders in the shell."""

import csv
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cfu_core.cli import main
from cfu_core.cli.image_arguments import find_images
from cfu_core.errors import DatasetError

#: Said about the run of the tests, which has 6 validation images.
FEW = (
    "The threshold rests on only 6 validation images: of images like these, 0.4% to 45.9% will be called unlike the "
    "training images."
)


@pytest.fixture
def plates(nine_shapes: Path, tmp_path: Path) -> Path:
    """A folder of three images in two levels, an image that is text, and files that are not images."""
    folder = tmp_path / "plates"
    (folder / "deep" / "er").mkdir(parents=True)
    for i, place in enumerate(("b.PNG", "a.png", "deep/er/c.png")):
        shutil.copy(nine_shapes / "disc" / f"0{i}.png", folder / place)
    (folder / "deep" / "text.png").write_text("text")
    for name in ("notes.txt", "more.TXT", "deep/.hidden.png", "README"):
        (folder / name).write_text("text")
    return folder


@pytest.fixture
def predict(finished_run, capsys):
    """Classify images with a real run: exit status, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["predict", finished_run.id, *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def test_a_folder_is_classified_with_its_subfolders(predict, plates):
    status, out, err = predict(plates, "--json")
    found = json.loads(out)
    assert status == 2  # text.png
    assert [row["path"] for row in found["predictions"]] == [
        str(plates / name) for name in ("a.png", "b.PNG", "deep/er/c.png")
    ]
    assert [row["path"] for row in found["failed"]] == [str(plates / "deep" / "text.png")]
    assert found["left_out"] == 4
    lines = err.splitlines()
    assert lines[0].startswith(f"{plates / 'deep' / 'text.png'}: text.png ")
    assert lines[1] == "4 other files were left out (.txt 2, no extension 1, .png 1)."
    assert lines[2] == "1 of 4 could not be classified."
    assert lines[3] == FEW


def test_the_others_are_classified_after_a_file_that_cannot_be_read(predict, plates, tmp_path):
    paths = [plates / "a.png", tmp_path / "nowhere.png", plates / "deep" / "text.png", plates / "b.PNG"]
    status, out, err = predict(*paths)
    assert status == 2
    assert [line.partition(": ")[0] for line in out.splitlines()] == [str(paths[0]), str(paths[3])]
    assert [str(path) in line for path, line in zip(paths[1:3], err.splitlines(), strict=False)] == [True, True]
    assert err.splitlines()[0] == f"{paths[1]} does not exist."
    whole = json.loads(predict(paths[0], paths[3], "--json")[1])["predictions"]
    among = json.loads(predict(*paths, "--json")[1])["predictions"]
    for one, other in zip(whole, among, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_a_table_holds_predictions_and_reasons(predict, finished_run, plates, tmp_path):
    table = tmp_path / "new" / "table.csv"
    status, out, err = predict(plates / "a.png", plates / "deep", "--csv", table)
    assert (status, out) == (2, f"2 images classified: {table}\n")
    assert "text.png" in err
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [f"probability_{name}" for name in finished_run.classes]
    compared = ["unlike_training", "unlike_reason", "distance_percentile"]
    assert list(rows[0]) == ["path", "predicted", *columns, *compared, "error"]
    assert [Path(row["path"]).name for row in rows] == ["a.png", "c.png", "text.png"]
    for row in rows[:2]:
        values = [float(row[name]) for name in columns]
        assert row["predicted"] == finished_run.classes[values.index(max(values))]
        assert sum(values) == pytest.approx(1)
        assert row["unlike_training"] == "no"
        assert 0 <= float(row["distance_percentile"]) <= 100
        assert row["error"] == ""
    empty = ("predicted", *columns, *compared)
    assert [rows[2][name] for name in empty] == [""] * len(empty)
    assert rows[2]["error"].startswith("text.png ")
    assert [path.name for path in table.parent.iterdir()] == ["table.csv"]


def test_a_table_of_before_is_kept_if_the_work_is_stopped(predict, plates, tmp_path, monkeypatch):
    table = tmp_path / "table.csv"
    table.write_text("before")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cfu_core.runs.prediction.read_with_ranges", stop)
    status, out, err = predict(plates, "--csv", table)
    assert (status, out, err) == (130, "", "Stopped.\n")
    assert table.read_text() == "before"
    assert not list(tmp_path.glob(".table*"))


def test_a_table_never_replaces_an_image_or_a_folder(predict, plates, tmp_path):
    content = (plates / "a.png").read_bytes()
    assert "must end in .csv" in predict(plates / "b.PNG", "--csv", plates / "a.png")[2]
    assert (plates / "a.png").read_bytes() == content
    (tmp_path / "folder.csv").mkdir()
    status, out, err = predict(plates / "b.PNG", "--csv", tmp_path / "folder.csv")
    assert (status, out) == (2, "")
    assert "must not be a folder" in err


def test_a_file_name_that_is_not_unicode_is_classified(predict, plates, tmp_path):
    name = os.fsdecode(b"caf\xe9\x1b[2J.png")
    shutil.copy(plates / "a.png", plates / "deep" / "er" / name)
    status, out, err = predict(plates / "deep" / "er", "--csv", tmp_path / "t.csv", "--json")
    assert (status, err) == (0, f"{FEW}\n")
    assert [Path(row["path"]).name for row in json.loads(out)["predictions"]] == ["c.png", name]
    assert r"caf\udce9" in (tmp_path / "t.csv").read_text(encoding="utf-8")
    lines = predict(plates / "deep" / "er")[1].splitlines()
    assert r"caf\udce9\x1b[2J.png: " in lines[1]


def test_folders_that_cannot_be_used_are_named(predict, plates, tmp_path):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "empty" / "notes.txt").touch()
    (plates / "link").symlink_to(tmp_path / "empty")
    status, out, err = predict(tmp_path / "empty", plates / "a.png")
    assert status == 2
    assert len(out.splitlines()) == 1
    assert f"{tmp_path / 'empty'}: The folder contains no image." in err
    os.mkfifo(plates / "pipe.png")  # reading it would never end
    (plates / "broken.png").symlink_to(tmp_path / "nowhere")
    found = find_images([plates])
    assert [path.name for path in found.files] == ["a.png", "b.PNG", "broken.png", "c.png", "text.png"]
    assert found.others == {".txt": 2, ".png": 2, "": 1}
    assert list(found.unusable) == [plates / "link"]
    assert "Name the folder itself" in found.unusable[plates / "link"]


def test_a_folder_that_may_not_be_opened_is_named(monkeypatch, plates):
    real = os.scandir

    def scan(path: object):
        if str(path) == str(plates / "deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr("os.scandir", scan)
    found = find_images([plates])
    assert found.unusable == {plates / "deep": "The folder cannot be opened: Permission denied."}
    assert [path.name for path in found.files] == ["a.png", "b.PNG"]


def test_a_range_of_samples_that_was_chosen_for_one_image_is_reported(predict, tmp_path):
    file = tmp_path / "deep.png"
    cv2.imwrite(str(file), np.full((64, 64, 3), 3000, np.uint16))
    status, out, err = predict(file, "--json")
    (row,) = json.loads(out)["predictions"]
    assert status == 0
    assert "which the dataset does not have" in row["remark"]
    assert err.splitlines()[0] == f"{file}: {row['remark']}"


def test_an_image_unlike_all_training_images_is_named(predict, nine_shapes, tmp_path):
    like, unlike = nine_shapes / "disc" / "00.png", tmp_path / "black.png"
    cv2.imwrite(str(unlike), np.zeros((300, 900, 3), np.uint8))
    sentence = "1 of 2 images is unlike all training images: its answer is not to be trusted."
    status, out, err = predict(like, unlike)
    assert (status, err) == (0, f"{sentence} {FEW}\n")
    assert [", unlike all training images: brightness " in line for line in out.splitlines()] == [False, True]
    status, out, err = predict(like, unlike, "--json", "--csv", tmp_path / "t.csv")
    found = json.loads(out)
    assert [row["unlike_training"] for row in found["predictions"]] == ["no", "yes"]
    assert found["predictions"][0]["unlike_reason"] == ""
    assert found["predictions"][1]["unlike_reason"].startswith("brightness 0.8 (training images ")
    check = found["training_comparison"]
    assert (check["checked"], check["images"], check["validation_images"]) == (True, 1, 6)
    assert check["false_alarms"] == pytest.approx([0.0042, 0.4593], abs=1e-4)
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert [row["unlike_training"] for row in csv.DictReader(file)] == ["no", "yes"]


def test_an_answer_that_was_not_checked_says_so_and_is_the_same(predict, nine_shapes, tmp_path, monkeypatch):
    file, table = nine_shapes / "disc" / "00.png", tmp_path / "t.csv"
    expected = json.loads(predict(file, "--json")[1])["predictions"][0]

    def refuse(*_: object) -> None:
        raise DatasetError("The dataset was deleted.")

    monkeypatch.setattr("cfu_core.runs.training_reference.training_reference", refuse)
    status, out, err = predict(file, "--json", "--csv", table)
    reason = "It was not checked whether the images are unlike the training images. The dataset was deleted."
    assert (status, err) == (0, f"{reason}\n")
    found = json.loads(out)
    assert found["training_comparison"] == {"checked": False, "reason": "The dataset was deleted."}
    (row,) = found["predictions"]
    assert row == {**expected, "unlike_training": "not checked", "unlike_reason": "", "distance_percentile": None}
    with table.open(encoding="utf-8", newline="") as stream:
        (line,) = csv.DictReader(stream)
    assert (line["unlike_training"], line["distance_percentile"]) == ("not checked", "")
    assert ", unlike" not in predict(file)[1]
