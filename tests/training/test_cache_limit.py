import errno
import os
from pathlib import Path

import pytest
from filelock import FileLock

from cfu_core.errors import StorageError
from cfu_core.imaging.recipe import Recipe
from cfu_core.training.cache import cache_folder, entry_lock
from cfu_core.training.cache_limit import cache_items, clear_cache, limit_bytes, make_room, mark_used
from cfu_core.training.prepared_images import prepare


@pytest.fixture
def cached(cfu_home):  # noqa: ARG001
    """Three entries of about 1 MB, made one after the other, features of half of that, and what an old version left."""

    def make(path: Path, size: int, age: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        place = path.parent if path.name == "pixels.npy" else path
        os.utime(place, (1e9 + age, 1e9 + age))
        return place

    folder = cache_folder()
    return {
        "old": make(folder / "before.npy", 1_000_000, 0),
        "a": make(folder / "aaaa-1111" / "pixels.npy", 1_000_000, 1),
        "features": make(folder / "features" / "1111-alexnet-none-0.npz", 500_000, 2),
        "b": make(folder / "bbbb-1111" / "pixels.npy", 1_000_000, 3),
        "c": make(folder / "cccc-2222" / "pixels.npy", 1_000_000, 4),
    }


def left(cached: dict[str, Path]) -> list[str]:
    return [name for name, path in cached.items() if path.exists()]


@pytest.mark.parametrize(
    ("gigabytes", "expected"),
    [
        ("1", ["old", "a", "features", "b", "c"]),
        ("0.0045", ["old", "a", "features", "b", "c"]),
        ("0.0035", ["a", "features", "b", "c"]),
        ("0.002", ["b", "c"]),
        ("0", ["a"]),
    ],
)
def test_the_least_recently_used_items_are_removed_first(cached, monkeypatch, gigabytes, expected):
    monkeypatch.setenv("CFU_CACHE_GB", gigabytes)
    kept = cached["a"] if gigabytes == "0" else cached["c"]
    removed = make_room(kept)
    assert left(cached) == expected
    assert len(removed) == 5 - len(expected)


def test_an_item_that_is_used_again_is_kept(cached, monkeypatch):
    monkeypatch.setenv("CFU_CACHE_GB", "0.0025")
    mark_used(cached["a"])
    make_room(cached["c"])
    assert left(cached) == ["a", "c"]


def test_an_item_that_is_being_filled_is_kept(cached):
    with entry_lock(cached["b"]):
        assert clear_cache() == 3_500_000
    assert left(cached) == ["b"]
    assert [entry.path for entry in cache_items()] == [cached["b"]]


def test_items_in_a_read_only_folder_are_kept(cached, monkeypatch):
    monkeypatch.setenv("CFU_CACHE_GB", "0")

    def refuse(lock: FileLock, **_: float) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), lock.lock_file)

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert clear_cache() == 0
    assert make_room(cached["a"]) == []
    assert left(cached) == list(cached)


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_not_a_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("CFU_CACHE_GB", text)
    with pytest.raises(StorageError, match="number of gigabytes"):
        limit_bytes()


def test_the_limit_is_50_gigabytes_unless_it_is_set(monkeypatch):
    monkeypatch.delenv("CFU_CACHE_GB", raising=False)
    assert limit_bytes() == 50e9


def test_preparing_keeps_the_cache_within_its_limit_and_readers_keep_what_they_read(small_dataset, monkeypatch):
    monkeypatch.setenv("CFU_CACHE_GB", "0.0002")  # one entry of 36 images at 32 pixels has 111 kB
    first = prepare(small_dataset, Recipe.original(32))
    before = first.pixels[:].copy()
    second = prepare(small_dataset, Recipe.preprocessed(32, tiles=2))
    assert len(cache_items()) == 1
    assert second.computed == 36
    assert (first.pixels == before).all()  # its folder is gone; what is mapped is there
    assert prepare(small_dataset, Recipe.original(32)).computed == 36
