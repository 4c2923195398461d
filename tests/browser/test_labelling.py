"""Images get their classes by keys, in the grid and in the large view, as fast as a person types."""

import re
import time

import pytest
from playwright.sync_api import expect

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.edits import LONGEST_NAME, edit_dataset
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import survey
from tests.browser.driving import TIMEOUT_MS

pytestmark = pytest.mark.browser

REFUSING_APP = """
import streamlit as st

from pages.components.browser.tiles import Tile, tiles

state = st.session_state
state.setdefault("refused", 0)


def refuse(labels):
    state.refused += 1
    return False


tiles([Tile(id="a", picture=b"", title="no class")], key="grid", label_keys={"1": "disc"}, on_label=refuse)
st.write(f"{state.refused} refused")
"""


@pytest.fixture
def unlabelled(server, drawn_shapes, monkeypatch, request) -> Dataset:
    """36 drawn shapes, of which only the first disc and the first ring have a class."""
    monkeypatch.setenv("CFU_HOME", str(server.home))
    data = import_source(drawn_shapes, name=request.node.name, layout=LayoutChoice(unlabelled=True))
    survey(data)
    first = {name: next(path for path in data.images["path"] if path.startswith(name)) for name in ("disc", "ring")}
    return edit_dataset(data.id, "relabel", {path: name for name, path in first.items()})


@pytest.fixture
def explore(screen, unlabelled):
    screen.open("explore", dataset=unlabelled.id)
    expect(screen.tiles()).to_have_count(36)
    screen.settle()
    return screen


def expect_labels(screen, dataset: Dataset, wanted: dict[str, str]) -> None:
    """Wait until the images have these classes on disk."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        images = load_dataset(dataset.id).images
        found = {path: label for path, label in zip(images["path"], images["label"], strict=True) if path in wanted}
        if found == wanted:
            return
        assert time.monotonic() < deadline, found
        screen.page.wait_for_timeout(100)


def test_labels_are_kept_however_fast_they_are_typed(explore, unlabelled):
    expect(explore.text("1 or D disc · 2 or R ring")).to_be_visible()
    paths = unlabelled.images["path"].tolist()
    explore.tiles().nth(1).focus()
    keys = "1212rrdd12"
    for key in keys:
        explore.page.keyboard.press(key)
    names = {"1": "disc", "d": "disc", "2": "ring", "r": "ring"}
    expect_labels(explore, unlabelled, {path: names[key] for path, key in zip(paths[1:], keys, strict=False)})
    expect(explore.text(re.compile("^24 images have no class yet"))).to_be_visible()
    explore.tiles().nth(20).click()
    explore.tiles().nth(21).click()
    explore.page.keyboard.press("2")
    expect_labels(explore, unlabelled, dict.fromkeys(paths[20:22], "ring"))
    explore.settle()
    explore.button("Undo").click()
    expect_labels(explore, unlabelled, dict.fromkeys(paths[20:22], ""))
    explore.expect_no_exception()


def test_selections_are_labelled_one_after_another_without_a_pause(explore, unlabelled):
    paths = unlabelled.images["path"].tolist()
    wanted = {}
    for first, key, name in ((20, "2", "ring"), (23, "d", "disc"), (26, "r", "ring"), (29, "1", "disc")):
        explore.tiles().nth(first).click()
        explore.tiles().nth(first + 1).click()
        explore.page.keyboard.press(key)
        wanted |= dict.fromkeys(paths[first : first + 2], name)
    expect_labels(explore, unlabelled, wanted)
    explore.settle()
    assert len(load_dataset(unlabelled.id).edits) <= 5  # each label once, besides the edit of the fixture
    expect(explore.text(re.compile("^26 images have no class yet"))).to_be_visible()
    explore.expect_no_exception()


def test_a_tile_shows_its_class_again_after_a_refused_label(new_server, new_screen):
    screen = new_screen(new_server(app=REFUSING_APP))
    screen.open()
    title = screen.tiles().first.locator(".title")
    screen.tiles().first.focus()
    for refused in (1, 2):
        screen.page.keyboard.press("1")
        expect(screen.text(f"{refused} refused")).to_be_visible()
        expect(title).to_have_text("no class")
    screen.expect_no_exception()


def test_a_refused_label_is_reported_and_does_not_open_the_next_image(explore, unlabelled):
    title = explore.tiles().nth(5).locator(".title")
    expect(title).to_have_text("no class")
    field = explore.widget("label_choice_*").get_by_role("combobox")
    field.fill("q" * (LONGEST_NAME + 1))
    field.press("Enter")
    expect(explore.text(re.compile("3 or Q qqq"))).to_be_visible()
    field.press("Escape")  # closes the list of options
    explore.settle()
    explore.tiles().nth(5).focus()
    explore.page.keyboard.press("q")
    expect(explore.alerts().filter(has_text="characters").first).to_be_visible()
    expect(title).to_have_text("no class")
    assert load_dataset(unlabelled.id).unlabelled == 34
    explore.settle()
    explore.tiles().nth(5).dblclick()  # in the large view a refused label does not open the next image
    expect(explore.page.locator("canvas[role=img]")).to_be_visible()
    explore.settle()
    image = explore.query()["image"]
    explore.page.keyboard.press("q")
    expect(explore.alerts().filter(has_text="characters").first).to_be_visible()
    explore.settle()
    assert explore.query()["image"] == image
    explore.expect_no_exception()


def test_keys_of_classes_do_not_reach_the_shortcuts_of_streamlit(explore, unlabelled):
    explore.page.evaluate("document.addEventListener('keydown', (event) => (window.reached = event.key))")
    paths = unlabelled.images["path"].tolist()
    explore.tiles().nth(1).focus()
    explore.page.keyboard.press("r")  # in Streamlit: run the script again
    expect_labels(explore, unlabelled, {paths[1]: "ring"})
    explore.settle()
    explore.tiles().nth(2).dblclick()
    name = re.compile(re.escape(paths[2].rsplit("/", 1)[1]))
    expect(explore.page.locator("canvas[role=img]")).to_have_attribute("aria-label", name)
    explore.settle()
    explore.button("Undo").focus()  # outside the view
    explore.page.keyboard.press("r")
    expect_labels(explore, unlabelled, {paths[2]: "ring"})
    assert explore.page.evaluate("window.reached") is None


def test_the_large_view_labels_and_goes_on_to_the_next_image(explore, unlabelled):
    explore.button("Show what to label next").click()
    explore.settle()
    expect(explore.tiles()).to_have_count(34)
    order = explore.tiles().evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    assert order != sorted(order)  # by the map, not by name
    explore.tiles().nth(0).dblclick()
    picture = explore.page.locator("canvas[role=img]")
    for path, key in zip(order, "2d", strict=False):
        expect(picture).to_have_attribute("aria-label", re.compile(re.escape(path.rsplit("/", 1)[1])))
        expect(explore.text(path).first).to_be_visible()
        explore.settle()
        explore.page.keyboard.press(key)
    expect_labels(explore, unlabelled, {order[0]: "ring", order[1]: "disc"})
    explore.settle()
    assert explore.query()["image"] not in order[:2]
    explore.expect_no_exception()


def test_a_new_class_is_typed_and_gets_a_key(explore, unlabelled):
    field = explore.widget("label_choice_*").get_by_role("combobox")
    field.fill("square")
    field.press("Enter")
    expect(explore.text("1 or D disc · 2 or R ring · 3 or S square")).to_be_visible()
    field.press("Escape")  # closes the list of options
    explore.settle()
    explore.expect_accessible()
    last = unlabelled.images["path"].iloc[-1]
    explore.tiles().last.focus()
    explore.page.keyboard.press("s")
    expect_labels(explore, unlabelled, {last: "square"})
