"""Runs are independent of browsers and servers, and are controlled by all of them."""

import re

import psutil
import pytest
from playwright.sync_api import expect

from cfu_core.dataset.importing.source import import_source
from cfu_core.job import State
from cfu_core.jobs.queue import waiting as queue_of
from cfu_core.runs.run import Run
from tests.browser.driving import LONG_TIMEOUT_MS, runs_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]  # the longest tests start first

SMALL = "SqueezeNet 1.1"  # starts the fastest
LONG = 1000  # epochs; no test waits for the last one


@pytest.fixture
def shapes(server, drawn_shapes, monkeypatch):
    """Import a small dataset to the home of the server."""
    monkeypatch.setenv("CFU_HOME", str(server.home))
    return import_source(drawn_shapes, name="shapes")


@pytest.fixture
def fresh(new_server, drawn_shapes, monkeypatch):
    """Start a server for one test, with a small dataset in its home."""
    server = new_server()
    monkeypatch.setenv("CFU_HOME", str(server.home))
    return server, import_source(drawn_shapes, name="shapes")


def the_run(server) -> Run:
    """Return the run that has not ended."""
    (run,) = [run for run in runs_in(server.home) if not run.status().state.ended]
    return run


def stop_everything(screen) -> None:
    """Stop every run in the queue by its button."""
    buttons = screen.widget("stop-*").get_by_role("button")
    while (left := buttons.count()) > 0:
        buttons.last.click()
        expect(buttons).to_have_count(left - 1, timeout=LONG_TIMEOUT_MS)
    screen.settle()


def test_a_run_continues_without_its_server_and_the_next_server_shows_it(
    new_server, new_screen, server, screen, shapes
):
    screen.open("train", dataset=shapes.id)
    screen.start_training(SMALL, epochs=LONG)
    expect(screen.text(re.compile(rf"Epoch \d+ of {LONG}"))).to_be_visible(timeout=LONG_TIMEOUT_MS)
    run = the_run(server)

    server.kill()
    second = new_server(server.home)
    at_restart = run.status()
    assert at_restart.state is State.RUNNING
    assert second.process.pid not in (server.process.pid, at_restart.pid)

    after = new_screen(second)
    after.open("train", dataset=shapes.id)
    expect(after.text(run.name)).to_be_visible()
    expect(after.progress()).to_be_visible()
    shown = after.text(re.compile(rf"Epoch \d+ of {LONG}"))
    was = shown.inner_text()
    expect(shown).not_to_have_text(was, timeout=LONG_TIMEOUT_MS)  # it still trains
    assert run.status().pid == at_restart.pid
    stop_everything(after)
    assert run.status().state is State.STOPPED


def test_two_sessions_share_one_queue(fresh, new_screen):
    server, shapes = fresh
    one, other = new_screen(server), new_screen(server)
    one.open("train", dataset=shapes.id)
    one.start_training("AlexNet", epochs=LONG)
    expect(one.widget("stop-*")).to_have_count(1)

    other.open("train", dataset=shapes.id)
    # while it is queued, its buttons have this text as well
    expect(other.text("AlexNet, preprocessed, random weights, fine-tuned").first).to_be_visible()
    other.start_training("ResNet-18", epochs=LONG)
    for session in (one, other):
        first_in_queue = session.text(re.compile(r"^1\. ResNet-18, preprocessed, random weights, fine-tuned"))
        expect(first_in_queue).to_be_visible(timeout=LONG_TIMEOUT_MS)  # as soon as the other run has started
        expect(session.widget("stop-*")).to_have_count(2)
        expect(session.text("1 run waits")).to_have_count(1)

    stop_everything(one)
    for session in (one, other):
        expect(session.widget("stop-*")).to_have_count(0)
        expect(session.text("Removed from the queue before it started.")).to_be_visible()
    assert [run.status().state for run in runs_in(server.home)] == [State.STOPPED] * 2


def test_a_run_is_paused_resumed_killed_and_resumed(fresh, new_screen):
    server, shapes = fresh
    screen = new_screen(server)
    screen.open("train", dataset=shapes.id)
    screen.start_training(SMALL, epochs=LONG)
    expect(screen.text(re.compile(rf"Epoch [2-9] of {LONG}"))).to_be_visible(timeout=LONG_TIMEOUT_MS)
    run = the_run(server)

    screen.button("Pause").click()
    expect(screen.text("Paused on request.").first).to_be_visible(timeout=LONG_TIMEOUT_MS)
    expect(screen.text("paused").first).to_be_visible()
    done = len(run.history())
    screen.reload()
    screen.button("Resume").click()
    expect(screen.text(re.compile(rf"Epoch \d+ of {LONG} · batch \d of \d · \d+ images"))).to_be_visible(
        timeout=LONG_TIMEOUT_MS
    )
    assert [epoch["epoch"] for epoch in run.history()][:done] == list(range(1, done + 1))

    psutil.Process(run.status().pid).kill()
    expect(screen.text(re.compile("ended unexpectedly")).first).to_be_visible(timeout=LONG_TIMEOUT_MS)
    expect(screen.text("interrupted").first).to_be_visible()
    screen.button("Resume").click()
    expect(screen.widget("stop-*")).to_have_count(1)
    stop_everything(screen)
    assert run.status().state is State.STOPPED


def networks_waiting() -> list[str]:
    """Return the networks of the waiting runs, in order."""
    return [run.plan.architecture_label for run in queue_of("device")]


def test_waiting_runs_are_moved(fresh, new_screen):
    server, shapes = fresh
    screen = new_screen(server)
    screen.open("train", dataset=shapes.id)
    for number, network in enumerate((SMALL, "GoogLeNet", "AlexNet", "ResNet-18"), 1):
        screen.start_training(network, epochs=LONG)
        expect(screen.widget("stop-*")).to_have_count(number)
    expect(screen.text(re.compile(rf"Epoch \d+ of {LONG}"))).to_be_visible(
        timeout=LONG_TIMEOUT_MS
    )  # the first has begun
    expect(screen.widget("stop-*")).to_have_count(4)
    expect(screen.text("3 runs wait")).to_be_visible()
    assert networks_waiting() == ["GoogLeNet", "AlexNet", "ResNet-18"]
    screen.widget("down-*").get_by_role("button").first.click()
    expect(screen.text(re.compile(r"^1\. AlexNet, preprocessed"))).to_be_visible()
    assert networks_waiting() == ["AlexNet", "GoogLeNet", "ResNet-18"]
    stop_everything(screen)
