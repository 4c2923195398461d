"""The Explore page: selections and edits update the grid, and a link shows the same images."""

import re

import pytest
from playwright.sync_api import expect

from cfu_core.dataset.audit.filtering import Filter
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.edits import edit_log
from cfu_core.dataset.survey.survey import load_survey
from tests.browser.driving import in_two_forms

pytestmark = pytest.mark.browser
TABS = ("Classes", "Measures", "Map", "Audit", "History")


@pytest.fixture
def explore(screen, dataset):
    screen.open("explore", dataset=dataset.id)
    expect(screen.tiles()).to_have_count(36)
    return screen


def expect_count(screen, count: int) -> None:
    """Expect this number of images to pass the filter."""
    expect(screen.text(re.compile(rf"^{count} of \d+ images$"))).to_be_visible()
    screen.settle()


def plot(screen):
    """Return the part of the map that accepts drawing."""
    return screen.widget("map_*").locator(".nsewdrag")


def test_an_outline_on_the_map_filters_the_grid_and_is_part_of_the_url(explore, dataset, new_screen, server):
    explore.panel("Map")
    expect(plot(explore)).to_be_visible()
    box = plot(explore).bounding_box()
    mouse = explore.page.mouse
    # around the left half
    corners = [(0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98), (0.02, 0.02)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=12)
    mouse.up()
    expect(explore.button("area of the map")).to_be_visible()
    explore.settle()
    link = explore.query()
    points = load_survey(dataset).table.assign(path=dataset.images["path"])
    inside = int(Filter.from_params({"lasso": [link["lasso"]]}).mask(points).sum())
    assert 0 < inside < 36
    expect_count(explore, inside)
    expect(explore.tiles()).to_have_count(inside)
    other = new_screen(server)
    other.open("explore", **link)
    expect_count(other, inside)
    explore.button("area of the map").click()
    expect_count(explore, 36)


def test_the_map_shows_the_image_under_the_pointer(explore, dataset):
    explore.panel("Map")
    expect(plot(explore)).to_be_visible()
    box = plot(explore).bounding_box()
    picture = explore.page.locator(".hover img")
    across = [(x, y) for y in range(2, 19) for x in range(2, 19)]
    for x, y in across:
        explore.page.mouse.move(box["x"] + x * box["width"] / 20, box["y"] + y * box["height"] / 20)
        explore.page.wait_for_timeout(80)
        if picture.is_visible():
            break
    expect(picture).to_be_visible()
    path = picture.get_attribute("alt")
    row = dataset.images[dataset.images["path"] == path].iloc[0]
    expect(explore.page.locator(".hover span")).to_have_text(f"{row['label']} · {path.rpartition('/')[2]}")
    explore.page.mouse.move(box["x"] + box["width"] + 200, box["y"])
    expect(picture).to_be_hidden()


def test_a_bar_filters_the_grid(explore):
    bars = explore.page.locator(".stPlotlyChart .bars .point path")
    expect(bars).to_have_count(9)
    bar = bars.first.bounding_box()  # training images of the first class
    explore.page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    expect(explore.tiles().first).to_contain_text("Train")
    expect_count(explore, 8)
    assert (explore.query()["class"], explore.query()["partition"]) == ("disc", "training")


def test_relabel_undo_exclude(explore, dataset):
    explore.tiles().nth(0).click()
    explore.tiles().nth(2).click(modifiers=["Shift"])
    expect(explore.text("3 selected")).to_be_visible()
    explore.button("Change class").click()
    explore.page.get_by_role("combobox", name="New class").fill("ring")
    explore.page.get_by_role("option", name="ring", exact=True).last.click()
    explore.page.get_by_label("Your name").last.fill("Ada")
    explore.page.get_by_label("Reason").last.fill("hollow")
    explore.page.get_by_label("Reason").last.press("Enter")
    explore.page.get_by_test_id("stPopoverBody").get_by_role("button", name="Change class").click()
    expect(explore.button("Undo")).to_be_enabled()
    explore.settle()
    assert load_dataset(dataset.id).counts == {"disc": 9, "ring": 16, "square": 11}
    edit = edit_log(dataset.id)[-1]
    assert (edit.who, edit.why, len(edit.changes)) == ("Ada", "hollow", 3)

    explore.button("Undo").click()
    expect(explore.button("Redo")).to_be_enabled()
    explore.settle()
    assert load_dataset(dataset.id).counts == dataset.counts

    place = explore.button("Undo").bounding_box()
    explore.tiles().nth(5).click()
    expect(explore.text("1 selected")).to_be_visible()
    assert explore.button("Undo").bounding_box() == place  # no button moves
    explore.button("Exclude").click()
    explore.page.get_by_test_id("stPopoverBody").get_by_role("button", name="Exclude").click()
    expect(explore.tiles()).to_have_count(35)
    assert explore.button("Undo").bounding_box() == place
    explore.button("Undo").click()
    expect(explore.tiles()).to_have_count(36)


def test_a_view_is_saved_and_opened_by_a_link(explore, dataset, new_screen, server):
    explore.page.get_by_role("button", name="ring", exact=True).click()
    expect_count(explore, 13)
    explore.button("Views").click()
    explore.page.get_by_label("Name of this view").fill("Rings")
    explore.page.get_by_label("Name of this view").press("Enter")
    explore.button("Save this view").click()
    explore.settle()
    other = new_screen(server)
    other.open("explore", dataset=dataset.id, view="Rings")
    expect_count(other, 13)


def test_the_large_view_is_controlled_by_the_keyboard(explore, dataset):
    explore.tiles().nth(1).dblclick()
    picture = explore.page.locator("canvas[role=img]")
    paths = dataset.images["path"]
    expect(picture).to_have_attribute("aria-label", re.compile(re.escape(paths[1].rsplit("/", 1)[1])))
    assert explore.query()["image"] == paths[1]
    explore.page.keyboard.press("ArrowRight")
    expect(explore.text(paths[2]).first).to_be_visible()
    explore.page.keyboard.press("ArrowLeft")
    expect(explore.text(paths[1]).first).to_be_visible()
    explore.page.keyboard.press("Escape")
    expect(explore.tiles()).to_have_count(36)


@in_two_forms
def test_every_panel_is_accessible_and_fits(dataset, new_screen, server, scheme, width):
    screen = new_screen(server, width=width, color_scheme=scheme)
    screen.open("explore", dataset=dataset.id)
    for name in TABS:
        screen.panel(name)
        screen.expect_no_exception()
        screen.expect_accessible()
    screen.tiles().first.dblclick()
    expect(screen.page.locator("canvas[role=img]")).to_be_visible()
    screen.expect_accessible()


def test_closing_the_large_view_keeps_panel_order_and_size(explore):
    errors = []
    explore.page.on("pageerror", lambda error: errors.append(str(error)))
    explore.panel("Measures")
    explore.select("measure", "Brightness")
    explore.select("sort", "Brightness")
    explore.widget("down").locator("label").first.click()
    expect(explore.page).to_have_url(re.compile("down=True"))  # a rerun would undo a key that is pressed meanwhile
    for value in (136, 140, 144):
        explore.press("tile", "ArrowRight")
        expect(explore.page).to_have_url(re.compile(f"tile={value}"))
    expect(explore.text("144")).to_be_visible()  # 132, and three steps of 4
    first = explore.tiles().first.inner_text()
    explore.tiles().nth(2).dblclick()
    explore.button("Back to all images").click()
    expect(explore.tiles()).to_have_count(36)
    explore.settle()
    assert explore.tiles().first.inner_text() == first
    panel = explore.page.get_by_role("radiogroup", name="Panel").get_by_role("radio", name="Measures", exact=True)
    expect(panel).to_have_attribute("aria-checked", "true")
    for key in ("sort", "measure"):
        expect(explore.selected(key)).to_have_value("Brightness")
    expect(explore.widget("down").locator("input")).to_be_checked()
    expect(explore.text("144")).to_be_visible()
    assert errors == []
