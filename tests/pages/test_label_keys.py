"""Labelling by keys: which key stands for which class, and labels that arrive while a page is updated."""

import threading

import pytest
import streamlit as st

from pages.components.browser.label_keys import keys_of, label_header, pass_labels


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


def passed(key: str, classes: dict[str, str]) -> dict[str, str]:
    """Return the labels that the browser sent and Python had not taken before."""
    taken: dict[str, str] = {}
    pass_labels(key, classes, taken.update)
    return taken


def test_each_label_is_taken_once_and_none_is_lost(session):
    classes = {"1": "a", "2": "b"}
    first = {"number": 1, "key": "1", "ids": ["x", "y"]}
    session["grid"] = {"labels": [first]}
    assert passed("grid", classes) == {"x": "a", "y": "a"}
    assert label_header("grid", classes)["confirmed"] == 1
    assert passed("grid", classes) == {}
    # the browser sends what was not confirmed when the key was pressed, and what was given since
    later = [{"number": 2, "key": "2", "ids": ["x"]}, {"number": 3, "key": "1", "ids": ["z"]}]
    session["grid"] = {"labels": [first, *later]}
    assert passed("grid", classes) == {"x": "b", "z": "a"}


def test_the_labels_of_a_later_run_wait_until_those_of_the_earlier_one_are_saved(session):
    saved = []
    started, may_end = threading.Event(), threading.Event()

    def slow(labels: dict[str, str]) -> None:
        started.set()
        may_end.wait(10)
        saved.append(labels)

    session["grid"] = {"labels": [{"number": 1, "key": "1", "ids": ["x"]}]}
    earlier = threading.Thread(target=pass_labels, args=("grid", {"1": "a"}, slow))
    earlier.start()
    assert started.wait(10)
    session["grid"] = {"labels": [{"number": 2, "key": "1", "ids": ["y"]}]}
    later = threading.Thread(target=pass_labels, args=("grid", {"1": "a"}, saved.append))
    later.start()
    later.join(0.2)
    assert later.is_alive()
    assert saved == []
    may_end.set()
    for thread in (earlier, later):
        thread.join(10)
    assert saved == [{"x": "a"}, {"y": "a"}]


@pytest.mark.parametrize("sent", [None, [], [1], [{"number": "1"}], [{"number": 1, "key": "9", "ids": ["x"]}]])
def test_what_is_no_label_is_ignored(session, sent):
    session["grid"] = {"labels": sent}
    assert passed("grid", {"1": "a"}) == {}


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
