"""Sliders whose picture is updated during a drag, in a small app.

The picture before is grey 100. The one after is grey 100 + level, so that its colour shows the value from which it was
computed.
"""

import re
from itertools import pairwise

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.driving import Screen, Server, in_two_forms

pytestmark = pytest.mark.browser

APP = """
import time

import cv2
import numpy as np
import streamlit as st

from pages.components.browser.live import Control, dragging, live, live_values

LEVEL = Control(key="level", label="Level", help="Grey added.", minimum=0, maximum=100, step=1, default=10)
GAIN = Control(key="gain", label="Gain", minimum=0.1, maximum=40.0, step=0.1, default=2.0)
GAMMA = Control(key="gamma", label="Gamma", minimum=0.2, maximum=5.0, step=0.1, default=1.0, logarithmic=True)
WIDTH, HEIGHT, TILES = 128, 129, 8

state = st.session_state
state.runs = state.get("runs", 0) + 1


def grey(level):
    return cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), level, np.uint8))[1].tobytes()


@st.fragment
def workbench(controls):
    values = live_values("live", controls)
    if "slow" in st.query_params:
        time.sleep(0.15)
    live(
        controls,
        values,
        before=grey(100) + bytes(200_000),
        after=grey(100 + values["level"]),
        size=(WIDTH, HEIGHT),
        tiles=TILES if GAIN in controls else None,
        caption_after="Enhanced",
        key="live",
    )
    st.write("values:", " ".join(f"{name}={value!r}" for name, value in values.items()))
    st.write("the slider", "is dragged" if dragging("live") else "rests")


st.set_page_config(layout="wide")
with st.container(horizontal=True):
    st.button("Strong", on_click=lambda: state.update(level=50))
    st.button("Too strong", on_click=lambda: state.update(level=5000))
    other = st.toggle("Other controls")
    away = st.toggle("Away")
    lower = st.toggle("Lower")
if lower:
    st.write("It is below.")
with st.container(border=lower):
    if not away:
        workbench((LEVEL, GAMMA) if other else (LEVEL, GAIN))
st.write("runs:", state.runs)
"""

COLOURS = """canvases => canvases.map(canvas => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d")
    copy.drawImage(canvas, 0, 0)
    return [...copy.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].join(" ")
})"""


@pytest.fixture(scope="module")
def app(new_server) -> Server:
    """The small app on its own server."""
    return new_server(app=APP)


@pytest.fixture
def screen(app, new_screen) -> Screen:
    """A window with the live view."""
    screen = new_screen(app)
    screen.open()
    expect_pictures(screen, 100, 110)
    return screen


@pytest.fixture
def slow(app, new_screen) -> Screen:
    """As `screen`, but each picture takes a while."""
    screen = new_screen(app)
    screen.open(slow="1")
    expect_pictures(screen, 100, 110)
    return screen


def pictures(screen: Screen) -> Locator:
    return screen.page.locator(".live canvas")


def expect_pictures(screen: Screen, *greys: int) -> None:
    """Wait until the two pictures show these greys."""
    wanted = [f"{grey} {grey} {grey} 255" for grey in greys]
    expect(pictures(screen)).to_have_count(2)
    screen.page.wait_for_function(
        f"wanted => JSON.stringify(({COLOURS})([...document.querySelectorAll('.stBidiComponent *')]"
        ".flatMap(e => [...(e.shadowRoot?.querySelectorAll('canvas') ?? [])]))) === JSON.stringify(wanted)",
        arg=wanted,
    )


def slider(screen: Screen, name: str = "Level") -> Locator:
    return screen.page.get_by_role("slider", name=name, exact=True)


def field(screen: Screen, name: str = "Level") -> Locator:
    return screen.page.get_by_role("spinbutton", name=f"{name}, as a number")


def view(screen: Screen, name: str) -> None:
    screen.page.get_by_role("radio", name=name, exact=True).check()


def expect_text(screen: Screen, text: str) -> None:
    """Wait for a text that the script writes."""
    expect(screen.text(text)).to_be_visible()


def hold(screen: Screen, at: float) -> tuple[float, float, float]:
    """Press the mouse on the slider at this fraction of its length; return its left edge, its width and its middle."""
    screen.settle()
    box = slider(screen).bounding_box()
    left, width, middle = box["x"], box["width"], box["y"] + box["height"] / 2
    screen.page.mouse.move(left + at * width, middle)
    screen.page.mouse.down()
    expect(slider(screen)).to_be_focused()
    return left, width, middle


# --- dragging


def test_the_picture_follows_while_the_slider_is_dragged(screen):
    left, width, middle = hold(screen, 0.3)
    for share in (0.4, 0.6, 0.8):
        screen.page.mouse.move(left + share * width, middle)
        level = int(slider(screen).input_value())
        assert abs(level - 100 * share) <= 3
        expect_pictures(screen, 100, 100 + level)  # the mouse button is still pressed
        expect_text(screen, "the slider is dragged")
    screen.page.mouse.up()
    expect_text(screen, "the slider rests")
    expect_text(screen, f"values: level={level} gain=2.0")
    expect_text(screen, "runs: 1")  # of the whole script: only the fragment has run again


def test_requests_are_sent_one_at_a_time_and_the_last_value_is_sent(app, new_screen):
    screen = new_screen(app)
    frames: list[str] = []

    def listen(socket):
        socket.on("framesent", lambda payload: frames.append("request"))
        socket.on("framereceived", lambda payload: frames.append("picture") if b"\x89PNG" in payload else None)

    screen.page.on("websocket", listen)
    screen.open(slow="1")
    expect_pictures(screen, 100, 110)
    left, width, middle = hold(screen, 0.2)
    frames.clear()
    levels = []
    for step in range(40):
        screen.page.mouse.move(left + (0.2 + 0.015 * step) * width, middle)
        levels.append(int(slider(screen).input_value()))
    screen.page.mouse.up()
    assert levels == sorted(levels), "an answer moved the slider back"
    expect_text(screen, f"values: level={levels[-1]} gain=2.0")
    expect_text(screen, "the slider rests")
    expect_pictures(screen, 100, 100 + levels[-1])
    assert 2 <= frames.count("request") < 20
    assert all(pair != ("request", "request") for pair in pairwise(frames))


def test_a_picture_that_the_browser_has_is_not_sent_again(app, new_screen):
    screen = new_screen(app)
    sizes: list[int] = []
    screen.page.on("websocket", lambda socket: socket.on("framereceived", lambda payload: sizes.append(len(payload))))
    screen.open()
    expect_pictures(screen, 100, 110)
    assert max(sizes) > 200_000
    slider(screen).press("ArrowRight")
    expect_pictures(screen, 100, 111)
    sizes.clear()
    slider(screen).press("ArrowRight")
    expect_pictures(screen, 100, 112)
    assert max(sizes) < 100_000


def test_arrow_keys_move_a_slider_by_its_step(screen):
    slider(screen).press("ArrowRight")
    expect_pictures(screen, 100, 111)
    slider(screen, "Gain").press("ArrowLeft")
    expect_text(screen, "values: level=11 gain=1.9")
    slider(screen).press("Home")
    expect_pictures(screen, 100, 100)
    expect_text(screen, "values: level=0 gain=1.9")
    expect_text(screen, "the slider rests")


def test_a_key_that_is_held_down_counts_as_a_drag(screen):
    slider(screen).focus()
    for _ in range(4):
        screen.page.keyboard.down("ArrowRight")
    expect_text(screen, "the slider is dragged")
    expect_pictures(screen, 100, 114)
    screen.page.keyboard.up("ArrowRight")
    expect_text(screen, "the slider rests")
    expect_text(screen, "values: level=14 gain=2.0")


def test_the_number_field_takes_exact_values_within_the_limits(screen):
    field(screen, "Gain").fill("2.37")
    expect_text(screen, "values: level=10 gain=2.37")
    field(screen, "Gain").fill("99")
    field(screen, "Gain").press("Enter")
    expect_text(screen, "values: level=10 gain=40.0")
    expect(field(screen, "Gain")).to_have_value("40")
    expect(slider(screen, "Gain")).to_have_value("40")
    field(screen).fill("7.6")
    field(screen).press("Enter")
    expect_text(screen, "values: level=8 gain=40.0")  # whole numbers only
    field(screen).fill("")
    slider(screen).focus()
    expect(field(screen)).to_have_value("8")


def test_each_slider_is_reset_to_its_default(screen):
    slider(screen).press("End")
    expect_pictures(screen, 100, 200)
    slider(screen, "Gain").press("End")
    expect_text(screen, "values: level=100 gain=40.0")
    screen.button("Reset Level to 10").click()
    expect_pictures(screen, 100, 110)
    expect_text(screen, "values: level=10 gain=40.0")
    expect(field(screen)).to_have_value("10")


# --- values set by Python


def test_a_value_set_by_python_moves_the_slider_which_can_still_be_used(screen):
    for _ in range(2):  # the second time Python sets the same value again
        screen.button("Strong").first.click()
        expect_pictures(screen, 100, 150)
        expect(slider(screen)).to_have_value("50")
        expect(field(screen)).to_have_value("50")
        slider(screen).press("ArrowRight")
        expect_pictures(screen, 100, 151)
        expect_text(screen, "values: level=51 gain=2.0")
    screen.button("Too strong").click()
    expect_text(screen, "values: level=100 gain=2.0")
    expect(slider(screen)).to_have_value("100")


def test_a_value_that_python_sets_while_the_slider_is_dragged(slow):
    left, width, middle = hold(slow, 0.2)
    slow.page.mouse.move(left + 0.3 * width, middle)
    slow.button("Strong").first.dispatch_event("click")
    expect(slider(slow)).to_have_value("50")
    expect_pictures(slow, 100, 150)
    slow.page.mouse.move(left + 0.7 * width, middle)
    slow.page.mouse.up()
    level = int(slider(slow).input_value())
    assert level > 60
    expect_text(slow, f"values: level={level} gain=2.0")
    expect_pictures(slow, 100, 100 + level)


def test_the_controls_may_change(screen):
    slider(screen).press("End")
    slider(screen, "Gain").press("End")
    expect_text(screen, "values: level=100 gain=40.0")
    toggle = screen.page.get_by_text("Other controls")
    toggle.click()
    expect_text(screen, "values: level=100 gamma=1.0")
    expect(slider(screen, "Gain")).to_have_count(0)
    expect(screen.page.get_by_label("Show tiles")).to_be_hidden()
    slider(screen, "Gamma").press("ArrowRight")
    expect_text(screen, "values: level=100 gamma=1.1")
    toggle.click()
    expect_text(screen, "values: level=100 gain=40.0")
    expect(slider(screen, "Gain")).to_have_value("40")


def test_a_logarithmic_slider(screen):
    screen.page.get_by_text("Other controls").click()
    gamma = slider(screen, "Gamma")
    box = gamma.bounding_box()
    gamma.click(position={"x": box["width"] / 2, "y": box["height"] / 2})  # the middle of 0.2 and 5 is their mean, 1
    expect_text(screen, "values: level=10 gamma=1.0")
    for share, least, most in ((0.25, 0.4, 0.5), (0.75, 2.0, 2.5)):  # 0.447 and 2.236
        gamma.click(position={"x": share * box["width"], "y": box["height"] / 2})
        expect(screen.text(re.compile(r"values: level=10 gamma=(0\.4\d|2\.[1-4])$"))).to_be_visible()
        assert least <= float(field(screen, "Gamma").input_value()) <= most
        expect(gamma).to_have_attribute("aria-valuetext", field(screen, "Gamma").input_value())
    field(screen, "Gamma").fill("0.99")
    for key, value in (("ArrowRight", 1.0), ("ArrowRight", 1.1), ("ArrowLeft", 1.0), ("ArrowLeft", 0.99)):
        gamma.press(key)
        expect_text(screen, f"values: level=10 gamma={value}")
    gamma.press("End")
    expect_text(screen, "values: level=10 gamma=5.0")
    gamma.press("ArrowRight")
    expect_text(screen, "values: level=10 gamma=5.0")
    gamma.press("Home")
    expect_text(screen, "values: level=10 gamma=0.2")


# --- the view is removed and shown again


def test_values_pictures_and_view_outlive_the_absence_of_the_component(screen):
    slider(screen).press("End")
    view(screen, "Side by side")
    expect_text(screen, "values: level=100 gain=2.0")
    screen.page.get_by_text("Away").click()
    expect(pictures(screen)).to_have_count(0)
    screen.page.get_by_text("Away").click()
    expect_pictures(screen, 100, 200)
    expect(slider(screen)).to_have_value("100")
    expect(screen.page.get_by_role("radio", name="Side by side")).to_be_checked()
    slider(screen).press("ArrowLeft")
    expect_pictures(screen, 100, 199)


def test_the_component_may_move_on_the_page(screen):
    slider(screen).press("ArrowRight")
    expect_text(screen, "values: level=11 gain=2.0")
    screen.page.get_by_text("Lower").click()
    expect_text(screen, "It is below.")
    screen.settle()
    expect_pictures(screen, 100, 111)
    slider(screen).press("ArrowRight")
    expect_pictures(screen, 100, 112)


def test_the_view_is_kept_after_a_reload_of_the_page(screen):
    view(screen, "Difference")
    screen.page.get_by_label("Show tiles").check()
    screen.reload()
    expect_pictures(screen, 100, 110)
    expect(screen.page.get_by_role("radio", name="Difference")).to_be_checked()
    expect(screen.page.get_by_label("Show tiles")).to_be_checked()


# --- views


def shown_at(screen: Screen, across: float) -> tuple[int, ...]:
    """Return the colour on the screen at this fraction of the stage's width, three quarters down."""
    shot = cv2.imdecode(np.frombuffer(screen.page.locator(".live .stage").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    height, width = shot.shape[:2]
    return tuple(int(channel) for channel in shot[3 * height // 4, int(across * (width - 1))])


def grey(level: int) -> tuple[int, ...]:
    return (level,) * 3


def test_a_curtain_with_a_divider_that_keys_and_mouse_move(screen):
    divider = slider(screen, "Divider")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    assert [shown_at(screen, x) for x in (0.05, 0.45, 0.55, 0.95)] == [grey(100)] * 2 + [grey(110)] * 2
    for _ in range(2):
        divider.press("PageUp")
    divider.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "68")
    expect(divider).to_have_attribute("aria-valuetext", "68 % Before, the rest Enhanced")
    assert [shown_at(screen, x) for x in (0.6, 0.75)] == [grey(100), grey(110)]
    box = screen.page.locator(".live .stage").bounding_box()
    screen.page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 20)
    screen.page.mouse.down()
    screen.page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 40)
    screen.page.mouse.up()
    screen.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 40)
    expect(divider).to_have_attribute("aria-valuenow", "20")
    assert [shown_at(screen, x) for x in (0.15, 0.25)] == [grey(100), grey(110)]


def test_side_by_side_difference_and_after(screen):
    view(screen, "Side by side")
    assert [shown_at(screen, x) for x in (0.25, 0.75)] == [grey(100), grey(110)]
    before, after = pictures(screen).all()
    assert before.bounding_box()["width"] == after.bounding_box()["width"]
    assert before.bounding_box()["y"] == after.bounding_box()["y"]
    view(screen, "Difference")
    assert shown_at(screen, 0.5) == grey(40)  # four times 110 - 100
    expect(screen.page.get_by_text("Absolute difference, × 4")).to_be_visible()
    view(screen, "After")
    assert shown_at(screen, 0.5) == grey(110)
    expect(screen.page.locator(".caption", has_text="Enhanced")).to_be_visible()
    expect(screen.page.locator(".caption", has_text="Before")).to_be_hidden()


def test_the_grid_shows_the_tiles_as_they_are(screen):
    grid = screen.page.locator(".after .grid")
    expect(grid).to_be_hidden()
    screen.page.get_by_label("Show tiles").check()
    expect(grid).to_be_visible()
    lines = grid.locator(".light").get_attribute("d")
    # 128 x 129 pixels do not divide into 8 x 8: OpenCV pads them to 136 x 136
    places = [17, 34, 51, 68, 85, 102, 119]
    assert re.findall(r"M(\d+) 0V129", lines) == [str(x) for x in places]
    assert re.findall(r"M0 (\d+)H128", lines) == [str(y) for y in places]


@in_two_forms
def test_every_view_is_accessible_and_fits(app, new_screen, scheme, width):
    screen = new_screen(app, width=width, color_scheme=scheme)
    screen.open()
    expect_pictures(screen, 100, 110)
    screen.page.get_by_label("Show tiles").check()
    for name in ("Curtain", "Side by side", "Difference", "After"):
        view(screen, name)
        main = screen.page.get_by_test_id("stMain")
        assert main.evaluate("e => e.scrollWidth <= e.clientWidth"), name
        stage = screen.page.locator(".live .stage").bounding_box()
        assert stage["height"] <= 1000
        found = Axe().run(screen.page, context=".stBidiComponent").response["violations"]
        assert not found, [(v["id"], [n["html"] for n in v["nodes"]]) for v in found]
    slider(screen).focus()
    screen.page.keyboard.press("Shift+Tab")
    expect(screen.button("About Level")).to_be_focused()
    expect(screen.page.get_by_role("tooltip")).to_have_text("Grey added.")
    expect(screen.page.get_by_role("tooltip")).to_be_visible()
    screen.page.keyboard.press("Escape")
    expect(screen.page.get_by_role("tooltip")).to_be_hidden()
    screen.page.keyboard.press("Tab")
    expect(slider(screen)).to_be_focused()
