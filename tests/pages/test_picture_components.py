"""What Python exchanges with the components that show images."""

import json

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cfu_core.imaging.cropping import Box
from pages.components.browser.boxes import BOXES_CSS, BOXES_JS, BY_HAND_COLOR, FOUND_COLOR, MarkedBox, read_box
from pages.components.browser.messages import pack
from pages.components.browser.tiles import Tile, tiles


def test_a_message_holds_header_and_pictures():
    message = pack({"label": "Colony £"}, [b"first", b"", b"third one"])
    length = int.from_bytes(message[:4], "little")
    assert json.loads(message[4 : 4 + length]) == {"label": "Colony £", "lengths": [5, 0, 9]}
    assert message[4 + length :] == b"firstthird one"


def test_a_box_is_read_as_it_was_written():
    mark = MarkedBox(Box(3, 5, 40, 21), by_hand=True)
    sent = json.loads(json.dumps(mark.as_json()))
    assert sent == {"left": 3, "top": 5, "right": 40, "bottom": 21, "label": "Set by hand", "byHand": True}
    assert read_box(sent) == Box(3, 5, 40, 21)
    found = MarkedBox(Box(*np.array([3, 5, 40, 21])), confidence=0.431)
    assert found.as_json() == {**sent, "label": "Found automatically, 43 % sure", "byHand": False}


def test_the_two_colours_of_a_box_are_defined_once():
    box = Box(3, 5, 40, 21)
    assert [MarkedBox(box, by_hand=True).color, MarkedBox(box).color] == [BY_HAND_COLOR, FOUND_COLOR]
    assert f"--found: {FOUND_COLOR}; --by-hand: {BY_HAND_COLOR};" in BOXES_CSS
    assert BOXES_JS.startswith('const BY_HAND = "Set by hand"')


@pytest.mark.parametrize(
    "value",
    [
        None,
        [3, 5, 40, 21],
        {"left": 3, "top": 5, "right": 40},
        {"left": 3.5, "top": 5, "right": 40, "bottom": 21},
        {"left": True, "top": 5, "right": 40, "bottom": 21},
        {"left": -1, "top": 5, "right": 40, "bottom": 21},
        {"left": 40, "top": 5, "right": 40, "bottom": 21},
        {"left": 3, "top": 21, "right": 40, "bottom": 5},
    ],
)
def test_an_invalid_box_is_refused(value):
    assert read_box(value) is None


def test_two_tiles_with_the_same_identifier_are_refused():
    picture = cv2.imencode(".jpg", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    with pytest.raises(ValueError, match="identifier of its own"):
        tiles([Tile(id="a", picture=picture, title="x")] * 2, key="grid")


def _page():
    import streamlit as st

    from pages.components.browser.tiles import Tile, select, selection, tiles

    if "started" not in st.session_state:
        st.session_state.started = True
        select(["b", "z"], key="grid")
    st.button("None", on_click=select, args=([],), kwargs={"key": "grid"})
    before = selection("grid")
    result = tiles([Tile(id=name, picture=b"", title=name) for name in "abc"], key="grid")
    st.json({"before": before, "selected": result.selected, "unseen": result.unseen, "opened": result.opened})


def test_python_sets_the_selection_before_the_grid_is_shown():
    app = AppTest.from_function(_page, default_timeout=20).run()
    assert not app.exception
    assert json.loads(app.json[0].value) == {"before": ["b", "z"], "selected": ["b", "z"], "unseen": 1, "opened": None}
    app.button[0].click().run()
    assert json.loads(app.json[0].value) == {"before": [], "selected": [], "unseen": 0, "opened": None}
