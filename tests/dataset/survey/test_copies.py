import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.copies import find_new_copies
from cfu_core.dataset.survey.measuring import stored_images
from cfu_core.dataset.survey.survey import load_survey, survey
from cfu_core.dataset.survey.survey_store import read_table, store_of, stored_thumbnail
from cfu_core.errors import StopRequested

pytestmark = pytest.mark.usefixtures("cfu_home")


def scene(seed: int) -> np.ndarray:
    """A frame full of detail, another one for each seed."""
    rng = np.random.default_rng(seed)
    image = np.full((240, 300, 3), rng.integers(190, 230, 3), np.uint8)
    for _ in range(40):
        centre, axes = rng.integers(0, 300, 2).tolist(), rng.integers(4, 30, 2).tolist()
        cv2.ellipse(image, centre, axes, int(rng.integers(180)), 0, 360, rng.integers(30, 200, 3).tolist(), -1)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Four different scenes, two in each class."""
    for seed, name in enumerate(("a/0.png", "a/1.png", "b/2.png", "b/3.png")):
        (tmp_path / "scenes" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "scenes" / name), scene(seed))
    return tmp_path / "scenes"


def copies(dataset) -> set[tuple[str, str, str]]:
    found = load_survey(dataset).copies
    return set(found[["path_a", "path_b", "kind"]].itertuples(index=False, name=None))


def surveyed(folder, **options):
    dataset = import_source(folder, name="scenes")
    survey(dataset, **options)
    return dataset


def test_different_images_are_no_copies(folder):
    dataset = surveyed(folder)
    assert copies(dataset) == set()
    found = load_survey(dataset).copies
    assert list(found.columns) == ["path_a", "path_b", "kind", "score"]
    assert found["score"].dtype == np.float64


def test_copies_are_found_with_their_kinds(folder):
    shutil.copy(folder / "a" / "0.png", folder / "b" / "0 again.png")
    cv2.imwrite(str(folder / "a" / "0 as tiff.tif"), scene(0))
    cv2.imwrite(str(folder / "a" / "1.jpg"), scene(1), [cv2.IMWRITE_JPEG_QUALITY, 80])
    cv2.imwrite(str(folder / "b" / "2 small.png"), cv2.resize(scene(2), (150, 120), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(folder / "b" / "3 turned.png"), np.rot90(scene(3)))
    dataset = surveyed(folder)
    assert copies(dataset) == {
        ("a/0.png", "b/0 again.png", "identical"),
        ("a/0 as tiff.tif", "a/0.png", "identical"),
        ("a/1.jpg", "a/1.png", "re-encoded"),
        ("b/2 small.png", "b/2.png", "resized"),
        ("b/3 turned.png", "b/3.png", "turned"),
    }
    scores = load_survey(dataset).copies.set_index("path_a")["score"]
    assert scores["a/0.png"] == 1
    assert scores.between(0.8, 1).all()


def test_images_with_equal_thumbnails_but_different_pixels_are_re_encoded(folder):
    # one grey level in one pixel is lost on the way to the thumbnail
    image = scene(0)
    image[100, 100, 0] ^= 1
    cv2.imwrite(str(folder / "a" / "0 touched.png"), image)
    dataset = surveyed(folder)
    thumbnails = {stored_thumbnail(store_of(dataset.id), digest) for digest in dataset.images["digest"][:2]}
    assert len(thumbnails) == 1
    assert copies(dataset) == {("a/0 touched.png", "a/0.png", "re-encoded")}


def test_excluded_images_form_no_pairs_and_the_next_identical_image_represents_the_others(folder):
    shutil.copy(folder / "a" / "1.png", folder / "a" / "1 again.png")
    shutil.copy(folder / "a" / "1.png", folder / "b" / "1 thrice.png")
    cv2.imwrite(str(folder / "b" / "1 turned.png"), np.rot90(scene(1)))
    dataset = surveyed(folder)
    first = "a/1 again.png"
    assert copies(dataset) == {
        (first, "a/1.png", "identical"),
        (first, "b/1 thrice.png", "identical"),
        (first, "b/1 turned.png", "turned"),
    }
    edited = edit_dataset(dataset.id, "exclude", {first: None, "b/1 thrice.png": None})
    assert copies(edited) == {("a/1.png", "b/1 turned.png", "turned")}
    assert copies(edit_dataset(dataset.id, "exclude", {"b/1 turned.png": None})) == set()


def test_a_larger_dataset_is_compared_as_a_whole(folder, tmp_path):
    one = surveyed(folder)
    shutil.copytree(folder, tmp_path / "more")
    cv2.imwrite(str(tmp_path / "more" / "a" / "2 mirrored.png"), scene(2)[:, ::-1])
    assert copies(surveyed(tmp_path / "more")) == {("a/2 mirrored.png", "b/2.png", "mirrored")}
    assert copies(one) == set()


def test_an_incremental_search_finds_the_same_and_resumes_after_a_stop(folder):
    for seed in range(4):
        cv2.imwrite(str(folder / "b" / f"{seed} turned.png"), np.rot90(scene(seed)))
    dataset = surveyed(folder, part_images=2)
    expected = copies(dataset)
    assert len(expected) == 4
    store = store_of(dataset.id)
    file = store.folder / "copies.parquet"
    file.unlink()
    images = stored_images(dataset)
    seen = []

    def until(done: int, total: int) -> None:
        seen.append((done, total))
        if done > 4:
            raise StopRequested

    with pytest.raises(StopRequested):
        find_new_copies(store, images, until, at_once=3)
    assert read_table(file).schema.metadata[b"through"] == b"2"  # two parts of two are three or more
    assert max(seen)[1] == 8
    seen.clear()
    find_new_copies(store, images, lambda done, total: seen.append((done, total)), at_once=3)
    assert seen[-1] == (4, 4)
    assert copies(dataset) == expected
    seen.clear()
    find_new_copies(store, images, lambda done, total: seen.append((done, total)))
    assert seen == []


def test_images_that_are_gone_are_ignored(folder):
    for name in ("a/small.jpg", "b/small again.jpg"):  # these are their own thumbnails
        cv2.imwrite(str(folder / name), cv2.resize(scene(7), (200, 160))[:, :: 1 if "again" in name else -1])
    cv2.imwrite(str(folder / "b" / "2 turned.png"), np.rot90(scene(2)))
    dataset = surveyed(folder)
    assert ("a/small.jpg", "b/small again.jpg", "mirrored") in copies(dataset)
    store = store_of(dataset.id)
    (store.folder / "copies.parquet").unlink()
    dataset.image_file(dataset.images.index[dataset.images["path"] == "a/small.jpg"][0]).unlink()
    find_new_copies(store, stored_images(dataset), lambda done, total: None)
    assert copies(dataset) == {("b/2 turned.png", "b/2.png", "turned")}


def test_a_survey_of_unreadable_images_has_no_copies(folder):
    dataset = import_source(folder, name="scenes")
    for row in range(4):
        dataset.image_file(row).write_bytes(b"")
    survey(dataset)
    assert copies(dataset) == set()
    pd.testing.assert_index_equal(load_survey(dataset).table.index, dataset.images.index)
