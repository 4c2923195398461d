import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from cfu_core import PROJECT
from cfu_core.dataset.importing import workers
from cfu_core.dataset.importing.copying import Carried, Shelf
from cfu_core.dataset.importing.workers import Crew, in_batches, one_by_one
from cfu_core.dataset.packs import read_packed


@pytest.mark.parametrize("cpus", [1, 3])
def test_every_item_is_worked_on_once(monkeypatch, cpus):
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    monkeypatch.setattr(workers, "_BATCH", 7)
    batches = list(in_batches(one_by_one(lambda number: -number), range(1000)))
    assert sorted(-number for batch in batches for number in batch) == list(range(1000))
    assert max(map(len, batches)) == 7
    assert min(map(len, batches)) > 0
    assert list(in_batches(one_by_one(str), [])) == []


def test_work_may_stop_early_in_a_batch(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    batches = list(in_batches(lambda items: list(items[:2]), range(101)))
    assert sorted(number for batch in batches for number in batch) == list(range(101))
    assert {len(batch) for batch in batches} <= {1, 2}


def test_little_is_done_after_a_stop(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(workers, "_BATCH", 10)
    taken = []
    batches = in_batches(one_by_one(taken.append), range(1000))
    next(batches)
    batches.close()
    assert 10 <= len(taken) <= 50


def test_slow_items_are_told_of_one_by_one(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(workers, "_BATCH_S", 0)
    assert [len(batch) for batch in in_batches(one_by_one(str), range(5))] == [1] * 5


def test_an_error_comes_through(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        list(in_batches(one_by_one(lambda number: 1 // number), range(-5, 5)))


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "staged").mkdir()
    return Shelf(str(tmp_path / "staged"), str(tmp_path / "store"))


def test_a_crew_carries_what_is_ordinary(shelf, tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (tmp_path / "é.png").write_bytes(picture(1))
    (tmp_path / "link.png").symlink_to("é.png")
    (tmp_path / "text.png").write_bytes(b"hello")
    (tmp_path / "large.png").write_bytes(picture(2) + bytes(2000))
    names = ("é.png", "link.png", "text.png", "large.png", "none.png", "a\0b.png")
    with Crew(shelf, most=2000) as members:
        found = members.carry([str(tmp_path / name) for name in names])
        members.finish()
    assert found == [Carried(found[0].digest, ".png", len(picture(1)), 5, 6), *[None] * 5]
    assert read_packed(str(tmp_path / "staged" / "packs"), found[0].digest) == picture(1)


def test_a_large_image_has_a_file_of_its_own(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "1.png"), noise)
    with Crew(shelf, most=10**6) as members:
        (found,) = members.carry([str(tmp_path / "1.png")])
        members.finish()
    staged = tmp_path / "staged" / found.digest[:2] / f"{found.digest}.png"
    assert staged.read_bytes() == (tmp_path / "1.png").read_bytes()
    assert not (tmp_path / "staged" / "packs").exists()


def test_a_crew_without_a_shelf_only_looks(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (tmp_path / "1.jpg").write_bytes(picture(1, ".jpg"))
    with Crew(None, most=2000) as members:
        assert members.carry([str(tmp_path / "1.jpg")])[0].extension == ".jpg"
    assert [path.name for path in tmp_path.iterdir()] == ["1.jpg"]


def test_a_failure_to_write_comes_through(shelf, tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (tmp_path / "1.png").write_bytes(picture(1))
    (tmp_path / "staged").rmdir()
    (tmp_path / "staged").write_bytes(b"no folder")
    with Crew(shelf, most=2000) as members:
        for _ in range(2):  # and the process lives on
            with pytest.raises(OSError, match="staged"):
                members.carry([str(tmp_path / "1.png")])


def test_members_of_a_crew_start_light():
    program = (
        "import sys, cfu_core.dataset.importing.copying\n"
        "print({'numpy', 'pandas', 'cv2', 'tifffile', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
