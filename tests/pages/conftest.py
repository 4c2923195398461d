"""Fixtures for tests of pages without a browser."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from cfu_core import PROJECT
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import survey


@pytest.fixture(scope="session", autouse=True)
def component_manifests_cached() -> Iterator[None]:
    """Scan the installed packages for components once, instead of in each AppTest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def main_module_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore ``__main__``, which the script of a page replaces, for tests that start processes."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(autouse=True)
def no_workers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lanes for which a worker was requested; none is started."""
    requested: list[str] = []
    monkeypatch.setattr("pages.components.job_progress.ensure_worker", requested.append)
    monkeypatch.setattr("cfu_core.jobs.launch.ensure_worker", requested.append)
    return requested


@pytest.fixture
def visit(cfu_home: Path) -> Callable[..., AppTest]:  # noqa: ARG001 - sets CFU_HOME
    """Return a function that opens a page: visit("data/explore", dataset="shapes-c9250c7c")."""

    def open_page(path: str = "start/overview", **query: str | list[str]) -> AppTest:
        app = AppTest.from_file(str(PROJECT / "streamlit_app.py"), default_timeout=30)
        for key, value in query.items():
            app.query_params[key] = value
        app.switch_page(f"pages/{path}.py").run()
        assert not app.exception
        return app

    return open_page


@pytest.fixture(scope="session")
def _surveyed_home(tmp_path_factory: pytest.TempPathFactory, drawn_shapes: Path) -> tuple[Path, str]:
    """Return a home folder with `drawn_shapes`, measured once for all tests, and the dataset's identifier."""
    home = tmp_path_factory.mktemp("surveyed") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CFU_HOME", str(home))
        dataset = import_source(drawn_shapes, name="shapes")
        survey(dataset)
    return home, dataset.id


@pytest.fixture
def surveyed_dataset(cfu_home: Path, _surveyed_home: tuple[Path, str]) -> Dataset:
    """Return `drawn_shapes`, imported and measured, in the home folder of the test."""
    home, identifier = _surveyed_home
    shutil.copytree(home, cfu_home)
    return load_dataset(identifier)


@pytest.fixture
def flawed_dataset(cfu_home: Path, tmp_path: Path) -> Dataset:  # noqa: ARG001
    """Return 30 images of 30 x 20 pixels in two classes, two of them identical; one more file is truncated."""
    folder = tmp_path / "flawed"
    rng = np.random.default_rng(5)
    for name in ("large", "small"):
        (folder / name).mkdir(parents=True)
        for i in range(15):
            cv2.imwrite(str(folder / name / f"{i:02d}.png"), rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    (folder / "small" / "00.png").write_bytes((folder / "small" / "01.png").read_bytes())
    whole = (folder / "large" / "00.png").read_bytes()
    (folder / "large" / "cut.png").write_bytes(whole[: len(whole) // 2])
    return import_source(folder, name="flawed")


@pytest.fixture
def drawn_dataset(cfu_home: Path, drawn_shapes: Path, tmp_path: Path) -> Dataset:  # noqa: ARG001
    """Return `drawn_shapes`, imported by a manifest that marks them as drawn."""
    rows = [f"{path},{path.parent.name},drawn" for path in sorted(drawn_shapes.rglob("*.png"))]
    manifest = tmp_path / "drawn.csv"
    manifest.write_text("\n".join(["path,label,origin", *rows]) + "\n", encoding="utf-8")
    return import_source(manifest, name="drawn shapes")


@pytest.fixture
def figures() -> Callable[[AppTest], list[dict[str, Any]]]:
    """Return a function that lists the Plotly figures of a page as JSON."""
    return lambda app: [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
