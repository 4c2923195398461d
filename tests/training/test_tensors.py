import multiprocessing
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from cfu_core.dataset.catalog import load_dataset
from cfu_core.errors import ImageError, RecipeError, StopRequested
from cfu_core.imaging.reading import read
from cfu_core.imaging.recipe import Recipe, apply
from cfu_core.training.tensors import cache_folder, prepare

RECIPE = Recipe.preprocessed(32, tiles=2)


def arrays() -> list[Path]:
    return list(cache_folder().glob("*.npy"))


def leftovers() -> list[str]:
    return [path.name for path in cache_folder().iterdir() if path.suffix != ".lock"]


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


def test_an_interrupted_preparation_leaves_nothing_and_can_be_repeated(small_dataset):
    def stop(done: int, _total: int) -> None:
        if done == 20:
            raise StopRequested

    with pytest.raises(StopRequested):
        prepare(small_dataset, RECIPE, progress=stop)
    assert leftovers() == []
    assert not prepare(small_dataset, RECIPE).reused


def test_an_array_without_its_record_is_made_again(small_dataset):
    expected = np.array(prepare(small_dataset, RECIPE).pixels)
    (path,) = arrays()
    path.with_suffix(".json").unlink()
    path.write_bytes(b"half")
    again = prepare(small_dataset, RECIPE)
    assert not again.reused
    np.testing.assert_array_equal(again.pixels, expected)


def _prepare_in_a_process(home: str, dataset: str, ready, results) -> None:
    os.environ["CFU_HOME"] = home
    loaded = load_dataset(dataset)
    ready.wait(60)
    prepared = prepare(loaded, RECIPE)
    results.put((prepared.reused, sha256(prepared.pixels.tobytes()).hexdigest()))


def test_two_processes_at_once_make_one_cache(small_dataset, cfu_home):
    context = multiprocessing.get_context("forkserver")
    ready, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_prepare_in_a_process, args=(str(cfu_home), small_dataset.id, ready, results))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert sorted(reused for reused, _ in found) == [False, True]
    assert found[0][1] == found[1][1]
    assert len(arrays()) == 1


def test_a_recipe_that_does_not_suit_an_image_names_it(small_dataset):
    with pytest.raises(RecipeError, match=r"(disc|ring|square)/\d\d\.png: 64 x 64 tiles do not fit"):
        prepare(small_dataset, Recipe(clahe=True, tiles=64, size=32))
    assert leftovers() == []


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
    assert leftovers() == []
