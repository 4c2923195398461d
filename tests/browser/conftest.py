"""Fixtures for tests in a browser: server, browser and windows."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import survey
from tests.browser.driving import TIMEOUT_MS, Screen, Server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium in headless mode."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = "There is no chromium on the PATH. On Debian: apt-get install chromium."
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server: new_server() on a new home, new_server(home, port) on an existing one.

    new_server(app=text) runs this script instead of the dashboard, with its settings and theme.
    """
    servers: list[Server] = []

    def start(home: Path | None = None, port: int | None = None, app: str = "") -> Server:
        home = home or tmp_path_factory.mktemp("browser") / "home"
        if app:
            script = home.with_name("app.py")
            script.write_text(app, encoding="utf-8")
            servers.append(Server(home, port, script))
        else:
            servers.append(Server(home, port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def server(new_server: Callable[..., Server]) -> Server:
    """Start the server of the module, on a home that is empty at first."""
    return new_server()


@pytest.fixture
def new_screen(browser: Browser) -> Iterator[Callable[..., Screen]]:
    """Return a function that opens a window of a new session: new_screen(server, width=800, color_scheme="dark")."""
    contexts: list[BrowserContext] = []

    def open_window(server: Server, width: int = 1440, height: int = 1000, **options: Any) -> Screen:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(TIMEOUT_MS)
        return Screen(page, server.url)

    yield open_window
    for context in contexts:
        context.close()


@pytest.fixture
def screen(new_screen: Callable[..., Screen], server: Server) -> Screen:
    """Open a window of a new session on the server of the module."""
    return new_screen(server)


@pytest.fixture
def dataset(server: Server, drawn_shapes: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Import and measure 36 drawn shapes in the home of the server."""
    monkeypatch.setenv("CFU_HOME", str(server.home))
    data = import_source(drawn_shapes, name="shapes")
    survey(data)
    return load_dataset(data.id)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests with the longest timeout first, so that parallel processes end at about the same time."""

    def timeout(item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        return mark.args[0] if mark else 0

    items.sort(key=timeout, reverse=True)
