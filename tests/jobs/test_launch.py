"""The queue with real processes: it continues when a browser, a server or a job ends."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from filelock import FileLock, Timeout

from cfu_core.dataset.catalog import list_datasets, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import DatasetError, RunError, TrainingError, WeightsError
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, create_job
from cfu_core.jobs.launch import ensure_worker, remove_dataset, resume, submit, submit_runs
from cfu_core.jobs.queue import all_jobs, lane_lock, waiting
from cfu_core.jobs.worker import work
from cfu_core.processes import process_alive
from cfu_core.runs.model_files import load_model
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.storage import home
from cfu_core.training.config import TrainingConfig

PATIENCE_S = 120

pytestmark = pytest.mark.usefixtures("cfu_home")


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.05)


def lane_is_free(lane: str) -> bool:
    try:
        with FileLock(lane_lock(lane).lock_file).acquire(timeout=0):
            return True
    except Timeout:
        return False


@pytest.fixture
def _no_process_stays(cfu_home) -> Iterator[None]:
    yield
    assert home() == cfu_home
    for job in all_jobs():
        job.request_stop()
    until(lambda: lane_is_free("device") and lane_is_free("data"), "the workers to end")


@pytest.fixture
def nine_images(nine_shapes) -> Dataset:
    return import_source(nine_shapes)


@pytest.fixture
def endless(nine_images) -> TrainingConfig:
    """A run that ends only when it is stopped."""
    return TrainingConfig(
        dataset=nine_images.id,
        architecture="squeezenet1_1",
        recipe=Recipe.original(224),
        weights="none",
        epochs=1000,
        batch_size=3,
    )


@pytest.mark.usefixtures("_no_process_stays")
def test_an_import_runs_in_a_separate_process(drawn_shapes):
    job = submit("import", {"source": str(drawn_shapes), "name": "shapes"})
    until(lambda: job.status().state.ended, "the import")
    status = job.status()
    assert status.state is State.FINISHED, status.message + job.log.read_text()
    assert load_dataset(status.details["dataset"]).counts == {"disc": 12, "ring": 13, "square": 11}
    until(lambda: lane_is_free("data"), "the worker to end")


@pytest.mark.processes
@pytest.mark.usefixtures("_no_process_stays")
def test_the_queue_continues_after_killed_and_stopped_runs(nine_images, endless, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # three images a step: more threads would only wait for each other
    first, second = submit_runs([endless, endless], nine_images)
    one, two = first, second

    # one at a time, in order
    until(lambda: bool(first.metrics().batches), "the first step")
    assert one.status().state is State.RUNNING
    assert two.status().state is State.QUEUED
    assert not lane_is_free("device")
    work("device")  # a second worker leaves at once
    ensure_worker("device")
    assert two.status().state is State.QUEUED

    # killed from outside, as by a lack of memory
    psutil.Process(one.status().pid).kill()
    until(lambda: one.status().state is not State.RUNNING, "the kill")
    assert one.status().state is State.INTERRUPTED

    # the queue goes on; a stop keeps what the epochs so far gave
    until(lambda: bool(second.history()), "the second run's first epoch")
    pid, started = two.status().pid, two.status().pid_started
    two.request_stop()
    until(lambda: two.status().state.ended, "the stop")
    assert two.status().state is State.STOPPED
    until(lambda: not process_alive(pid, started), "the process to end")
    assert load_model(second).classifier[1].out_channels == 3
    assert second.evaluation() is None  # nobody has seen the test images
    until(lambda: lane_is_free("device"), "the worker to end")
    assert one.status().state is State.INTERRUPTED

    # the stopped run continues where it stopped; when it is paused, it frees the device
    epochs = len(second.history())
    resume(two)
    with pytest.raises(RunError, match="Only a job that was paused"):
        resume(two)
    until(lambda: len(second.history()) > epochs, "the next epoch")
    two.request_pause()
    until(lambda: two.status().state.ended, "the pause")
    assert (two.status().state, two.status().message) == (State.PAUSED, "Paused on request.")
    assert [epoch["epoch"] for epoch in second.history()] == list(range(1, len(second.history()) + 1))
    until(lambda: lane_is_free("device"), "the worker to end")


def test_a_run_that_does_not_fit_its_dataset_is_not_queued(nine_images, endless):
    from dataclasses import replace

    with pytest.raises(TrainingError, match="only 3 images"):
        submit_runs([endless, replace(endless, batch_size=4)], nine_images)
    assert list_runs() == []
    assert lane_is_free("device")


def test_no_worker_is_started_without_queued_jobs(monkeypatch):
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    ensure_worker("data")
    create_job("import", {}).request_stop()
    ensure_worker("data")


def test_no_second_worker_is_started(monkeypatch):
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    create_job("import", {})
    with lane_lock("data"):
        ensure_worker("data")


def test_a_finished_run_is_a_finished_job(finished_run):
    job = finished_run
    assert job.kind == "train"
    assert job.status().state is State.FINISHED
    assert job.status().fraction == 1.0
    assert Run(job.folder).evaluation() is not None


def test_one_weights_file_is_refused_for_several_networks(nine_images, endless, tmp_path):
    from dataclasses import replace

    file = tmp_path / "mine.pth"
    other = replace(endless, architecture="googlenet", recipe=replace(endless.recipe, size=299), weights=str(file))
    with pytest.raises(WeightsError, match=r"mine\.pth.*several networks"):
        submit_runs([replace(endless, weights=str(file)), other], nine_images)
    assert list_runs() == []


def test_a_dataset_of_a_queued_run_is_not_deleted(nine_images, endless, monkeypatch):
    monkeypatch.setattr("cfu_core.jobs.launch.ensure_worker", lambda lane: None)
    (run,) = submit_runs([endless], nine_images)
    with pytest.raises(DatasetError, match="1 run on this dataset"):
        remove_dataset(nine_images.id)
    run.request_stop()
    remove_dataset(nine_images.id)
    assert list_datasets() == []


def test_a_queued_survey_is_stopped_when_its_dataset_is_deleted(nine_images, monkeypatch):
    monkeypatch.setattr("cfu_core.jobs.launch.ensure_worker", lambda lane: None)
    job = submit("survey", {"dataset": nine_images.id})
    remove_dataset(nine_images.id)
    assert job.status().state == "stopped"
    assert list_datasets() == []


@pytest.mark.parametrize("status", ["{}", "[1]", "{", '{"state": "asleep"}'])
def test_a_damaged_status_fails_only_its_own_job(nine_images, endless, monkeypatch, status):
    monkeypatch.setattr("cfu_core.jobs.launch.ensure_worker", lambda lane: None)
    first, second = submit_runs([endless, endless], nine_images)
    (first.folder / "status.json").write_text(status)
    assert first.status().state is State.FAILED
    assert [job.id for job in waiting("device")] == [second.id]


def test_a_worker_that_is_starting_is_not_started_again(nine_images, monkeypatch):
    started = []
    real = subprocess.Popen

    def slow_to_start(_command, **options):
        """In place of a worker that takes long to come to its lock."""
        started.append(real([sys.executable, "-c", "input()"], **options | {"stdin": subprocess.PIPE}))
        return started[-1]

    monkeypatch.setattr("cfu_core.jobs.launch.subprocess.Popen", slow_to_start)
    submit("survey", {"dataset": nine_images.id})
    for _ in range(3):
        ensure_worker("background")
    assert len(started) == 1
    started[0].stdin.close()
    started[0].wait(20)
    ensure_worker("background")  # it died without doing anything
    assert len(started) == 2
    started[1].stdin.close()
    started[1].wait(20)
