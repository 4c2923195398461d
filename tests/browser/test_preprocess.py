"""Preprocess: the picture is updated during a drag; presets, the colony box, the accuracy estimate."""

import re

import pytest
from playwright.sync_api import expect

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.edits import edit_log
from cfu_core.job import State
from cfu_core.jobs.queue import all_jobs
from tests.browser.driving import LONG_TIMEOUT_MS, in_two_forms

pytestmark = pytest.mark.browser
PANELS = ("Numbers", "What if", "Other methods", "The crop", "Augmentation", "Accuracy", "Whole dataset")


@pytest.fixture
def preprocess(screen, dataset):
    screen.open("preprocess", dataset=dataset.id, crop="False")
    expect(screen.slider("Clip limit")).to_be_visible()
    return screen


def test_the_picture_changes_while_the_clip_slider_is_dragged(preprocess):
    slider = preprocess.slider("Clip limit")
    before = preprocess.enhanced()
    box = slider.bounding_box()
    mouse = preprocess.page.mouse
    mouse.move(box["x"] + 0.05 * box["width"], box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2, steps=5)
    halfway = preprocess.expect_enhanced_other_than(before)
    mouse.move(box["x"] + 0.95 * box["width"], box["y"] + box["height"] / 2, steps=5)
    preprocess.expect_enhanced_other_than(before, halfway)
    assert "clip" not in preprocess.query()  # the mouse button is still pressed
    mouse.up()
    expect(preprocess.text(re.compile(r"CLAHE \(clip (2\d|3\d|40),"))).to_be_visible()
    preprocess.settle()
    assert float(preprocess.query()["clip"]) > 25


def test_a_preset_moves_the_slider_and_the_picture(preprocess):
    before = preprocess.enhanced()
    preprocess.button("OpenCV").click()
    expect(preprocess.slider("Clip limit")).to_have_attribute("aria-valuetext", "40")
    preprocess.expect_enhanced_other_than(before)
    expect(preprocess.text("CLAHE (clip 40, 8 × 8 tiles)")).to_be_visible()


def test_a_link_sets_the_sliders(screen, dataset):
    screen.open("preprocess", dataset=dataset.id, clip="7.5", tiles="3")
    expect(screen.slider("Clip limit")).to_have_attribute("aria-valuetext", "7.5")
    expect(screen.slider("Tiles per side")).to_have_value("3")


def test_the_colony_box_is_dragged_and_saved(preprocess, dataset):
    path = dataset.images["path"].iat[0]
    preprocess.panel("The crop")
    handle = preprocess.page.get_by_role("button", name="Move the box")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    mouse = preprocess.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2, steps=5)
    mouse.up()
    expect(preprocess.button("Reset to the automatic box")).to_be_enabled()
    expect(preprocess.page.get_by_role("group", name=re.compile("^Set by hand: left "))).to_be_visible()
    saved = load_dataset(dataset.id)
    assert [edit.kind for edit in edit_log(dataset.id)] == ["box"]
    assert saved.images["path"].iat[0] == path
    assert saved.box(0) is not None
    preprocess.button("Reset to the automatic box").click()
    expect(preprocess.button("Reset to the automatic box")).to_be_disabled()
    assert load_dataset(dataset.id).box(0) is None


def test_the_accuracy_of_the_current_settings_is_estimated_and_can_be_stopped(preprocess, dataset):
    preprocess.panel("Accuracy")
    preprocess.choose("train_weights", "Random")
    estimate = preprocess.button("Estimate accuracy with these settings")
    estimate.click()
    preprocess.button("Stop").click()
    expect(estimate).to_be_visible(timeout=LONG_TIMEOUT_MS)
    estimate.click()
    expect(preprocess.text(re.compile(r"points \(95 % interval"))).to_be_visible(timeout=LONG_TIMEOUT_MS)
    expect(preprocess.text(re.compile("weights are random"))).to_be_visible()
    states = [job.status().state for job in all_jobs() if job.kind == "estimate" and job.spec["dataset"] == dataset.id]
    assert states == [State.STOPPED, State.FINISHED]
    preprocess.expect_no_exception()


@in_two_forms
def test_every_panel_is_accessible_and_fits(dataset, new_screen, server, scheme, width):
    screen = new_screen(server, width=width, color_scheme=scheme)
    screen.open("preprocess", dataset=dataset.id, tiles="4")
    for name in PANELS:
        screen.panel(name)
        screen.expect_no_exception()
        screen.expect_accessible()
