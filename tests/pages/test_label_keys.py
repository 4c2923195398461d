"""Labelling by keys: which key stands for which class, and labels that arrive while a page is updated."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import StopException
from streamlit.runtime.state import SessionState, session_state_proxy
from streamlit.runtime.state.safe_session_state import SafeSessionState

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.edits import edit_dataset
from pages.components import cached, editing
from pages.components.browser.label_keys import keys_of, label_header, pass_labels
from pages.components.browser.tiles import select, selection
from pages.components.browser.viewer import viewer
from pages.components.edit_lock import edit_lock


def test_keys_are_numbers_and_first_letters_that_are_unique():
    assert keys_of(["CFU-E", "CFU-GM", "erythroblast"]) == {
        "1": "CFU-E",
        "2": "CFU-GM",
        "3": "erythroblast",
        "e": "erythroblast",
    }
    assert keys_of(["BFU-E"]) == {"1": "BFU-E"}  # b shows the boxes
    many = keys_of([f"{letter}1" for letter in "acdefghijk"])
    assert (many["9"], "10" in many, many["k"]) == ("j1", False, "k1")


@pytest.fixture
def session(monkeypatch) -> dict:
    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    return state


def given(number: int, label: str, *ids: str, key: str = "grid") -> dict:
    """Return a label as the browser sends it."""
    return {"number": number, "session": label_header(key, {})["session"], "label": label, "ids": list(ids)}


def passed(key: str, timeout: float = -1) -> dict[str, str]:
    """Return the labels that the browser sent and Python had not taken before."""
    return pass_labels(key, lambda labels: True, timeout=timeout)[0]


def test_each_label_is_taken_once_and_none_is_lost(session):
    first = given(1, "a", "x", "y")
    session["grid"] = {"labels": [first]}
    assert passed("grid") == {"x": "a", "y": "a"}
    assert label_header("grid", {})["confirmed"] == 1
    assert passed("grid") == {}
    # the browser sends what was not confirmed when the key was pressed, and what was given since
    session["grid"] = {"labels": [first, given(2, "b", "x"), given(3, "a", "z")]}
    assert passed("grid") == {"x": "b", "z": "a"}


def test_labels_that_an_earlier_session_may_have_saved_are_not_taken_again(session):
    session["grid"] = {"labels": [given(1, "a", "x") | {"session": "an earlier one"}]}
    assert passed("grid") == {}
    session["grid"]["labels"].append(given(1, "b", "y"))
    assert passed("grid") == {"y": "b"}


def test_a_label_is_neither_lost_nor_saved_twice_wherever_streamlit_stops_the_run(monkeypatch):
    saved: list[dict[str, str]] = []
    monkeypatch.setattr(editing, "edit_dataset", lambda data, kind, changes, **notes: saved.append(dict(changes)))
    data = SimpleNamespace(id="shapes", classes=["disc"])

    def label() -> None:
        pass_labels("grid", lambda labels: editing.label_images(data, labels, []))

    def stop() -> None:
        """Stop the run at the access to the session state that is numbered `last`."""
        count.append(0)
        if len(count) == last:
            raise StopException

    points, stopped = 0, True
    while stopped:
        points += 1
        saved.clear()
        count, last = [], 0
        state = SafeSessionState(SessionState(), stop)
        monkeypatch.setattr(session_state_proxy, "get_session_state", lambda state=state: state)
        state["grid"] = {"labels": [given(1, "disc", "x")]}
        count, last = [], points
        try:
            label()
            stopped = False
        except StopException:
            pass
        count, last = [], 0
        label()  # the next run, as the component is shown
        label()
        assert saved == [{"x": "disc"}], points
        assert state["edit_messages"] == [("done", "1 image relabelled as disc. You can undo it.")], points
    assert points > 5


@contextmanager
def lock_held_by_another_run() -> Iterator[None]:
    """Hold the edit lock of the session in another thread, as a run that saves an edit does."""
    lock, locked, may_end = edit_lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            locked.set()
            may_end.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert locked.wait(10)
    yield
    may_end.set()
    other.join(10)


def test_a_page_does_not_wait_for_long_until_another_run_has_saved_its_labels(session):
    session["grid"] = {"labels": [given(1, "a", "x")]}
    with lock_held_by_another_run():
        assert passed("grid", timeout=0.01) == {}
    assert passed("grid") == {"x": "a"}


@pytest.mark.usefixtures("session")
def test_a_dataset_is_read_while_an_edit_takes_long_to_save_and_this_is_said(surveyed_dataset, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(st, "toast", lambda text, **how: said.append(text))
    monkeypatch.setattr(cached, "LONGEST_WAIT", 0.01)
    with lock_held_by_another_run():
        assert cached.dataset(surveyed_dataset.id).id == surveyed_dataset.id
        assert said == ["An edit is still being saved. This page may not show it yet."]
    cached.dataset(surveyed_dataset.id)
    assert len(said) == 1


def test_two_runs_get_one_lock(monkeypatch):
    class Slow(dict):
        """A session state whose reading and writing are two steps, as Streamlit's are."""

        def setdefault(self, key, value):
            if key not in self:
                both.wait(0.2)
                self[key] = value
            return self[key]

    class Both(threading.Barrier):
        def wait(self, timeout=None):
            with suppress(threading.BrokenBarrierError):
                super().wait(timeout)

    both = Both(2)
    monkeypatch.setattr(st, "session_state", Slow())
    locks: list = []
    runs = [threading.Thread(target=lambda: locks.append(edit_lock())) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(10)
    assert locks[0] is locks[1]


def test_the_labels_of_a_later_run_wait_until_those_of_the_earlier_one_are_saved(session):
    saved = []
    started, may_end = threading.Event(), threading.Event()

    def slow(labels: dict[str, str]) -> None:
        started.set()
        may_end.wait(10)
        saved.append(labels)

    session["grid"] = {"labels": [given(1, "a", "x")]}
    earlier = threading.Thread(target=pass_labels, args=("grid", slow))
    earlier.start()
    assert started.wait(10)
    session["grid"] = {"labels": [given(1, "a", "x"), given(2, "a", "y")]}
    later = threading.Thread(target=pass_labels, args=("grid", saved.append))
    later.start()
    later.join(0.2)
    assert later.is_alive()
    assert saved == []
    may_end.set()
    for thread in (earlier, later):
        thread.join(10)
    assert saved == [{"x": "a"}, {"y": "a"}]


@pytest.mark.parametrize("part", [{"number": "1"}, {"number": True}, {"label": 1}, {"ids": "x"}, {"session": None}])
def test_what_is_no_label_is_ignored(session, part):
    for sent in (None, [], [1], [given(1, "a", "x") | part]):
        session["grid"] = {"labels": sent}
        assert passed("grid") == {}


def test_a_class_that_is_neither_in_the_dataset_nor_on_a_key_is_refused_with_a_message(session, surveyed_dataset):
    first, second = surveyed_dataset.images["path"][:2]
    assert editing.label_images(surveyed_dataset, {first: "ring", second: "sphere"}, ["cube"])
    labels = load_dataset(surveyed_dataset.id).images.set_index("path")["label"]
    assert (labels[first], labels[second]) == ("ring", "disc")
    (_, (kind, text)) = session["edit_messages"]
    assert (kind, "1 image was not labelled “sphere”" in text) == ("error", True)
    assert editing.label_images(surveyed_dataset, {second: "cube"}, ["cube"])
    assert not editing.label_images(surveyed_dataset, {"none": "cube"}, ["cube"])


@pytest.mark.parametrize(("labelled", "saves", "steps"), [("a.png", True, 1), ("a.png", False, 0), ("z.png", True, 0)])
def test_the_large_view_goes_on_only_after_a_label_of_its_image_was_saved(session, labelled, saves, steps, monkeypatch):
    class Rerun(Exception):
        pass

    def rerun() -> None:
        raise Rerun

    monkeypatch.setattr(st, "rerun", rerun)
    session["view"] = {"labels": [given(1, "disc", labelled, key="view")]}
    done: list[int] = []
    with pytest.raises(Rerun):
        viewer(b"", path="a.png", key="view", on_label=lambda labels: saves, on_labelled=lambda: done.append(1))
    assert len(done) == steps


def test_explore_saves_labels_whose_callback_was_stopped(visit, surveyed_dataset):
    app = visit("data/explore", dataset=surveyed_dataset.id)
    key = f"tiles_{surveyed_dataset.id}"
    path = surveyed_dataset.images["path"].iloc[0]
    header = app.session_state[f"{key}:labels"]
    app.session_state[key] = {"labels": [{"number": 1, "session": header.session, "label": "ring", "ids": [path]}]}
    app.run()
    assert not app.exception
    data = load_dataset(surveyed_dataset.id)
    assert data.images.set_index("path")["label"][path] == "ring"
    assert data.version == 1
    app.run()
    assert load_dataset(surveyed_dataset.id).version == 1


def test_an_excluded_image_does_not_stay_selected(visit, surveyed_dataset, monkeypatch):
    first, second = surveyed_dataset.images["path"][:2]
    app = visit("data/explore", dataset=surveyed_dataset.id)
    key = f"tiles_{surveyed_dataset.id}"
    state: dict = {}
    with monkeypatch.context() as patch:
        patch.setattr(st, "session_state", state)
        select([first, second], key=key)
    app.session_state[f"{key}:choice"] = state[f"{key}:choice"]
    edit_dataset(surveyed_dataset.id, "exclude", {first: None})
    app.run()
    assert any("1 selected" in element.value for element in app.markdown)
    with monkeypatch.context() as patch:
        patch.setattr(st, "session_state", {f"{key}:choice": app.session_state[f"{key}:choice"]})
        assert selection(key) == [second]


def test_explore_offers_keys_for_images_without_a_class(visit, surveyed_dataset):
    app = visit("data/explore", dataset=surveyed_dataset.id)
    switch = app.toggle(key=f"label_switch_{surveyed_dataset.id}")
    assert not switch.value  # every image has a class
    switch.set_value(True).run()
    classes = app.multiselect(key=f"label_choice_{surveyed_dataset.id}")
    assert classes.value == ["disc", "ring", "square"]
    assert "**1 or D** disc · **2 or R** ring · **3 or S** square" in [element.value for element in app.caption]
    classes.set_value(["square", "disc"]).run()
    assert "**1 or S** square · **2 or D** disc" in [element.value for element in app.caption]
