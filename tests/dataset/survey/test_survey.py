import math
import os
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from cfu_core import PROJECT
from cfu_core.dataset.catalog import delete_dataset, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.image_store import image_file
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey import measuring, survey_store
from cfu_core.dataset.survey.measuring import COLONY_COLUMNS, TEXT_COLUMNS
from cfu_core.dataset.survey.survey import load_survey, survey, survey_version, thumbnail
from cfu_core.dataset.survey.survey_store import store_of, survey_folder
from cfu_core.errors import DatasetError, ImageError, StopRequested
from cfu_core.imaging.frame_statistics import frame_statistics
from cfu_core.imaging.measures import MEASURES, edge_width, measure
from tests.imaging.test_decoder_warnings import early_end, jpeg


class ProgressRecorder:
    """Records what a survey reports: for each phase, items done and items in total."""

    def __init__(self, until: tuple[str, int] | None = None) -> None:
        self.seen: dict[str, list[tuple[int, int]]] = {}
        self.until = until

    def __call__(self, phase: str):
        def count(done: int, total: int) -> None:
            self.seen.setdefault(phase, []).append((done, total))
            if self.until and phase == self.until[0] and done >= self.until[1]:
                raise StopRequested

        return count

    @property
    def measured(self) -> int:
        """Number of images that were measured, without those already known."""
        return len(self.seen["Measuring images"]) - 1


@pytest.fixture
def nine(cfu_home, nine_shapes) -> Dataset:  # noqa: ARG001 - it goes there
    """Nine images: fast, because they are too few for t-SNE."""
    return import_source(nine_shapes, name="nine")


def surveyed(dataset: Dataset, **options) -> ProgressRecorder:
    watch = ProgressRecorder()
    survey(dataset, progress=watch, **options)
    return watch


def damage(dataset: Dataset, row: int) -> bytes:
    """Truncate an image file in the store and return its original content."""
    file = dataset.image_file(row)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    return whole


def pixels(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)


# --- what is found


def test_each_row_has_the_results_of_its_own_image(small_dataset):
    survey(small_dataset)
    found = load_survey(small_dataset)
    assert (found.done, found.total, found.complete) == (36, 36, True)
    for row in (0, 17, 35):
        for name, value in measure(small_dataset.read_image(row)).to_dict().items():
            assert found.table[name].iat[row] == pytest.approx(value, rel=1e-5)
        pixels, record = small_dataset.read_image(row), found.table.iloc[row]
        edges = [int(record[name]) for name in COLONY_COLUMNS[:4]]
        assert record["edge_width"] == pytest.approx(edge_width(pixels, edges), rel=1e-5)
        assert record["border_a"] == pytest.approx(frame_statistics(pixels, edges).border_a, rel=1e-5)
        assert record["depth"] == "8 bits"
    assert (found.table["unreadable"] == "").all()
    box = found.table.loc[small_dataset.images["label"] == "square", ["colony_left", "colony_right"]]
    assert ((box["colony_right"] - box["colony_left"]).between(15, 30)).all()  # squares of 19, in 64
    assert found.table["colony_confidence"].between(0, 1).all()


def test_similar_images_are_close_on_the_map(small_dataset):
    watch = surveyed(small_dataset)
    found = load_survey(small_dataset)
    assert found.map_source == "Colour, texture and shape, projected by t-SNE (openTSNE)"
    places = found.table[["map_x", "map_y"]].to_numpy()
    assert np.isfinite(places).all()
    labels = small_dataset.images["label"].to_numpy()
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(36, np.inf))
    assert (labels[gaps.argmin(axis=1)] == labels).mean() > 0.9
    assert watch.seen["Drawing the map"][-1] == (370, 370)


@pytest.mark.usefixtures("cfu_home")
def test_without_a_survey_everything_is_unknown_and_nothing_is_written(nine):
    found = load_survey(nine)
    assert found.table[[*MEASURES, "map_x", "colony_left"]].isna().all(axis=None)
    assert (found.table["unreadable"] == "").all()
    assert (found.done, found.total, found.complete, found.map_source) == (0, 9, False, "")
    assert list(found.copies.columns) == ["path_a", "path_b", "kind", "score"]
    assert survey_version(nine.id) == 0
    assert not survey_folder(nine.id).exists()


@pytest.mark.usefixtures("cfu_home")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_very_small_datasets(drawn_shapes, tmp_path, count):
    folder = tmp_path / "few"
    (folder / "disc").mkdir(parents=True)
    for i in range(count):
        shutil.copy(drawn_shapes / "disc" / f"{i:02d}.png", folder / "disc")
    dataset = import_source(folder, name="few")
    survey(dataset)
    found = load_survey(dataset)
    assert found.complete
    assert np.isfinite(found.table[["map_x", "map_y"]].to_numpy()).all()
    assert "PCA" in found.map_source


@pytest.mark.usefixtures("cfu_home")
def test_images_of_every_odd_size_are_surveyed(tmp_path):
    folder = tmp_path / "odd" / "a"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for height, width in [(1, 1), (1, 400), (700, 2), (3, 3), (40, 1100)]:
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{width}x{height}.png"), noise)
        cv2.imwrite(str(folder / f"{width}x{height}-flat.png"), noise * 0 + 200)
    dataset = import_source(tmp_path / "odd", name="odd")
    survey(dataset)
    found = load_survey(dataset)
    assert found.complete
    assert (found.table["unreadable"] == "").all()
    flat = dataset.images["path"].str.contains("flat") | (dataset.images["width"] * dataset.images["height"] == 1)
    assert (found.table["edge_width"].isna() == flat).all()
    whole = found.table.drop(columns=["edge_width", *COLONY_COLUMNS, "unreadable", "warning", *TEXT_COLUMNS])
    assert whole.notna().all(axis=None)


# --- nothing twice


def test_a_second_survey_measures_nothing(nine):
    assert surveyed(nine).measured == 9
    version, before = survey_version(nine.id), load_survey(nine)
    again = surveyed(nine)
    assert again.seen == {"Measuring images": [(9, 9)]}
    pd.testing.assert_frame_equal(load_survey(nine).table, before.table)
    assert survey_version(nine.id) > version > 0


def test_edits_need_no_new_survey_and_rows_follow_the_images(nine):
    survey(nine)
    before = load_survey(nine).table
    paths = nine.images["path"]
    edit_dataset(nine.id, "exclude", {paths[0]: None, paths[4]: None})
    edited = edit_dataset(nine.id, "relabel", {paths[1]: "ring"})
    found = load_survey(edited)
    assert len(found.table) == len(edited.images) == 7
    pd.testing.assert_frame_equal(found.table, before.drop(index=[0, 4]).reset_index(drop=True))
    assert (found.done, found.total, found.complete) == (9, 9, True)
    assert surveyed(edited).measured == 0


def test_another_dataset_with_the_same_images_is_surveyed_without_decoding_them(nine, drawn_shapes, tmp_path):
    survey(nine, part_images=4)
    folder = tmp_path / "more"
    shutil.copytree(drawn_shapes / "disc", folder / "all")
    more = import_source(folder, name="more")
    known = set(nine.images["digest"])
    for digest, extension in zip(nine.images["digest"], nine.images["extension"], strict=True):
        image_file(digest, extension).unlink()
    assert surveyed(more).measured == 12 - 3  # of the discs, three are among the nine
    found = load_survey(more)
    assert found.complete
    assert (found.table["unreadable"] == "").all()
    rows = np.flatnonzero(more.images["digest"].isin(known))
    assert len(rows) == 3
    one, same = more.images["digest"].iat[rows[1]], load_survey(nine).table
    row = nine.images.index[nine.images["digest"] == one][0]
    assert found.table["sharpness"].iat[rows[1]] == same["sharpness"].iat[row]
    assert pixels(thumbnail(more, rows[1])).shape == (48, 64, 3)
    assert thumbnail(more, rows[1]) == thumbnail(nine, row)


def test_byte_identical_images_are_measured_once(cfu_home, nine_shapes):  # noqa: ARG001
    shutil.copy(nine_shapes / "disc" / "00.png", nine_shapes / "disc" / "again.png")
    dataset = import_source(nine_shapes, name="twice")
    assert surveyed(dataset).measured == 9
    found = load_survey(dataset)
    assert (found.done, found.total) == (10, 10)
    first, again = (found.table[dataset.images["path"] == f"disc/{name}.png"] for name in ("00", "again"))
    pd.testing.assert_frame_equal(first.reset_index(drop=True), again.reset_index(drop=True))


def test_another_version_measures_all_images_again(nine, monkeypatch):
    survey(nine)
    old = store_of(nine.id).folder
    monkeypatch.setattr(survey_store, "VERSION", survey_store.VERSION + 1)
    assert load_survey(nine).done == 0
    assert surveyed(nine).measured == 9
    assert load_survey(nine).complete
    assert not old.exists()


@pytest.mark.usefixtures("cfu_home")
def test_images_of_a_camera_of_12_bits_are_known_by_their_samples(tmp_path):
    folder = tmp_path / "deep" / "a"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "8.png"), rng.integers(3, 200, (40, 50, 3), dtype=np.uint8))
    cv2.imwrite(str(folder / "12.png"), rng.integers(100, 4001, (40, 50), dtype=np.uint16))
    cv2.imwrite(str(folder / "16.png"), rng.integers(0, 60000, (40, 50), dtype=np.uint16))
    dataset = import_source(tmp_path / "deep", name="deep")
    survey(dataset)
    table = load_survey(dataset).table.set_index(dataset.images["path"])
    assert table["depth"].to_dict() == {"a/12.png": "12 bits", "a/16.png": "16 bits", "a/8.png": "8 bits"}
    assert table["coloured"].to_dict() == {"a/12.png": 0, "a/16.png": 0, "a/8.png": 1}
    assert table.loc["a/12.png", ["sample_low", "sample_high"]].tolist() == pytest.approx([100, 4000], abs=6)
    assert table.loc["a/8.png", ["sample_low", "sample_high"]].tolist() == [3, 199]


# --- what cannot be read


def test_a_warning_of_the_decoder_is_stored_with_its_image(cfu_home, tmp_path, capfd):  # noqa: ARG001 - sets CFU_HOME
    (tmp_path / "plates" / "A").mkdir(parents=True)
    (tmp_path / "plates" / "A" / "whole.jpg").write_bytes(jpeg())
    (tmp_path / "plates" / "A" / "cut.jpg").write_bytes(early_end())
    dataset = import_source(tmp_path / "plates")
    survey(dataset)
    found = load_survey(dataset)
    assert found.table["warning"].tolist() == ["Corrupt JPEG data: premature end of data segment", ""]
    assert found.table["sharpness"].notna().all()
    assert capfd.readouterr().err == ""


def test_an_unreadable_image_says_why_and_the_survey_goes_on(nine):
    whole = damage(nine, 4)
    survey(nine)
    found = load_survey(nine)
    assert found.complete
    assert found.table["unreadable"].iat[4].startswith("The stored file has been changed since the import")
    assert found.table.drop(columns=["unreadable", "warning", *TEXT_COLUMNS]).iloc[4].isna().all()
    assert (found.table.loc[4, list(TEXT_COLUMNS)] == "").all()
    assert found.table.drop(index=4)[[*MEASURES, "map_x"]].notna().all(axis=None)
    with pytest.raises(ImageError):
        thumbnail(nine, 4)
    assert surveyed(nine).measured == 1  # it is tried again,
    assert len(store_of(nine.id).files()) == 1  # and stays what it is
    nine.image_file(4).write_bytes(whole)
    survey(nine)
    found = load_survey(nine)
    assert (found.table["unreadable"] == "").all()
    assert found.table.notna().all(axis=None)
    assert pixels(thumbnail(nine, 4)).shape == (48, 64, 3)


def test_an_image_that_is_gone_says_so(nine):
    nine.image_file(2).unlink()
    survey(nine)
    assert "missing from the image store" in load_survey(nine).table["unreadable"].iat[2]


def test_images_that_another_dataset_could_not_read_are_tried_again(nine, nine_shapes, tmp_path):
    whole = damage(nine, 0)
    survey(nine)
    nine.image_file(0).write_bytes(whole)
    folder = shutil.copytree(nine_shapes / "disc", tmp_path / "more" / "disc")
    other = import_source(folder.parent, name="other")
    assert surveyed(other).measured == 1
    assert (load_survey(other).table["unreadable"] == "").all()


def test_a_dataset_without_one_readable_image(nine):
    for row in range(9):
        damage(nine, row)
    survey(nine)
    found = load_survey(nine)
    assert found.complete
    assert (found.table["unreadable"] != "").all()


# --- stopped, killed, deleted


def test_a_stopped_survey_keeps_its_results_and_resumes(nine):
    with pytest.raises(StopRequested):
        survey(nine, progress=ProgressRecorder(until=("Measuring images", 7)), part_images=5)
    found = load_survey(nine)
    assert (found.done, found.complete) == (7, False)
    assert found.table["brightness"].notna().tolist() == [True] * 7 + [False] * 2
    watch = surveyed(nine)
    assert watch.seen["Measuring images"] == [(7, 9), (8, 9), (9, 9)]
    assert load_survey(nine).complete


def test_a_stop_is_checked_between_images(nine):
    asked = []

    def stop() -> bool:
        asked.append(load_survey(nine).done)
        return len(asked) == 4

    with pytest.raises(StopRequested):
        survey(nine, stop=stop)
    assert load_survey(nine).done == 3  # it was asked before the first image, too


def test_a_survey_can_be_stopped_while_it_draws_the_map(small_dataset):
    with pytest.raises(StopRequested):
        survey(small_dataset, progress=ProgressRecorder(until=("Drawing the map", 100)))
    found = load_survey(small_dataset)
    assert (found.done, found.complete, found.map_source) == (36, False, "")
    assert surveyed(small_dataset).measured == 0
    assert load_survey(small_dataset).complete


def test_readers_see_the_copies_that_a_stopped_survey_has_found(cfu_home, nine_shapes):  # noqa: ARG001
    cv2.imwrite(str(nine_shapes / "disc" / "again.bmp"), cv2.imread(str(nine_shapes / "disc" / "00.png")))
    dataset = import_source(nine_shapes, name="copies")
    state = survey_folder(dataset.id) / "state.json"

    def progress(phase: str):
        def count(_done: int, _total: int) -> None:
            if phase == "Drawing the map":
                os.utime(state, ns=(1, 1))
                raise StopRequested

        return count

    with pytest.raises(StopRequested):
        survey(dataset, progress=progress)
    assert survey_version(dataset.id) > 1
    found = load_survey(dataset)
    assert (len(found.copies), found.done, found.complete) == (1, 10, False)


KILLED_BY_PROGRESS = """
import math, os, signal, sys
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.survey.survey import survey
from cfu_core.dataset.survey.survey_store import store_of

dataset = load_dataset(sys.argv[1])

def progress(phase):
    def count(done, total):
        if len(store_of(dataset.id).files()) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return count

survey(dataset, progress=progress, part_images=3, part_seconds=math.inf)
"""

KILLED_BETWEEN_PACK_AND_TABLE = """
import math, os, signal, sys
from cfu_core.dataset.survey import survey_store
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.survey.survey import survey

write = survey_store.write_table

def killing(file, table):
    if file.name == "part-00003.parquet":
        os.kill(os.getpid(), signal.SIGKILL)
    write(file, table)

survey_store.write_table = killing
survey(load_dataset(sys.argv[1]), part_images=3, part_seconds=math.inf)
"""


@pytest.mark.parametrize("program", [KILLED_BY_PROGRESS, KILLED_BETWEEN_PACK_AND_TABLE])
def test_a_killed_survey_loses_at_most_the_current_part(nine, program):
    command = [sys.executable, "-c", program, nine.id]
    done = subprocess.run(command, cwd=PROJECT, env=os.environ, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    found = load_survey(nine)
    assert (found.done, found.complete) == (6, False)
    assert found.table["brightness"].notna().tolist() == [True] * 6 + [False] * 3
    assert pixels(thumbnail(nine, 5)).shape == (48, 64, 3)
    assert surveyed(nine, part_images=3, part_seconds=math.inf).measured == 3
    resumed = load_survey(nine)
    assert resumed.complete
    shutil.rmtree(survey_folder(nine.id))
    survey(nine)
    pd.testing.assert_frame_equal(load_survey(nine).table, resumed.table)


def test_processes_and_threads_give_the_same_results(nine, monkeypatch):
    damage(nine, 4)
    by_threads = list(measuring.measure_images(measuring.stored_images(nine)))
    monkeypatch.setattr(measuring, "_MIN_IMAGES_FOR_PROCESSES", 9)
    images = measuring.stored_images(nine)
    by_processes = list(measuring.measure_images(images))
    assert [found.key for found in by_processes] == [image.key for image in images]
    assert [bool(found.unreadable) for found in by_processes] == [row == 4 for row in range(9)]
    for one, other in zip(by_threads, by_processes, strict=True):
        assert (one.numbers, one.thumbnail, one.unreadable) == (other.numbers, other.thumbnail, other.unreadable)
        np.testing.assert_array_equal(one.signature, other.signature)
        np.testing.assert_array_equal(one.features, other.features)


def test_what_was_found_is_kept_when_a_process_is_ended_from_outside(nine, monkeypatch, worker_pids):
    monkeypatch.setattr(measuring, "_MIN_IMAGES_FOR_PROCESSES", 9)
    monkeypatch.setattr(measuring, "_BATCH_SIZE", 1)

    def progress(phase: str):
        def count(done: int, _total: int) -> None:
            if (phase, done) == ("Measuring images", 3):
                for pid in worker_pids:
                    os.kill(pid, signal.SIGKILL)

        return count

    with pytest.raises(DatasetError, match="The survey stopped: one of its worker processes was ended from outside"):
        survey(nine, progress=progress, part_images=1)
    assert 3 <= load_survey(nine).done < 9
    survey(nine)
    assert load_survey(nine).complete


def test_parts_are_also_written_after_some_time(nine):
    survey(nine, part_seconds=0)
    assert len(store_of(nine.id).files()) == 9
    assert load_survey(nine).complete


def test_deleting_the_dataset_ends_its_survey_and_it_stays_deleted(nine, cfu_home):
    def progress(_phase: str):
        def count(done: int, _total: int) -> None:
            if done == 3:
                delete_dataset(nine.id)

        return count

    with pytest.raises(DatasetError, match="no longer exists"):
        survey(nine, progress=progress, part_images=5)
    assert not (cfu_home / "datasets" / nine.id).exists()
    with pytest.raises(DatasetError, match="no longer exists"):
        survey(nine)


# --- thumbnails


@pytest.fixture
def mixed(cfu_home, tmp_path) -> Dataset:  # noqa: ARG001
    """A large TIFF, a small JPEG and a small PNG, in this order."""
    folder = tmp_path / "mixed" / "a"
    folder.mkdir(parents=True)
    colours = np.zeros((600, 900, 3), np.uint8)
    colours[:, 450:] = (40, 90, 200)  # BGR
    cv2.imwrite(str(folder / "1.tif"), colours)
    cv2.imwrite(str(folder / "2.jpg"), cv2.resize(colours, (240, 160)))
    cv2.imwrite(str(folder / "3.png"), cv2.resize(colours, (30, 20)))
    return import_source(tmp_path / "mixed", name="mixed")


@pytest.mark.parametrize("stored", [False, True])
def test_a_thumbnail_is_a_small_jpeg_of_the_image(mixed, stored):
    if stored:
        survey(mixed)
    sizes = []
    for row in range(3):
        data = thumbnail(mixed, row)
        assert data.startswith(b"\xff\xd8\xff")
        found = pixels(data)
        sizes.append(found.shape)
        np.testing.assert_allclose(found[-3, -3], (200, 90, 40), atol=4)
        np.testing.assert_allclose(found[3, 3], (0, 0, 0), atol=4)
    assert sizes == [(171, 256, 3), (160, 240, 3), (20, 30, 3)]


def test_stored_thumbnails_need_no_image(mixed):
    survey(mixed)
    expected = [thumbnail(mixed, row) for row in range(3)]
    small = mixed.image_file(1)
    assert expected[1] == small.read_bytes()  # small enough to be its own
    pack = next(store_of(mixed.id).folder.glob("*.bin"))
    assert pack.stat().st_size == len(expected[0]) + len(expected[2])
    for row in (0, 2):
        mixed.image_file(row).unlink()
    assert [thumbnail(mixed, row) for row in range(3)] == expected


def test_thumbnails_follow_the_images_after_an_edit(mixed):
    survey(mixed)
    expected = thumbnail(mixed, 2)
    edited = edit_dataset(mixed.id, "exclude", {mixed.images["path"][0]: None})
    assert thumbnail(edited, 1) == expected


# --- real images


@pytest.mark.real
@pytest.mark.usefixtures("cfu_home")
def test_real_images_of_many_sizes(real_images):
    dataset = import_source(real_images / "dish", name="dish", layout=LayoutChoice(unlabelled=True))
    survey(dataset)
    found = load_survey(load_dataset(dataset.id))
    assert found.complete
    assert found.table[list(MEASURES)].notna().all(axis=None)
    assert found.table["sharpness"].between(0.5, 30).all()
    images = dataset.images
    inside = found.table["colony_right"] <= images["width"]
    assert (inside & (found.table["colony_bottom"] <= images["height"]))[found.table["colony_left"].notna()].all()
