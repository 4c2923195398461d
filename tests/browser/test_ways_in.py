"""The demo and its cancellation; an upload that wants to break out."""

import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.driving import WORK_MS

pytestmark = pytest.mark.browser


def datasets_in(home) -> list[str]:
    return sorted(path.parent.name for path in (home / "datasets").glob("*/dataset.json"))


def test_the_demo_can_be_cancelled_and_leaves_nothing_behind(server, screen):
    screen.open()
    screen.widget("demo_button").get_by_role("button").click()
    expect(screen.text("Demo dataset").first).to_be_visible()
    expect(screen.progress()).to_have_count(1)
    expect(screen.progress()).to_contain_text("of 728", timeout=WORK_MS)
    screen.widget("cancel-*").get_by_role("button").click()
    expect(screen.alerts().filter(has_text="Stopped on request.")).to_be_visible(timeout=WORK_MS)
    expect(screen.progress()).to_have_count(0)
    screen.widget("dismiss_import").get_by_role("button").click()
    expect(screen.alerts()).to_have_count(0)
    expect(screen.widget("demo_button")).to_have_count(1)  # while the page moves up there are two
    expect(screen.widget("demo_button").get_by_role("button")).to_be_enabled()
    screen.expect_no_exception()
    assert datasets_in(server.home) == []
    assert list((server.home / "demo").glob("*")) == []


def test_a_zip_that_reaches_outside_is_refused(server, screen, drawn_shapes, tmp_path):
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w") as archive:
        for image in sorted(drawn_shapes.rglob("*.png")):
            archive.write(image, image.relative_to(drawn_shapes))
        archive.writestr("../../outside.png", next(drawn_shapes.rglob("*.png")).read_bytes())
    screen.open()
    screen.upload(hostile)
    refusal = screen.alerts().filter(has_text="outside.png")
    expect(refusal).to_be_visible(timeout=WORK_MS)
    screen.settle()
    screen.expect_no_exception()
    assert datasets_in(server.home) == []
    assert list(server.home.parent.rglob("outside.png")) == []
    assert list((server.home / "incoming").glob("*")) == []
