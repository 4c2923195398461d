import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from cfu_core import PROJECT
from cfu_core.dataset.importing import copying
from cfu_core.dataset.importing.copying import CopiedImage, StagingWriter
from cfu_core.dataset.packs import read_packed
from cfu_core.worker_pool import WorkerPool


@pytest.fixture
def writer(tmp_path):
    (tmp_path / "staged").mkdir()
    return StagingWriter(str(tmp_path / "staged"), str(tmp_path / "store"))


def copying_pool(writer: StagingWriter | None, *, max_bytes: int) -> WorkerPool:
    return WorkerPool(copying.__name__, (writer, max_bytes), name="The import")


def test_worker_processes_copy_usual_images_only(writer, tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (tmp_path / "é.png").write_bytes(picture(1))
    (tmp_path / "link.png").symlink_to("é.png")
    (tmp_path / "text.png").write_bytes(b"hello")
    (tmp_path / "large.png").write_bytes(picture(2) + bytes(2000))
    names = ("é.png", "link.png", "text.png", "large.png", "none.png", "a\0b.png")
    with copying_pool(writer, max_bytes=2000) as pool:
        copied = pool.ask(([str(tmp_path / name) for name in names], 60))
        pool.ask_each(None)
    assert copied == [CopiedImage(copied[0].digest, ".png", len(picture(1)), 5, 6), *[None] * 5]
    assert read_packed(str(tmp_path / "staged" / "packs"), copied[0].digest) == picture(1)


def test_only_the_first_files_are_copied_when_the_time_is_over(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (tmp_path / "1.png").write_bytes(picture(1))
    with copying_pool(None, max_bytes=2000) as pool:
        assert len(pool.ask(([str(tmp_path / "1.png")] * 5, 0))) == 1


def test_a_large_image_has_a_file_of_its_own(writer, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "1.png"), noise)
    with copying_pool(writer, max_bytes=10**6) as pool:
        (copied,) = pool.ask(([str(tmp_path / "1.png")], 60))
        pool.ask_each(None)
    staged = tmp_path / "staged" / copied.digest[:2] / f"{copied.digest}.png"
    assert staged.read_bytes() == (tmp_path / "1.png").read_bytes()
    assert not (tmp_path / "staged" / "packs").exists()


def test_without_a_writer_nothing_is_written(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (tmp_path / "1.jpg").write_bytes(picture(1, ".jpg"))
    with copying_pool(None, max_bytes=2000) as pool:
        assert pool.ask(([str(tmp_path / "1.jpg")], 60))[0].extension == ".jpg"
        pool.ask_each(None)
    assert [path.name for path in tmp_path.iterdir()] == ["1.jpg"]


def test_a_write_error_is_raised_in_the_asking_process(writer, tmp_path, picture, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    (tmp_path / "1.png").write_bytes(picture(1))
    (tmp_path / "staged").rmdir()
    (tmp_path / "staged").write_bytes(b"no folder")
    with copying_pool(writer, max_bytes=2000) as pool:
        for _ in range(2):  # the worker process goes on after an error
            with pytest.raises(OSError, match="staged"):
                pool.ask(([str(tmp_path / "1.png")], 60))


def test_the_module_imports_no_heavy_library():
    program = (
        "import sys, cfu_core.dataset.importing.copying\n"
        "print({'numpy', 'pandas', 'cv2', 'tifffile', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
