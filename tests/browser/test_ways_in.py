"""The cancelled demo dataset, and an upload with a path outside its folder."""

import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.driving import LONG_TIMEOUT_MS

pytestmark = pytest.mark.browser


def datasets_in(home) -> list[str]:
    """Return the identifiers of the datasets in a home folder."""
    return sorted(path.parent.name for path in (home / "datasets").glob("*/dataset.json"))


def test_a_cancelled_demo_leaves_no_files(server, screen):
    screen.open()
    screen.widget("demo_button").get_by_role("button").click()
    expect(screen.text("Demo dataset").first).to_be_visible()
    expect(screen.progress()).to_have_count(1)
    expect(screen.progress()).to_contain_text("of 728", timeout=LONG_TIMEOUT_MS)
    screen.widget("cancel-*").get_by_role("button").click()
    expect(screen.alerts().filter(has_text="Stopped on request.")).to_be_visible(timeout=LONG_TIMEOUT_MS)
    expect(screen.progress()).to_have_count(0)
    screen.widget("dismiss_import").get_by_role("button").click()
    expect(screen.alerts()).to_have_count(0)
    expect(screen.widget("demo_button")).to_have_count(1)  # there are two while the page is updated
    expect(screen.widget("demo_button").get_by_role("button")).to_be_enabled()
    screen.expect_no_exception()
    assert datasets_in(server.home) == []
    assert list((server.home / "demo").glob("*")) == []


def test_a_zip_with_a_path_outside_its_folder_is_refused(server, screen, drawn_shapes, tmp_path):
    malicious = tmp_path / "malicious.zip"
    with zipfile.ZipFile(malicious, "w") as archive:
        for image in sorted(drawn_shapes.rglob("*.png")):
            archive.write(image, image.relative_to(drawn_shapes))
        archive.writestr("../../outside.png", next(drawn_shapes.rglob("*.png")).read_bytes())
    screen.open()
    screen.widget("import_zip_*").locator("input[type=file]").set_input_files(malicious)
    error = screen.alerts().filter(has_text="outside.png")
    expect(error).to_be_visible(timeout=LONG_TIMEOUT_MS)
    expect(screen.widget("import_go").get_by_role("button")).to_be_disabled()
    screen.widget("import_zip_*").get_by_role("button", name="Remove malicious.zip").click()
    expect(screen.alerts()).to_have_count(0)
    screen.settle()
    screen.expect_no_exception()
    assert datasets_in(server.home) == []
    assert list(server.home.parent.rglob("outside.png")) == []
    assert list((server.home / "incoming").glob("*")) == []
