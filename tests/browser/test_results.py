"""The Results page with all panels open is accessible and fits into the window."""

import pytest
from playwright.sync_api import expect

from cfu_core.runs.repeats import in_folds, plan_repeats
from tests.browser.driving import LONG_TIMEOUT_MS, in_two_forms
from tests.pages.written import write_folds, write_run

pytestmark = pytest.mark.browser
PANELS = ("matrices", "specs", "overlay", "doubts-0")
TABLES = {
    "Table 3: time": "Decode",
    "Table 2: images": "Validation",
    "Table 1: networks": "Parameters, 1000 classes",
    "All metrics": "95 % interval",
}
VIEWS = {"ROC and precision-recall": "roc", "Calibration": "coverage"}


@pytest.fixture
def compared(server, dataset):
    """Return a dataset with runs that differ in network, images and fold."""
    if not (server.home / "runs").is_dir():
        run = write_run(dataset, wrong=[0, 3])
        write_folds(plan_repeats(run, in_folds(run)).new, dataset)
        write_run(dataset, key="googlenet")
        write_run(dataset, preprocessed=True, wrong=[1])
    return dataset


@in_two_forms
def test_every_panel_is_accessible_and_fits(server, new_screen, compared, scheme, width):
    screen = new_screen(server, width=width, color_scheme=scheme)
    screen.open("results", dataset=compared.id)
    for panel in PANELS:
        screen.widget(panel).locator("summary").click()
        screen.settle()
    screen.expect_drawn_figures()
    screen.expect_accessible()
    for tab, column in TABLES.items():
        screen.page.get_by_role("tab", name=tab).click()
        expect(screen.page.locator("[role=columnheader]", has_text=column).first).to_be_attached(
            timeout=LONG_TIMEOUT_MS
        )
        screen.settle()
    for tab, figure in VIEWS.items():
        screen.page.get_by_role("tab", name=tab).click()
        expect(screen.widget(figure)).to_be_visible()
        screen.settle()
    screen.expect_drawn_figures()
    screen.expect_accessible()
    screen.expect_no_exception()
