"""Small sources of images, the files that an import leaves, and the worker processes that it starts."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from cfu_core.worker_process import WorkerProcess

Contents = Mapping[str, bytes]


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    """Makes the bytes of a small image, another one for each seed: picture(seed, extension=".png")."""

    def make(seed: int, extension: str = ".png") -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)
        return cv2.imencode(extension, pixels)[1].tobytes()

    return make


@pytest.fixture
def write_tree(tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a new folder: write_tree({path: content}, name="plates")."""

    def write(contents: Contents, name: str = "plates") -> Path:
        root = tmp_path / name
        root.mkdir()
        for path, content in contents.items():
            file = root / path
            if path.endswith("/"):
                file.mkdir(parents=True, exist_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        return root

    return write


@pytest.fixture
def write_zip(tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a new zip: write_zip({path: content}, name="plates.zip")."""

    def write(contents: Contents, name: str = "plates.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in contents.items():
                archive.writestr(entry, content)
        return path

    return write


@pytest.fixture
def left_behind(cfu_home: Path) -> Callable[[], list[str]]:
    """Lists the files in the home folder, without locks."""

    def look() -> list[str]:
        found = (file.relative_to(cfu_home) for file in cfu_home.rglob("*") if file.is_file())
        return sorted(file.as_posix() for file in found if file.suffix != ".lock")

    return look


@pytest.fixture
def worker_pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of the worker processes that the code under test starts; a test may kill these and no others."""
    pids: list[int] = []
    start = WorkerProcess.__init__

    def start_and_record(self: WorkerProcess, *args: object, **options: object) -> None:
        start(self, *args, **options)
        pids.append(self.pid)

    monkeypatch.setattr(WorkerProcess, "__init__", start_and_record)
    return pids
