"""The tile grid and the large view, in a small app of their own."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.driving import PATIENCE_MS, Screen, Server

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
WARNING = "The same file lies in two partitions."


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


def keep(box):
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
        on_box=keep,
        on_close=lambda: state.update(closed=state.get("closed", 0) + 1),
    )
    st.write("box:", " ".join(map(str, mine)) if mine else "none")
    st.write("closed:", state.get("closed", 0))
st.write("runs:", state.runs)
"""


@pytest.fixture(scope="module")
def app(new_server) -> Server:
    """The small app on a server of its own."""
    return new_server(app=APP)


@pytest.fixture(scope="module")
def window(app, browser) -> Iterator[Screen]:
    """One window for all; a visit to an address is a session of its own, and quicker than in a new window."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
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
    """The large view of the second of three images, 400 x 300 pixels, one of them on one pixel of the screen."""
    screen.open(show="viewer")
    expect_image(screen, "01.png")
    screen.page.keyboard.press("1")
    expect(zoom(screen)).to_have_text("100 %")
    return screen


def tile(screen: Screen, place: int) -> Locator:
    return screen.page.get_by_role("option").nth(place)


def says(screen: Screen, text: str) -> None:
    """Python has this to say."""
    expect(screen.text(text)).to_be_visible()


def runs(screen: Screen) -> int:
    screen.settle()
    return int(screen.text(re.compile(r"^runs: \d+$")).inner_text().split()[1])


def chosen(screen: Screen) -> Locator:
    return screen.page.locator("[role=option][aria-selected=true]")


def picture(screen: Screen) -> Locator:
    return screen.page.locator("canvas[role=img]")


def expect_image(screen: Screen, name: str) -> None:
    expect(picture(screen)).to_have_attribute("aria-label", f"{name}, 400 × 300 pixels")


def zoom(screen: Screen) -> Locator:
    return screen.page.get_by_label("Zoom", exact=True).and_(screen.page.locator("output"))


def point(screen: Screen, x: int, y: int) -> tuple[float, float]:
    """Where a pixel of the image lies in the window at true size; the picture stands in the middle of the stage."""
    stage = screen.page.locator(".stage").bounding_box()
    # the border lies on the upper and lower edge
    return stage["x"] + (stage["width"] - 400) / 2 + x, stage["y"] + (stage["height"] - 300) / 2 + y


def drag(screen: Screen, start: tuple[int, int], end: tuple[int, int], *, let_go: bool = True) -> None:
    mouse = screen.page.mouse
    mouse.move(*point(screen, *start))
    mouse.down()
    mouse.move(*point(screen, *end), steps=4)
    if let_go:
        mouse.up()


def grip(screen: Screen, name: str) -> Locator:
    return screen.page.get_by_role("button", name=name, exact=True)


def zoom_in(screen: Screen) -> None:
    """Until the picture is larger than its window on all sides."""
    for _ in range(8):
        screen.page.keyboard.press("+")
    expect(zoom(screen)).to_have_text("596 %")


def box_group(screen: Screen, name: str) -> Locator:
    """The box whose name holds this."""
    return screen.page.get_by_role("group", name=name)


# --- the grid


def test_clicks_choose_and_shift_chooses_a_range(grid):
    tile(grid, 1).click()
    tile(grid, 4).click(modifiers=["Shift"])
    says(grid, "chosen: 01 02 03 04 unseen: 0")
    tile(grid, 2).click()
    tile(grid, 6).click(modifiers=["ControlOrMeta"])
    says(grid, "chosen: 01 03 04 06 unseen: 0")
    expect(chosen(grid)).to_have_count(4)


def test_clicks_in_a_row_make_one_run(grid):
    before = runs(grid)
    grid.page.get_by_role("listbox").evaluate("list => [0, 2, 3].forEach(i => list.children[i].click())")
    says(grid, "chosen: 00 02 03 unseen: 0")
    assert runs(grid) == before + 1


def test_what_python_chooses_replaces_what_the_person_chose(grid):
    tile(grid, 1).click()
    tile(grid, 3).click()
    says(grid, "chosen: 01 03 unseen: 0")
    grid.button("Clear").click()
    says(grid, "chosen: none unseen: 0")
    expect(chosen(grid)).to_have_count(0)
    tile(grid, 2).click()
    says(grid, "chosen: 02 unseen: 0")
    # an action on what was chosen just before, and the choice is gone afterwards
    tile(grid, 0).click()
    grid.button("Exclude").click()
    says(grid, "chosen: none unseen: 0")
    expect(tile(grid, 0)).to_have_accessible_name("CFU-GM, 00.png, Train, excluded")
    expect(tile(grid, 2)).to_have_accessible_name("CFU-GM, 02.png, Train, excluded")
    expect(tile(grid, 3)).to_have_accessible_name("CFU-GM, 03.png, Train")
    expect(chosen(grid)).to_have_count(0)


def test_the_choice_outlives_paging_and_absence(grid):
    tile(grid, 1).click()
    tile(grid, 7).click()
    says(grid, "chosen: 01 07 unseen: 0")
    toggle = grid.page.get_by_test_id("stCheckbox").filter(has_text="Second page")
    toggle.click()
    says(grid, "chosen: 01 07 unseen: 1")
    expect(tile(grid, 1)).to_have_attribute("aria-selected", "true")  # 07 is the second here
    tile(grid, 2).click()
    says(grid, "chosen: 01 07 08 unseen: 1")
    away = grid.page.get_by_test_id("stCheckbox").filter(has_text="Away")
    away.click()
    expect(grid.page.get_by_role("listbox")).to_have_count(0)
    away.click()
    says(grid, "chosen: 01 07 08 unseen: 1")
    expect(chosen(grid)).to_have_count(2)


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
    says(grid, "opened: plate/03.png")
    says(grid, "chosen: none unseen: 0")


def test_the_keyboard_goes_from_tile_to_tile(grid):
    press = grid.page.keyboard.press
    columns = grid.page.get_by_role("listbox").evaluate(
        "list => getComputedStyle(list).gridTemplateColumns.split(' ').length"
    )
    assert columns == 7, "one tile stands in the second row"
    tile(grid, 0).focus()
    strokes = (("ArrowRight", 1), ("ArrowDown", 7), ("ArrowUp", 0), ("ArrowDown", 7), ("ArrowLeft", 6), ("Home", 0))
    for stroke, place in (*strokes, ("End", 7), ("ArrowRight", 7), ("Home", 0), ("ArrowUp", 0)):
        press(stroke)
        expect(tile(grid, place)).to_be_focused()
        expect(grid.page.locator("[role=option][tabindex='0']")).to_have_count(1)
    press("Space")
    says(grid, "chosen: 00 unseen: 0")
    press("Shift+ArrowRight")
    press("Shift+ArrowRight")
    says(grid, "chosen: 00 01 02 unseen: 0")
    press("ControlOrMeta+a")
    says(grid, "chosen: 00 01 02 03 04 05 06 07 unseen: 0")
    press("Escape")
    says(grid, "chosen: none unseen: 0")


def test_a_tile_that_stays_keeps_its_picture(grid):
    mark = "list => [...list.querySelectorAll('img')].forEach(img => img.mark = true)"
    marks = "list => [...list.querySelectorAll('img')].map(img => Boolean(img.mark))"
    listbox = grid.page.get_by_role("listbox")
    listbox.evaluate(mark)
    tile(grid, 0).click()
    says(grid, "chosen: 00 unseen: 0")
    grid.button("Exclude").click()
    says(grid, "chosen: none unseen: 0")
    assert listbox.evaluate(marks) == [True] * 7  # the eighth tile has no picture
    grid.page.get_by_test_id("stCheckbox").filter(has_text="Second page").click()
    expect(tile(grid, 0)).to_have_accessible_name("CFU-GM, 06.png, Train")
    assert listbox.evaluate(marks) == [True, True, False, False, False, False]


def test_a_warning_is_told(grid):
    warning = "The same file lies in two partitions."
    expect(tile(grid, 1)).to_have_accessible_name(f"CFU-GM, 01.png, Train, {warning}")
    tip = grid.page.locator(".tip")
    expect(tip).to_be_hidden()
    tile(grid, 1).locator(".warn").hover()
    expect(tip).to_have_text(warning)
    grid.page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    tile(grid, 0).focus()
    grid.page.keyboard.press("ArrowRight")
    expect(tip).to_be_visible()


def test_without_images_there_is_a_line(screen):
    screen.open(show="empty")
    says(screen, "There is no image to show.")
    expect(screen.page.get_by_role("listbox")).to_be_hidden()


# --- the large view


def test_the_keyboard_goes_into_the_large_view_and_back(screen):
    screen.open(show="both")
    tile(screen, 0).focus()
    screen.page.keyboard.press("End")
    screen.page.keyboard.press("Enter")
    expect_image(screen, "07.png")
    expect(screen.page.get_by_role("group", name="Picture")).to_be_focused()
    screen.page.keyboard.press("ArrowLeft")
    expect_image(screen, "06.png")
    screen.page.keyboard.press("Escape")
    expect(tile(screen, 7)).to_be_focused()


def test_a_picture_that_no_browser_can_show_is_told(screen):
    screen.open(show="broken")
    says(screen, "The browser cannot show plate/00.png.")
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
    grip(large, "1:1, true size").click()
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
    expect(pixel).to_have_text(before)  # the same pixel has come along
    says(large, "box: 100 80 200 180")


def test_a_corner_is_dragged(large):
    before = runs(large)
    drag(large, (200, 180), (230, 200), let_go=False)
    expect(box_group(large, "left 100, top 80, 130 × 120 pixels")).to_be_visible()
    assert runs(large) == before, "told while dragging"
    large.page.mouse.up()
    says(large, "box: 100 80 230 200")
    expect(box_group(large, "Colony, automatic: left 100, top 80, 130 × 120 pixels")).to_be_visible()


def test_a_box_stays_in_the_image_and_keeps_a_size(large):
    middle = (150, 130)
    drag(large, middle, (500, 131))
    says(large, "box: 300 81 400 181")
    drag(large, (300, 81), (450, 60))  # the upper left corner, beyond the right edge
    says(large, "box: 392 60 400 181")


def test_escape_takes_a_drag_back(large):
    before = runs(large)
    drag(large, (200, 180), (230, 200), let_go=False)
    name = "left 100, top 80, 100 × 100 pixels"
    expect(box_group(large, name)).to_have_count(0)
    large.page.keyboard.press("Escape")
    expect(box_group(large, name)).to_be_visible()
    large.page.mouse.up()
    grip(large, "Move the box").focus()
    large.page.keyboard.press("ArrowLeft")
    expect(box_group(large, name)).to_have_count(0)
    large.page.keyboard.press("Escape")
    expect(box_group(large, name)).to_be_visible()
    large.button("Again").click()
    says(large, f"runs: {before + 1}")
    says(large, "box: 100 80 200 180")
    says(large, "closed: 0")


def test_arrow_keys_nudge_the_box(large):
    before = runs(large)
    grip(large, "Move the box").focus()
    for stroke in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        large.page.keyboard.press(stroke)
    says(large, "box: 102 90 202 190")
    assert runs(large) == before + 1, "one placing, one run"
    expect(grip(large, "Move the box")).to_be_focused()
    grip(large, "Right edge").focus()
    large.page.keyboard.press("Shift+ArrowRight")
    large.page.keyboard.press("ArrowDown")
    says(large, "box: 102 90 212 190")
    expect_image(large, "01.png")


def test_a_box_is_drawn_where_there_is_none(large):
    large.page.keyboard.press("ArrowRight")
    expect_image(large, "02.png")
    large.page.keyboard.press("1")
    expect(grip(large, "Move the box")).to_have_count(0)
    large.button("Draw box").click()
    drag(large, (250, 200), (120, 90))
    says(large, "box: 120 90 250 200")
    expect(large.button("Draw box")).to_have_attribute("aria-pressed", "false")
    expect(grip(large, "Move the box")).to_be_visible()


def test_a_box_is_drawn_by_the_keyboard(large):
    large.page.keyboard.press("ArrowLeft")
    expect_image(large, "00.png")
    large.page.keyboard.press("1")
    large.button("Draw box").focus()
    large.page.keyboard.press("Enter")
    expect(grip(large, "Move the box")).to_be_focused()
    says(large, "box: 100 75 300 225")


def test_arrow_keys_turn_the_pages_unless_something_else_wants_them(large):
    page = large.page
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    expect_image(large, "00.png")
    expect(grip(large, "Previous image")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("ArrowLeft")
    grip(large, "Next image").click()
    expect_image(large, "01.png")
    before = runs(large)
    page.get_by_role("textbox", name="Words").press("ArrowRight")
    large.button("Again").click()
    says(large, f"runs: {before + 1}")
    expect_image(large, "01.png")
    page.keyboard.press("ArrowRight")  # a button has the focus, which has no use for arrows
    expect_image(large, "02.png")


def test_escape_closes_and_nothing_listens_afterwards(large):
    large.page.locator(".stage").focus()
    large.page.keyboard.press("Escape")
    says(large, "closed: 1")
    large.page.get_by_test_id("stCheckbox").filter(has_text="Away").click()
    expect(picture(large)).to_have_count(0)
    before = runs(large)
    large.page.evaluate("document.activeElement.blur()")
    large.page.keyboard.press("ArrowRight")
    large.page.get_by_test_id("stCheckbox").filter(has_text="Away").click()
    expect_image(large, "01.png")
    assert runs(large) == before + 1


def test_the_box_is_hidden_and_shown(large):
    group = box_group(large, "Colony, automatic")
    expect(group).to_be_visible()
    large.page.keyboard.press("b")
    expect(group).to_be_hidden()
    expect(grip(large, "Box")).to_have_attribute("aria-pressed", "false")
    grip(large, "Box").click()
    expect(group).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("show", "width"), [("tiles", 1440), ("viewer", 800), ("empty", 800)])
def test_nothing_stands_in_the_way_of_anyone(screen, show, scheme, width):
    screen.page.set_viewport_size({"width": width, "height": 1000})
    screen.page.emulate_media(color_scheme=scheme)
    screen.open(show=show)
    if show == "tiles":
        tile(screen, 1).click()
        tile(screen, 4).click()
        says(screen, "chosen: 01 04 unseen: 0")
        tile(screen, 1).locator(".warn").hover()
    elif show == "viewer":
        expect_image(screen, "01.png")
    else:
        says(screen, "There is no image to show.")
    found = Axe().run(screen.page, context="[data-testid=stBidiComponentIsolated]").response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
    sizes = screen.page.locator("[data-testid=stMain]").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert sizes[0] <= sizes[1]
