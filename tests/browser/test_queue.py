"""What runs in the background belongs to nobody's browser and to no server."""

import re

import pytest
from playwright.sync_api import expect

from cfu_core.dataset.importing import import_source
from cfu_core.jobs.job import Job, State
from cfu_core.runs.store import Run
from tests.browser.driving import WORK_MS, runs_in

pytestmark = pytest.mark.browser

LONG = 500  # epochs: nobody waits for their end


@pytest.fixture
def shapes(server, drawn_shapes, monkeypatch):
    """A small dataset in the server's home, which may hold it already."""
    monkeypatch.setenv("CFU_HOME", str(server.home))
    return import_source(drawn_shapes, name="shapes")


def the_run(server) -> Run:
    """The run that has not ended."""
    (run,) = [run for run in runs_in(server.home) if not Job(run.folder).status().state.ended]
    return run


def stop_everything(screen) -> None:
    """Take every run out of the queue by its button."""
    buttons = screen.widget("stop-*").get_by_role("button")
    while (left := buttons.count()) > 0:
        buttons.last.click()
        expect(buttons).to_have_count(left - 1, timeout=WORK_MS)
    screen.settle()


def test_a_run_survives_its_server_and_the_next_server_shows_it(new_server, new_screen, server, screen, shapes):
    screen.open("train", dataset=shapes.id)
    screen.start_training("AlexNet", epochs=LONG)
    expect(screen.text(re.compile(rf"Epoch \d+ of {LONG}"))).to_be_visible(timeout=WORK_MS)
    run = the_run(server)

    server.kill()
    second = new_server(server.home)
    at_restart = Job(run.folder).status()
    assert at_restart.state is State.RUNNING
    assert second.process.pid not in (server.process.pid, at_restart.pid)

    after = new_screen(second)
    after.open("train", dataset=shapes.id)
    expect(after.text(run.name)).to_be_visible()
    expect(after.progress()).to_be_visible()
    shown = after.text(re.compile(rf"Epoch \d+ of {LONG}"))
    was = shown.inner_text()
    expect(shown).not_to_have_text(was, timeout=WORK_MS)  # it learns on
    assert Job(run.folder).status().pid == at_restart.pid
    stop_everything(after)
    assert Job(run.folder).status().state is State.STOPPED


def test_two_people_see_and_steer_one_queue(new_server, new_screen, drawn_shapes, monkeypatch):
    server = new_server()
    monkeypatch.setenv("CFU_HOME", str(server.home))
    shapes = import_source(drawn_shapes, name="shapes")
    one, other = new_screen(server), new_screen(server)
    one.open("train", dataset=shapes.id)
    one.start_training("AlexNet", epochs=LONG)
    expect(one.widget("stop-*")).to_have_count(1)

    other.open("train", dataset=shapes.id)
    expect(other.text("AlexNet, preprocessed, random weights")).to_be_visible()
    other.start_training("ResNet-18", epochs=LONG)
    for person in (one, other):
        expect(person.text("ResNet-18, preprocessed, random weights")).to_be_visible()
        expect(person.widget("stop-*")).to_have_count(2)
        expect(person.text("queued")).to_have_count(1)

    stop_everything(one)
    for person in (one, other):
        expect(person.widget("stop-*")).to_have_count(0)
        expect(person.text("Taken out of the queue before it began.")).to_be_visible()
    assert [Job(run.folder).status().state for run in runs_in(server.home)] == [State.STOPPED] * 2
