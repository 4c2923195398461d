import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from cfu_core import PROJECT
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import ImageError, StopRequested, StorageError
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.reading import read
from cfu_core.imaging.recipe import Recipe, apply
from cfu_core.training import cache, prepared_images
from cfu_core.training.cache import cache_folder, entry_folder, entry_lock
from cfu_core.training.prepared_images import image_keys, prepare

RECIPE = Recipe.preprocessed(32, tiles=2)


def arrays() -> list[Path]:
    return list(cache_folder().glob("*/pixels.npy"))


def leftovers() -> list[str]:
    return [path.name for path in cache_folder().iterdir() if path.suffix != ".lock"]


def expected_pixels(dataset: Dataset) -> np.ndarray:
    """`RECIPE` applied to each image that counts."""
    images = range(len(dataset.images))
    return np.stack([apply(RECIPE, dataset.read_image(i), box=dataset.box(i)) for i in images])


def test_each_image_is_the_recipe_applied_to_it(small_dataset, drawn_shapes):
    prepared = prepare(small_dataset, RECIPE)
    assert prepared.pixels.shape == (36, 32, 32, 3)
    assert prepared.pixels.dtype == np.uint8
    assert len({sha256(image.tobytes()).hexdigest() for image in prepared.pixels}) == 36  # a wrong order would show
    for row, path in enumerate(small_dataset.images["path"]):
        np.testing.assert_array_equal(prepared.pixels[row], apply(RECIPE, read(drawn_shapes / path)))


def test_the_pixels_cannot_be_written_to(small_dataset):
    with pytest.raises(ValueError, match="read-only"):
        prepare(small_dataset, RECIPE).pixels[0] = 0


def test_a_second_preparation_reuses_the_first(small_dataset):
    first = prepare(small_dataset, RECIPE)
    for path in small_dataset.images.index:
        small_dataset.image_file(path).unlink()
    second = prepare(small_dataset, RECIPE)
    assert (first.reused, second.reused) == (False, True)
    np.testing.assert_array_equal(second.pixels, first.pixels)
    assert second.decode_seconds == second.preprocess_seconds == 0
    assert second.built_decode_seconds == first.decode_seconds > 0
    assert second.built_preprocess_seconds == first.preprocess_seconds > 0


def test_other_recipes_have_other_caches(small_dataset):
    prepare(small_dataset, RECIPE)
    other = prepare(small_dataset, Recipe.original(32))
    assert not other.reused
    assert len(arrays()) == 2
    assert prepare(small_dataset, Recipe(size=32, clip_limit=7.0)).reused  # CLAHE is off


def test_progress_counts_up_to_all_images(small_dataset):
    seen = []
    prepare(small_dataset, RECIPE, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 36) for n in range(1, 37)]


def stop_at(number: int) -> Callable[[int, int], None]:
    def stop(done: int, _total: int) -> None:
        if done == number:
            raise StopRequested

    return stop


def test_a_stopped_preparation_continues_where_it_was(small_dataset):
    expected = expected_pixels(small_dataset)
    with pytest.raises(StopRequested):
        prepare(small_dataset, RECIPE, progress=stop_at(20))
    seen = []
    prepared = prepare(small_dataset, RECIPE, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 36) for n in range(21, 37)]
    assert (prepared.computed, prepared.reused) == (16, True)
    np.testing.assert_array_equal(prepared.pixels, expected)
    assert prepared.built_decode_seconds > prepared.decode_seconds > 0
    assert prepare(small_dataset, RECIPE).computed == 0


@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "other", "nonsense", "short"])
@pytest.mark.parametrize("name", ["pixels.npy", "keys.txt", "progress.json"])
def test_a_damaged_entry_is_made_again(small_dataset, name, damage):
    expected = np.array(prepare(small_dataset, RECIPE).pixels)
    file = arrays()[0].with_name(name)
    content = file.read_bytes()
    file.unlink()  # it may be mapped
    damaged = {"cut": content[:-9], "empty": b"", "other": b'{"a": 1}', "nonsense": b"\xff\x00", "short": content[:40]}
    if damage != "gone":
        file.write_bytes(damaged[damage])
    again = prepare(small_dataset, RECIPE)
    assert not again.reused
    np.testing.assert_array_equal(again.pixels, expected)
    assert len(leftovers()) == 1


def test_drafts_that_killed_processes_left_are_removed(small_dataset):
    folder = entry_folder(image_keys(small_dataset, RECIPE), RECIPE.digest)
    for draft in (f".{folder.name}.part", f".{folder.name}.0123abcd.part"):  # named by an earlier version, and by this
        (cache_folder() / draft).mkdir(parents=True)
        (cache_folder() / draft / "pixels.npy").write_bytes(b"incomplete")
    assert prepare(small_dataset, RECIPE).computed == 36
    assert leftovers() == [folder.name]


def test_an_array_of_the_former_layout_is_not_read(small_dataset):
    cache_folder().mkdir(parents=True)
    name = f"{small_dataset.digest[:16]}-{RECIPE.digest}"
    np.save(cache_folder() / f"{name}.npy", np.zeros((36, 32, 32, 3), np.uint8))
    (cache_folder() / f"{name}.json").write_text('{"decode_seconds": 1, "preprocess_seconds": 1}')
    prepared = prepare(small_dataset, RECIPE)
    assert prepared.computed == 36
    np.testing.assert_array_equal(prepared.pixels, expected_pixels(small_dataset))


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a program in a process that uses this test's home folder."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


PREPARE_20_THEN_WAIT = """
import sys, time
from cfu_core.dataset.catalog import load_dataset
from cfu_core.imaging.recipe import Recipe
from cfu_core.training import prepared_images

def wait(done, total):
    if done == 20:
        print("20 images are prepared", flush=True)
        time.sleep(600)

prepared_images.SAVE_SECONDS = 0.0
prepared_images.prepare(load_dataset(sys.argv[1]), Recipe.preprocessed(32, tiles=2), progress=wait)
"""


def test_images_prepared_by_a_killed_process_are_kept_and_its_progress_is_reported(small_dataset, monkeypatch):
    monkeypatch.setattr(cache, "WAIT_SECONDS", 0.05)
    with start(PREPARE_20_THEN_WAIT, small_dataset.id) as process:
        try:
            assert process.stdout.readline() == "20 images are prepared\n"
            with pytest.raises(StopRequested):
                prepare(small_dataset, RECIPE, progress=stop_at(20))
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    prepared = prepare(small_dataset, RECIPE)
    assert prepared.computed == 16
    np.testing.assert_array_equal(prepared.pixels, expected_pixels(small_dataset))


# --- after edits


def test_the_rows_are_those_of_the_images_that_are_not_excluded(small_dataset):
    before = prepare(small_dataset, RECIPE)
    assert before.rows.tolist() == list(range(36))
    paths = small_dataset.images["path"].tolist()
    edit_dataset(small_dataset.id, "relabel", {paths[4]: "ring"})
    edit_dataset(small_dataset.id, "group", {paths[5]: "dish"})
    edited = edit_dataset(small_dataset.id, "exclude", {paths[0]: None, paths[7]: None})
    after = prepare(edited, RECIPE)
    assert after.computed == 0
    assert after.rows.dtype == np.int64
    assert after.rows.tolist() == [row for row in range(36) if row not in (0, 7)]
    np.testing.assert_array_equal(after.pixels[after.rows], expected_pixels(edited))
    assert len(arrays()) == 1


def test_an_excluded_image_is_prepared_when_it_comes_back(small_dataset):
    paths = small_dataset.images["path"].tolist()
    edited = edit_dataset(small_dataset.id, "exclude", {paths[3]: None})
    prepared = prepare(edited, RECIPE)
    assert prepared.computed == 35
    still_mapped = prepared.pixels
    before = np.array(still_mapped[prepared.rows])
    back = prepare(edit_dataset(small_dataset.id, "include", {paths[3]: None}), RECIPE)
    assert back.computed == 1
    np.testing.assert_array_equal(back.pixels, expected_pixels(small_dataset))
    np.testing.assert_array_equal(still_mapped[prepared.rows], before)
    assert len(arrays()) == 1


def test_an_excluded_image_may_be_unreadable(small_dataset):
    paths = small_dataset.images["path"].tolist()
    small_dataset.image_file(5).unlink()
    with pytest.raises(ImageError):
        prepare(small_dataset, RECIPE)
    edited = edit_dataset(small_dataset.id, "exclude", {paths[5]: None})
    prepared = prepare(edited, RECIPE)
    np.testing.assert_array_equal(prepared.pixels[prepared.rows], expected_pixels(edited))
    back = edit_dataset(small_dataset.id, "include", {paths[5]: None})
    with pytest.raises(ImageError, match=paths[5]):
        prepare(back, RECIPE)
    assert prepare(edited, RECIPE).computed == 0  # nothing of it is lost


def test_editing_a_box_prepares_one_image_and_replaces_the_array(small_dataset):
    first = prepare(small_dataset, RECIPE)
    built = first.built_decode_seconds
    for row in (1, 2, 4):
        small_dataset.image_file(row).unlink()  # copied, not computed
    paths = small_dataset.images["path"].tolist()
    edited = edit_dataset(small_dataset.id, "box", {paths[3]: [5, 6, 25, 26]})
    prepared = prepare(edited, RECIPE)
    assert (prepared.computed, prepared.reused) == (1, True)
    image = small_dataset.read_image(3)
    np.testing.assert_array_equal(prepared.pixels[3], apply(RECIPE, image, box=Box(5, 6, 25, 26)))
    assert (prepared.pixels[3] != first.pixels[3]).any()
    others = [row for row in range(36) if row != 3]
    np.testing.assert_array_equal(prepared.pixels[others], first.pixels[others])  # still mapped, although removed
    assert prepared.built_decode_seconds == pytest.approx(built * 35 / 36 + prepared.decode_seconds)
    assert len(arrays()) == 1


def test_boxes_have_no_effect_if_the_recipe_does_not_crop(small_dataset):
    recipe = Recipe.original(32)
    prepare(small_dataset, recipe)
    edited = edit_dataset(small_dataset.id, "box", {small_dataset.images["path"].iat[3]: [5, 6, 25, 26]})
    assert prepare(edited, recipe).computed == 0


def test_only_the_new_images_of_a_grown_dataset_are_prepared(nine_shapes, drawn_shapes, cfu_home):  # noqa: ARG001
    small = import_source(nine_shapes, name="shapes")
    prepare(small, RECIPE)
    prepare(small, Recipe.original(32))
    grown = import_source(drawn_shapes, name="shapes")
    prepared = prepare(grown, RECIPE)
    assert (len(prepared.rows), prepared.computed) == (36, 27)
    np.testing.assert_array_equal(prepared.pixels, expected_pixels(grown))
    assert prepare(small, RECIPE).computed == 0  # that of another dataset stays
    assert len(arrays()) == 3


def test_images_of_another_recipe_are_not_copied(small_dataset):
    prepare(small_dataset, RECIPE)
    other = Recipe.preprocessed(32, tiles=2, clip_limit=3.0)
    prepared = prepare(small_dataset, other)
    assert prepared.computed == 36
    np.testing.assert_array_equal(prepared.pixels[0], apply(other, small_dataset.read_image(0)))


def test_an_array_that_is_being_filled_is_not_removed(small_dataset):
    prepare(small_dataset, RECIPE)
    edited = edit_dataset(small_dataset.id, "box", {small_dataset.images["path"].iat[3]: [5, 6, 25, 26]})
    (older,) = arrays()
    with entry_lock(older.parent):
        prepare(edited, RECIPE)
        assert older.exists()
    assert len(arrays()) == 2


def test_an_array_that_may_not_be_locked_is_not_removed(small_dataset, monkeypatch):
    prepare(small_dataset, RECIPE)
    edited = edit_dataset(small_dataset.id, "box", {small_dataset.images["path"].iat[3]: [5, 6, 25, 26]})
    (older,) = arrays()
    acquire = FileLock.acquire

    def refuse(lock: FileLock, timeout: float) -> object:
        if timeout == 0:  # of an entry to remove
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), lock.lock_file)
        return acquire(lock, timeout)

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert prepare(edited, RECIPE).computed == 1
    assert older.exists()


def test_a_cache_in_which_nothing_may_be_locked_is_reported(small_dataset, monkeypatch):
    def refuse(lock: FileLock, **_: float) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), lock.lock_file)

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(StorageError, match=r"No permission for .*cache"):
        prepare(small_dataset, RECIPE)


def test_a_stopped_copy_continues(small_dataset, monkeypatch):
    prepare(small_dataset, RECIPE)
    monkeypatch.setattr(prepared_images, "COPY_BYTES", 32 * 32 * 3 * 4)  # four images at once
    edited = edit_dataset(small_dataset.id, "box", {small_dataset.images["path"].iat[3]: [5, 6, 25, 26]})
    with pytest.raises(StopRequested):
        prepare(edited, RECIPE, progress=stop_at(8))
    assert len(arrays()) == 2
    prepared = prepare(edited, RECIPE)
    assert prepared.computed == 1
    np.testing.assert_array_equal(prepared.pixels, expected_pixels(edited))


PREPARE_ON_COMMAND = """
import sys
from hashlib import sha256
from cfu_core.dataset.catalog import load_dataset
from cfu_core.imaging.recipe import Recipe
from cfu_core.training.prepared_images import prepare

dataset = load_dataset(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
prepared = prepare(dataset, Recipe.preprocessed(32, tiles=2))
print(prepared.reused, sha256(prepared.pixels.tobytes()).hexdigest(), flush=True)
"""


def test_two_processes_at_once_make_one_cache(small_dataset):
    with start(PREPARE_ON_COMMAND, small_dataset.id) as first, start(PREPARE_ON_COMMAND, small_dataset.id) as second:
        processes = (first, second)
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        found = [process.stdout.readline().split() for process in processes]
    assert sorted(reused for reused, _ in found) == ["False", "True"]
    digest = sha256(expected_pixels(small_dataset).tobytes()).hexdigest()
    assert [found_digest for _, found_digest in found] == [digest] * 2
    assert len(arrays()) == 1


def test_small_images_have_fewer_tiles_and_are_named_also_from_the_cache(small_dataset):
    side = min(small_dataset.read_image(0).shape[:2])
    recipe = Recipe(contrast="clahe", tiles=64, size=32)
    first = prepare(small_dataset, recipe, subset=np.array([2, 0]))
    paths = small_dataset.images["path"]
    said = f"fewer than 64 × 64 tiles on 2 small images, .*: {paths[0]}, {paths[2]}\\.$"
    assert re.search(said, first.remarks[0])
    again = prepare(small_dataset, recipe)
    assert f"{len(paths)} small images" in again.remarks[0]
    assert f" and {len(paths) - 5} more." in again.remarks[0]
    assert prepare(small_dataset, recipe).remarks == again.remarks
    plain = Recipe(contrast="clahe", tiles=side, size=32)
    found = prepare(small_dataset, plain)
    assert found.remarks == []
    np.testing.assert_array_equal(found.pixels, again.pixels)


def test_an_array_without_a_record_of_tiles_has_no_remark(small_dataset):
    prepare(small_dataset, RECIPE)
    (file,) = cache_folder().glob("*/progress.json")
    progress = json.loads(file.read_text())
    del progress["fewer_tiles"]  # as earlier versions wrote it
    file.write_text(json.dumps(progress))
    found = prepare(small_dataset, RECIPE)
    assert (found.computed, found.remarks) == (0, [])


def test_rows_from_another_array_keep_their_remark(small_dataset):
    recipe = Recipe(contrast="clahe", tiles=64, size=32)
    prepare(small_dataset, recipe)
    (file,) = arrays()
    file.parent.rename(file.parent.with_name(f"{'0' * 16}-{recipe.digest}"))
    found = prepare(small_dataset, recipe)
    assert found.computed == 0
    assert f"{len(small_dataset.images)} small images" in found.remarks[0]


def test_an_image_that_is_gone_is_named_once(small_dataset):
    small_dataset.image_file(5).unlink()
    name = small_dataset.images["path"].iat[5]
    with pytest.raises(ImageError) as refused:
        prepare(small_dataset, RECIPE)
    assert refused.value.kind == "missing"
    assert str(refused.value).count(name) == 1


def test_an_image_that_is_damaged_is_named_once(small_dataset):
    file = small_dataset.image_file(5)
    file.write_bytes(file.read_bytes()[:100])
    name = small_dataset.images["path"].iat[5]
    with pytest.raises(ImageError) as refused:
        prepare(small_dataset, RECIPE)
    assert refused.value.kind != "missing"
    assert str(refused.value).count(name) == 1
