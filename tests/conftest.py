"""What several tests need."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.runs.run import Run


@pytest.fixture
def cfu_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of this test's own; it does not exist yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("CFU_HOME", str(home))
    return home


@pytest.fixture
def real_images() -> Path:
    """The folder with real images."""
    named = os.environ.get("CFU_REAL_IMAGES")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "real"
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}")
    return folder


@pytest.fixture
def cases(real_images: Path) -> Path:
    """The folder with small drawn files of difficult kinds, beside the folder with real images."""
    return real_images.with_name("cases")


@pytest.fixture(scope="session")
def drawn_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 36 drawn images of 64 x 48 pixels in three classes, distinguished by colour and shape."""
    folder = tmp_path_factory.mktemp("drawn") / "shapes"
    rng = np.random.default_rng(0)
    for name, count in (("disc", 12), ("ring", 13), ("square", 11)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            image = np.full((48, 64, 3), 225, np.uint8)
            centre = (int(rng.integers(24, 40)), int(rng.integers(20, 28)))
            if name == "disc":
                cv2.circle(image, centre, 10, (60, 60, 190), -1)  # OpenCV writes BGR
            elif name == "ring":
                cv2.circle(image, centre, 10, (60, 160, 60), 4)
            else:
                cv2.rectangle(image, (centre[0] - 9, centre[1] - 9), (centre[0] + 9, centre[1] + 9), (190, 70, 60), -1)
            noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"{i:02d}.png"), noisy)
    return folder


@pytest.fixture
def small_dataset(cfu_home: Path, drawn_shapes: Path) -> Dataset:  # noqa: ARG001 - it goes there
    """`drawn_shapes`, imported into this test's own home."""
    return import_source(drawn_shapes, name="shapes")


@pytest.fixture
def nine_shapes(drawn_shapes: Path, tmp_path: Path) -> Path:
    """Three images of each class of `drawn_shapes`: the least that can be trained on, and the quickest."""
    folder = tmp_path / "nine shapes"
    for path in sorted(drawn_shapes.glob("*/0[0-2].png")):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    return folder


@pytest.fixture(scope="session")
def _trained_home(tmp_path_factory: pytest.TempPathFactory, drawn_shapes: Path) -> tuple[Path, str]:
    """A home folder with one finished run on `drawn_shapes`, and that run's identifier."""

    from cfu_core.imaging.recipe import Recipe
    from cfu_core.jobs.worker import run_in_foreground
    from cfu_core.runs.planning import plan_runs
    from cfu_core.training.config import TrainingConfig

    home = tmp_path_factory.mktemp("trained") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CFU_HOME", str(home))
        dataset = import_source(drawn_shapes, name="shapes")
        config = TrainingConfig(
            dataset=dataset.id,
            architecture="squeezenet1_1",
            recipe=Recipe.preprocessed(224, tiles=2),
            weights="none",
            epochs=1,
            seed=1,
        )
        run = plan_runs([config], dataset)[0]
        status = run_in_foreground(run)
        assert status.state == "finished", status.message
    return home, run.id


@pytest.fixture
def finished_run(_trained_home: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A real run of one epoch, in a home that tests share: look, do not touch."""
    home, identifier = _trained_home
    monkeypatch.setenv("CFU_HOME", str(home))
    return Run(home / "runs" / identifier)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small file system of its own: mounted("size=1m")."""
    points: list[Path] = []

    def mount(options: str) -> Path:
        point = tmp_path / f"disk{len(points)}"
        point.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root may mount a small disk")
        points.append(point)
        return point

    yield mount
    for point in points:
        subprocess.run(["umount", "-l", str(point)], check=True)
