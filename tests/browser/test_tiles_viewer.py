"""The tile grid and the large view, in a small app."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.driving import TIMEOUT_MS, Screen, Server

pytestmark = pytest.mark.browser

APP = """
import cv2
import numpy as np
import streamlit as st

from cfu_core.imaging.cropping import Box
from pages.components.browser.boxes import MarkedBox
from pages.components.browser.tiles import Tile, select, selection, tiles
from pages.components.browser.viewer import viewer

state = st.session_state
state.runs = state.get("runs", 0) + 1
NAMES = [f"plate/{i:02d}.png" for i in range(12)]
WARNING = "The same file is in two partitions."


def picture(number, width, height):
    image = np.full((height, width, 3), (200, 180, 20 * number), np.uint8)  # BGR
    image[height // 2 :, : width // 2] = (10, 20, 30)
    return cv2.imencode(".png", image)[1].tobytes()


def tile(number):
    return Tile(
        id=NAMES[number],
        picture=b"" if number == 5 else picture(number, 64, 48),
        title="CFU-GM",
        subtitle=f"{number:02d}.png",
        badge="Train",
        warning=WARNING if number == 1 else "",
        excluded=NAMES[number] in state.setdefault("excluded", {NAMES[4]}),
    )


def exclude():
    state.excluded |= set(selection("grid"))
    select([], key="grid")


def step(by):
    state.at += by


def save(box):
    state.boxes[state.at] = box


st.set_page_config(layout="wide")
shown = st.query_params.get("show", "tiles")
with st.container(horizontal=True):
    st.button("Again")
    st.button("Clear", on_click=select, args=([],), kwargs={"key": "grid"})
    st.button("Exclude", on_click=exclude)
    second = st.toggle("Second page")
    away = st.toggle("Away")
    st.text_input("Words")
if shown == "tiles" and not away:
    result = tiles([tile(i) for i in (range(6, 12) if second else range(8))], key="grid", size=150)
    st.write("chosen:", " ".join(name[6:8] for name in result.selected) or "none", f"unseen: {result.unseen}")
    if result.opened:
        state.opened = result.opened
    st.write("opened:", state.get("opened", "none"))
elif shown == "empty":
    tiles([], key="grid")
elif shown == "both":
    if "large" in state:
        number = NAMES.index(state.large)
        viewer(
            picture(number, 400, 300),
            path=state.large,
            mime="image/png",
            key="one",
            on_step=lambda by: state.update(large=NAMES[number + by]),
            on_close=lambda: state.pop("large"),
        )
    else:
        tiles([tile(i) for i in range(8)], key="all", on_open=lambda name: state.update(large=name))
elif shown == "broken":
    viewer(b"II*no picture", path=NAMES[0], mime="image/tiff", key="large", editable=True)
elif shown == "viewer" and not away:
    state.setdefault("at", 1)
    boxes = state.setdefault("boxes", {1: Box(100, 80, 200, 180)})
    mine = boxes.get(state.at)
    viewer(
        picture(state.at, 400, 300),
        path=NAMES[state.at],
        mime="image/png",
        key="large",
        boxes=[MarkedBox(mine)] if mine else [],
        editable=True,
        place=f"{state.at + 1} of 3",
        has_previous=state.at > 0,
        has_next=state.at < 2,
        height=420,
        on_step=step,
        on_box=save,
        on_close=lambda: state.update(closed=state.get("closed", 0) + 1),
    )
    st.write("box:", " ".join(map(str, mine)) if mine else "none")
    st.write("closed:", state.get("closed", 0))
st.write("runs:", state.runs)
"""


@pytest.fixture(scope="module")
def app(new_server) -> Server:
    """The small app on its own server."""
    return new_server(app=APP)


@pytest.fixture(scope="module")
def window(app, browser) -> Iterator[Screen]:
    """One window for all tests: opening an address starts a new session, faster than a new window."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    yield Screen(page, app.url)
    context.close()


@pytest.fixture
def screen(window) -> Screen:
    window.page.set_viewport_size({"width": 1440, "height": 1000})
    window.page.emulate_media(color_scheme="light")
    window.page.mouse.move(0, 0)
    return window


@pytest.fixture
def grid(screen) -> Screen:
    screen.open(show="tiles")
    expect(tile(screen, 0)).to_be_visible()
    return screen


@pytest.fixture
def large(screen) -> Screen:
    """The large view of the second of three images of 400 × 300 pixels, at true size."""
    screen.open(show="viewer")
    expect_image(screen, "01.png")
    screen.page.keyboard.press("1")
    expect(zoom(screen)).to_have_text("100 %")
    return screen


def tile(screen: Screen, index: int) -> Locator:
    return screen.page.get_by_role("option").nth(index)


def expect_text(screen: Screen, text: str) -> None:
    """Wait for a text that the script writes."""
    expect(screen.text(text)).to_be_visible()


def runs(screen: Screen) -> int:
    screen.settle()
    return int(screen.text(re.compile(r"^runs: \d+$")).inner_text().split()[1])


def selected(screen: Screen) -> Locator:
    return screen.page.locator("[role=option][aria-selected=true]")


def picture(screen: Screen) -> Locator:
    return screen.page.locator("canvas[role=img]")


def expect_image(screen: Screen, name: str) -> None:
    expect(picture(screen)).to_have_attribute("aria-label", f"{name}, 400 × 300 pixels")


def zoom(screen: Screen) -> Locator:
    return screen.page.get_by_label("Zoom", exact=True).and_(screen.page.locator("output"))


def point(screen: Screen, x: int, y: int) -> tuple[float, float]:
    """Return the position of an image pixel in the window at true size; the image is in the middle of the stage."""
    stage = screen.page.locator(".stage").bounding_box()
    # the stage has a border at its upper and lower edge
    return stage["x"] + (stage["width"] - 400) / 2 + x, stage["y"] + (stage["height"] - 300) / 2 + y


def drag(screen: Screen, start: tuple[int, int], end: tuple[int, int], *, release: bool = True) -> None:
    mouse = screen.page.mouse
    mouse.move(*point(screen, *start))
    mouse.down()
    mouse.move(*point(screen, *end), steps=4)
    if release:
        mouse.up()


def button(screen: Screen, name: str) -> Locator:
    return screen.page.get_by_role("button", name=name, exact=True)


def zoom_in(screen: Screen) -> None:
    """Zoom in until the image is larger than the stage on all sides."""
    for _ in range(8):
        screen.page.keyboard.press("+")
    expect(zoom(screen)).to_have_text("596 %")


def box_group(screen: Screen, name: str) -> Locator:
    """Return the box whose name contains a text."""
    return screen.page.get_by_role("group", name=name)


# --- the grid


def test_clicks_select_and_shift_selects_a_range(grid):
    tile(grid, 1).click()
    tile(grid, 4).click(modifiers=["Shift"])
    expect_text(grid, "chosen: 01 02 03 04 unseen: 0")
    tile(grid, 2).click()
    tile(grid, 6).click(modifiers=["ControlOrMeta"])
    expect_text(grid, "chosen: 01 03 04 06 unseen: 0")
    expect(selected(grid)).to_have_count(4)


def test_several_clicks_in_a_row_cause_one_run(grid):
    before = runs(grid)
    grid.page.get_by_role("listbox").evaluate("list => [0, 2, 3].forEach(i => list.children[i].click())")
    expect_text(grid, "chosen: 00 02 03 unseen: 0")
    assert runs(grid) == before + 1


def test_a_selection_by_python_replaces_that_of_the_user(grid):
    tile(grid, 1).click()
    tile(grid, 3).click()
    expect_text(grid, "chosen: 01 03 unseen: 0")
    grid.button("Clear").click()
    expect_text(grid, "chosen: none unseen: 0")
    expect(selected(grid)).to_have_count(0)
    tile(grid, 2).click()
    expect_text(grid, "chosen: 02 unseen: 0")
    # an action on tiles that were selected just before; it clears the selection
    tile(grid, 0).click()
    grid.button("Exclude").click()
    expect_text(grid, "chosen: none unseen: 0")
    expect(tile(grid, 0)).to_have_accessible_name("CFU-GM, 00.png, Train, excluded")
    expect(tile(grid, 2)).to_have_accessible_name("CFU-GM, 02.png, Train, excluded")
    expect(tile(grid, 3)).to_have_accessible_name("CFU-GM, 03.png, Train")
    expect(selected(grid)).to_have_count(0)


def test_the_selection_outlives_paging_and_the_absence_of_the_grid(grid):
    tile(grid, 1).click()
    tile(grid, 7).click()
    expect_text(grid, "chosen: 01 07 unseen: 0")
    toggle = grid.page.get_by_test_id("stCheckbox").filter(has_text="Second page")
    toggle.click()
    expect_text(grid, "chosen: 01 07 unseen: 1")
    expect(tile(grid, 1)).to_have_attribute("aria-selected", "true")  # 07 is the second here
    tile(grid, 2).click()
    expect_text(grid, "chosen: 01 07 08 unseen: 1")
    away = grid.page.get_by_test_id("stCheckbox").filter(has_text="Away")
    away.click()
    expect(grid.page.get_by_role("listbox")).to_have_count(0)
    away.click()
    expect_text(grid, "chosen: 01 07 08 unseen: 1")
    expect(selected(grid)).to_have_count(2)


@pytest.mark.parametrize("how", ["double click", "Enter", "corner"])
def test_a_tile_is_opened(grid, how):
    if how == "double click":
        tile(grid, 3).dblclick()
    elif how == "Enter":
        tile(grid, 3).focus()
        grid.page.keyboard.press("Enter")
    else:
        tile(grid, 3).hover()
        tile(grid, 3).get_by_title("Open large").click()
    expect_text(grid, "opened: plate/03.png")
    expect_text(grid, "chosen: none unseen: 0")


def test_the_arrow_keys_move_from_tile_to_tile(grid):
    press = grid.page.keyboard.press
    columns = grid.page.get_by_role("listbox").evaluate(
        "list => getComputedStyle(list).gridTemplateColumns.split(' ').length"
    )
    assert columns == 7, "one tile is in the second row"
    tile(grid, 0).focus()
    strokes = (("ArrowRight", 1), ("ArrowDown", 7), ("ArrowUp", 0), ("ArrowDown", 7), ("ArrowLeft", 6), ("Home", 0))
    for stroke, index in (*strokes, ("End", 7), ("ArrowRight", 7), ("Home", 0), ("ArrowUp", 0)):
        press(stroke)
        expect(tile(grid, index)).to_be_focused()
        expect(grid.page.locator("[role=option][tabindex='0']")).to_have_count(1)
    press("Space")
    expect_text(grid, "chosen: 00 unseen: 0")
    press("Shift+ArrowRight")
    press("Shift+ArrowRight")
    expect_text(grid, "chosen: 00 01 02 unseen: 0")
    press("ControlOrMeta+a")
    expect_text(grid, "chosen: 00 01 02 03 04 05 06 07 unseen: 0")
    press("Escape")
    expect_text(grid, "chosen: none unseen: 0")


def test_a_tile_that_remains_keeps_its_picture(grid):
    mark = "list => [...list.querySelectorAll('img')].forEach(img => img.mark = true)"
    marks = "list => [...list.querySelectorAll('img')].map(img => Boolean(img.mark))"
    listbox = grid.page.get_by_role("listbox")
    listbox.evaluate(mark)
    tile(grid, 0).click()
    expect_text(grid, "chosen: 00 unseen: 0")
    grid.button("Exclude").click()
    expect_text(grid, "chosen: none unseen: 0")
    assert listbox.evaluate(marks) == [True] * 7  # the eighth tile has no picture
    grid.page.get_by_test_id("stCheckbox").filter(has_text="Second page").click()
    expect(tile(grid, 0)).to_have_accessible_name("CFU-GM, 06.png, Train")
    assert listbox.evaluate(marks) == [True, True, False, False, False, False]


def test_a_warning_is_shown(grid):
    warning = "The same file is in two partitions."
    expect(tile(grid, 1)).to_have_accessible_name(f"CFU-GM, 01.png, Train, {warning}")
    tooltip = grid.page.locator(".tooltip")
    expect(tooltip).to_be_hidden()
    tile(grid, 1).locator(".warning").hover()
    expect(tooltip).to_have_text(warning)
    grid.page.mouse.move(0, 0)
    expect(tooltip).to_be_hidden()
    tile(grid, 0).focus()
    grid.page.keyboard.press("ArrowRight")
    expect(tooltip).to_be_visible()


def test_an_empty_grid_shows_a_text(screen):
    screen.open(show="empty")
    expect_text(screen, "There are no images to show.")
    expect(screen.page.get_by_role("listbox")).to_be_hidden()


# --- the large view


def test_the_focus_moves_to_the_large_view_and_back(screen):
    screen.open(show="both")
    tile(screen, 0).focus()
    screen.page.keyboard.press("End")
    screen.page.keyboard.press("Enter")
    expect_image(screen, "07.png")
    expect(screen.page.get_by_role("group", name="Image", exact=True)).to_be_focused()
    screen.page.keyboard.press("ArrowLeft")
    expect_image(screen, "06.png")
    screen.page.keyboard.press("Escape")
    expect(tile(screen, 7)).to_be_focused()


def test_a_picture_that_browsers_cannot_show_is_reported(screen):
    screen.open(show="broken")
    expect_text(screen, "The browser cannot show plate/00.png.")
    expect(screen.button("Draw box")).to_be_hidden()


def test_the_wheel_zooms_at_the_pointer(large):
    zoom_in(large)
    large.page.mouse.move(*point(large, 260, 90))
    pixel = large.page.locator(".pixel")
    expect(pixel).not_to_be_empty()
    before = pixel.inner_text()
    large.page.mouse.wheel(0, -100)
    expect(zoom(large)).to_have_text("699 %")  # 596 x exp(0.16)
    expect(pixel).to_have_text(before)
    large.page.keyboard.press("0")  # 420 pixels for 300
    expect(zoom(large)).to_have_text("140 %")
    large.page.keyboard.press("+")
    expect(zoom(large)).to_have_text("175 %")
    large.page.keyboard.press("-")
    expect(zoom(large)).to_have_text("140 %")
    button(large, "1:1, true size").click()
    expect(zoom(large)).to_have_text("100 %")


def test_values_under_the_pointer_are_those_of_the_file(large):
    large.page.mouse.move(*point(large, 300, 200))
    expect(large.page.locator(".colour")).to_have_text("R 20  G 180  B 200")
    large.page.mouse.move(*point(large, 10, 290))
    expect(large.page.locator(".colour")).to_have_text("R 30  G 20  B 10")
    large.page.mouse.move(*point(large, -20, 100))
    expect(large.page.locator(".colour")).to_be_hidden()


def test_dragging_pans_and_changes_no_box(large):
    zoom_in(large)
    pixel = large.page.locator(".pixel")
    large.page.mouse.move(*point(large, 330, 60))
    expect(pixel).not_to_be_empty()
    before = pixel.inner_text()
    drag(large, (330, 60), (390, 100))
    expect(pixel).to_have_text(before)  # the pixel has moved with the pointer
    expect_text(large, "box: 100 80 200 180")


def test_a_corner_is_dragged(large):
    before = runs(large)
    drag(large, (200, 180), (230, 200), release=False)
    expect(box_group(large, "left 100, top 80, 130 × 120 pixels")).to_be_visible()
    assert runs(large) == before, "the script ran during the drag"
    large.page.mouse.up()
    expect_text(large, "box: 100 80 230 200")
    expect(box_group(large, "Found automatically: left 100, top 80, 130 × 120 pixels")).to_be_visible()


def test_a_box_remains_in_the_image_and_has_a_minimum_size(large):
    middle = (150, 130)
    drag(large, middle, (500, 131))
    expect_text(large, "box: 300 81 400 181")
    drag(large, (300, 81), (450, 60))  # the upper left corner, beyond the right edge
    expect_text(large, "box: 392 60 400 181")


def test_escape_cancels_a_drag(large):
    before = runs(large)
    drag(large, (200, 180), (230, 200), release=False)
    name = "left 100, top 80, 100 × 100 pixels"
    expect(box_group(large, name)).to_have_count(0)
    large.page.keyboard.press("Escape")
    expect(box_group(large, name)).to_be_visible()
    large.page.mouse.up()
    button(large, "Move the box").focus()
    large.page.keyboard.press("ArrowLeft")
    expect(box_group(large, name)).to_have_count(0)
    large.page.keyboard.press("Escape")
    expect(box_group(large, name)).to_be_visible()
    large.button("Again").click()
    expect_text(large, f"runs: {before + 1}")
    expect_text(large, "box: 100 80 200 180")
    expect_text(large, "closed: 0")


def test_arrow_keys_move_the_box(large):
    before = runs(large)
    button(large, "Move the box").focus()
    for stroke in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        large.page.keyboard.press(stroke)
    expect_text(large, "box: 102 90 202 190")
    assert runs(large) == before + 1, "one change of the box, one run"
    expect(button(large, "Move the box")).to_be_focused()
    button(large, "Right edge").focus()
    large.page.keyboard.press("Shift+ArrowRight")
    large.page.keyboard.press("ArrowDown")
    expect_text(large, "box: 102 90 212 190")
    expect_image(large, "01.png")


def test_a_box_is_drawn_where_there_is_none(large):
    large.page.keyboard.press("ArrowRight")
    expect_image(large, "02.png")
    large.page.keyboard.press("1")
    expect(button(large, "Move the box")).to_have_count(0)
    large.button("Draw box").click()
    drag(large, (250, 200), (120, 90))
    expect_text(large, "box: 120 90 250 200")
    expect(large.button("Draw box")).to_have_attribute("aria-pressed", "false")
    expect(button(large, "Move the box")).to_be_visible()


def test_a_box_is_drawn_by_the_keyboard(large):
    large.page.keyboard.press("ArrowLeft")
    expect_image(large, "00.png")
    large.page.keyboard.press("1")
    large.button("Draw box").focus()
    large.page.keyboard.press("Enter")
    expect(button(large, "Move the box")).to_be_focused()
    expect_text(large, "box: 100 75 300 225")


def test_arrow_keys_step_through_the_images_unless_the_focused_element_uses_them(large):
    page = large.page
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    expect_image(large, "00.png")
    expect(button(large, "Previous image")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("ArrowLeft")
    button(large, "Next image").click()
    expect_image(large, "01.png")
    before = runs(large)
    page.get_by_role("textbox", name="Words").press("ArrowRight")
    large.button("Again").click()
    expect_text(large, f"runs: {before + 1}")
    expect_image(large, "01.png")
    page.keyboard.press("ArrowRight")  # the focus is on a button, which does not use the arrow keys
    expect_image(large, "02.png")


def test_escape_closes_and_removes_the_listeners(large):
    large.page.locator(".stage").focus()
    large.page.keyboard.press("Escape")
    expect_text(large, "closed: 1")
    large.page.get_by_test_id("stCheckbox").filter(has_text="Away").click()
    expect(picture(large)).to_have_count(0)
    before = runs(large)
    large.page.evaluate("document.activeElement.blur()")
    large.page.keyboard.press("ArrowRight")
    large.page.get_by_test_id("stCheckbox").filter(has_text="Away").click()
    expect_image(large, "01.png")
    assert runs(large) == before + 1


def test_the_box_is_hidden_and_shown(large):
    group = box_group(large, "Found automatically")
    expect(group).to_be_visible()
    large.page.keyboard.press("b")
    expect(group).to_be_hidden()
    expect(button(large, "Box")).to_have_attribute("aria-pressed", "false")
    button(large, "Box").click()
    expect(group).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("show", "width"), [("tiles", 1440), ("viewer", 800), ("empty", 800)])
def test_the_components_are_accessible_and_fit(screen, show, scheme, width):
    screen.page.set_viewport_size({"width": width, "height": 1000})
    screen.page.emulate_media(color_scheme=scheme)
    screen.open(show=show)
    if show == "tiles":
        tile(screen, 1).click()
        tile(screen, 4).click()
        expect_text(screen, "chosen: 01 04 unseen: 0")
        tile(screen, 1).locator(".warning").hover()
    elif show == "viewer":
        expect_image(screen, "01.png")
    else:
        expect_text(screen, "There are no images to show.")
    found = Axe().run(screen.page, context="[data-testid=stBidiComponentIsolated]").response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
    sizes = screen.page.locator("[data-testid=stMain]").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert sizes[0] <= sizes[1]
