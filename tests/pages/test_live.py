"""The Python side of the live view, without a browser: the test sends the requests of a browser."""

import json
from typing import Any

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import Setting, setting
from pages.components.browser.live import Control

LEVEL = {"key": "level", "label": "Level", "minimum": 0, "maximum": 100, "step": 1, "default": 10}
GAIN = {"key": "gain", "label": "Gain", "minimum": 0.1, "maximum": 40.0, "step": 0.1, "default": 2.0}


def script(controls):
    import numpy as np
    import streamlit as st

    from pages.components.browser.live import Control, dragging, live, live_jpeg, live_values

    made = [Control(**declared) for declared in controls]
    st.session_state["values"] = values = live_values("view", made)
    st.session_state["dragging"] = dragging("view")
    st.session_state["jpeg"] = after = live_jpeg("view", np.full((400, 800, 3), 120, np.uint8), most=600)
    live(made, values, before=b"before", after=after, size=(800, 400), tiles=8, key="view")


class Browser:
    """A browser that runs the script after each request."""

    def __init__(self) -> None:
        self.controls = [LEVEL, GAIN]
        self.request: dict[str, Any] = {}
        self.app = AppTest.from_function(script, kwargs={"controls": self.controls}, default_timeout=20)
        self.run()

    def run(self, **state: Any) -> dict[str, Any]:
        """Run the script with these values in the session state, as Python would set them; return the values."""
        for key, value in state.items():
            self.app.session_state[key] = value
        if self.request:
            self.app.session_state["view"] = {"request": self.request}
        self.app.run()
        assert not self.app.exception
        return self.app.session_state["values"]

    def send(self, version: str | None = None, **request: Any) -> dict[str, Any]:
        """Send the browser's values, with the version that it knows."""
        self.request = {"serial": 1, "have": [], "version": version or self.header["version"], **request}
        return self.run()

    def show(self, *controls: dict[str, Any]) -> dict[str, Any]:
        self.controls[:] = controls
        return self.run()

    @property
    def message(self) -> bytes:
        return self.app.get("bidi_component")[0].proto.bytes

    @property
    def header(self) -> dict[str, Any]:
        return json.loads(self.message[4 : 4 + int.from_bytes(self.message[:4], "little")])


@pytest.fixture
def browser() -> Browser:
    return Browser()


def test_sliders_start_at_their_defaults_and_send_their_values(browser):
    assert browser.app.session_state["values"] == {"level": 10, "gain": 2.0}
    assert browser.send(values={"level": 70, "gain": 3.5}, serial=4) == {"level": 70, "gain": 3.5}
    assert browser.app.session_state["level"] == 70
    assert browser.header["answers"] == 4
    assert browser.run() == {"level": 70, "gain": 3.5}


def test_values_from_the_browser_are_clipped_to_the_limits(browser):
    assert browser.send(values={"level": 7000, "gain": -3}) == {"level": 100, "gain": 0.1}
    values = browser.send(values={"level": 6.7, "gain": 3})
    assert values == {"level": 7, "gain": 3.0}
    assert (type(values["level"]), type(values["gain"])) == (int, float)
    for nonsense in ("x", None, True, float("nan"), float("inf"), [1]):
        assert browser.send(values={"level": nonsense, "gain": nonsense}) == {"level": 10, "gain": 2.0}
    assert browser.send(values="x") == {"level": 10, "gain": 2.0}


def test_a_value_set_by_python_holds_and_a_request_of_an_older_version_is_ignored(browser):
    old = browser.header["version"]
    browser.send(values={"level": 70, "gain": 3.5})
    assert browser.run(level=20) == {"level": 20, "gain": 3.5}
    new = browser.header["version"]
    assert new != old
    assert browser.header["values"] == {"level": 20, "gain": 3.5}
    assert browser.send(old, values={"level": 71, "gain": 3.5}) == {"level": 20, "gain": 3.5}
    assert browser.send(new, values={"level": 30, "gain": 3.5}) == {"level": 30, "gain": 3.5}
    assert browser.run(level=20) == {"level": 20, "gain": 3.5}  # setting the same value again is a change too
    assert browser.header["version"] not in (old, new)


def test_the_controls_may_differ_from_run_to_run(browser):
    browser.send(values={"level": 70, "gain": 3.5})
    assert browser.show(LEVEL) == {"level": 70}
    assert browser.send(values={"level": 80}) == {"level": 80}
    assert browser.run(gain=9.0) == {"level": 80}
    assert browser.show(LEVEL, GAIN) == {"level": 80, "gain": 9.0}


def test_after_a_restart_of_the_server_the_browsers_values_hold():
    restarted = Browser.__new__(Browser)
    restarted.controls, restarted.request = [LEVEL, GAIN], {"version": "7f", "values": {"level": 70, "gain": 3.5}}
    restarted.app = AppTest.from_function(script, kwargs={"controls": restarted.controls}, default_timeout=20)
    assert restarted.run() == {"level": 70, "gain": 3.5}
    assert restarted.header["version"] == "7f"


def test_a_picture_that_the_browser_has_is_not_sent(browser):
    before, after = browser.header["pictures"]
    jpeg = browser.app.session_state["jpeg"]
    assert browser.header["lengths"] == [6, len(jpeg)]
    assert browser.message.endswith(b"before" + jpeg)
    browser.send(values={}, have=[before["digest"]])
    assert browser.header["lengths"] == [0, len(jpeg)]
    browser.send(values={}, have=[before["digest"], after["digest"]])
    assert browser.header["lengths"] == [0, 0]


def test_during_a_drag_a_picture_is_no_larger_than_it_is_shown(browser):
    def shape(**request):
        browser.send(values={}, **request)
        assert browser.app.session_state["dragging"] is request.get("dragging", False)
        return cv2.imdecode(np.frombuffer(browser.app.session_state["jpeg"], np.uint8), cv2.IMREAD_COLOR).shape

    assert shape() == (300, 600, 3)
    assert shape(dragging=True, side=500) == (250, 500, 3)
    assert shape(dragging=True, side=200) == (100, 200, 3)
    assert shape(dragging=True, side=5000) == (300, 600, 3)
    assert shape(dragging=True, side=None) == (300, 600, 3)
    assert shape(dragging=False, side=500) == (300, 600, 3)


def test_the_view_requires_live_values_first():
    def wrong():
        import streamlit as st

        from pages.components.browser.live import live

        try:
            live((), {}, before=b"", after=b"", size=(1, 1), key="view")
        except ValueError as error:
            st.write(str(error))

    assert "Call live_values before live" in AppTest.from_function(wrong, default_timeout=20).run().markdown[0].value


def test_a_control_is_made_from_a_settings_declaration():
    control = Control.of("clip", setting(Recipe, "clip_limit"), 2.0)
    assert (control.label, control.minimum, control.maximum, control.step) == ("Clip limit", 0.1, 40.0, 0.1)
    with pytest.raises(ValueError, match="Words has no limits"):
        Control.of("words", Setting(label="Words", help=""), 1)
