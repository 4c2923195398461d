"""Pages fit into the window, in both themes."""

import pytest

from cfu_core.dataset.importing.source import import_source
from cfu_core.job import State
from tests.browser.driving import MENU, in_two_forms
from tests.pages.written import write_run

pytestmark = pytest.mark.browser


@pytest.fixture
def home_with_runs(server, drawn_shapes, monkeypatch):
    """Write a dataset and three runs to the home of the server."""
    monkeypatch.setenv("CFU_HOME", str(server.home))
    dataset = import_source(drawn_shapes, name="shapes")
    if not (server.home / "runs").is_dir():
        write_run(dataset, State.FAILED, message="Out of memory. Choose a smaller batch or a smaller network.")
        write_run(dataset, key="googlenet", preprocessed=True, wrong=[1])
        write_run(dataset, wrong=[0, 3])
    return dataset


@in_two_forms
def test_no_page_is_wider_than_the_window(server, new_screen, home_with_runs, scheme, width):
    screen = new_screen(server, width=width, color_scheme=scheme)
    screen.open(dataset=home_with_runs.id)
    for title in MENU:
        screen.go(title)
        screen.expect_drawn_figures()
        for element in ("html", "[data-testid=stMain]"):
            sizes = screen.page.locator(element).evaluate("e => [e.scrollWidth, e.clientWidth]")
            assert sizes[0] <= sizes[1], f"{title}, {element}"
    background = screen.page.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 20, 26)"}[scheme]
