"""Failures of real processes: a run continues and gives the same bits."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cfu_core.dataset.importing.source import import_source
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, Status
from cfu_core.jobs.launch import resume, submit_runs
from cfu_core.runs.run import Run
from cfu_core.storage import read_json
from cfu_core.training.cache import cache_folder
from cfu_core.training.config import TrainingConfig

pytestmark = pytest.mark.processes
PATIENCE_S = 120


@pytest.fixture
def started(nine_shapes) -> Callable[..., list[Run]]:
    """Start runs of a small network on nine images in separate processes; stop them after the test."""
    begun: list[Run] = []

    def start(*, count: int = 1, epochs: int) -> list[Run]:
        data = import_source(nine_shapes)
        config = TrainingConfig(
            dataset=data.id,
            architecture="squeezenet1_1",
            recipe=Recipe.original(224),
            weights="none",
            epochs=epochs,
            batch_size=3,
        )
        begun.extend(submit_runs([config] * count, data))
        return begun

    yield start
    for run in begun:
        run.request_stop()
    for run in begun:
        wait(run, lambda status: status.state.ended)


def wait(run: Run, until: Callable[[Status], bool]) -> Status:
    """Wait until a condition on the status of a run holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not until(status := run.status()):
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


def at_epoch(number: int) -> Callable[[Status], bool]:
    return lambda status: status.state.ended or status.details.get("epoch", 0) >= number


def finish(run: Run) -> Status:
    status = wait(run, lambda status: status.state.ended)
    assert status.state is State.FINISHED, status.message
    return status


def test_a_deleted_cache_a_killed_process_and_a_truncated_checkpoint_change_no_result(cfu_home, started):
    whole, hurt = started(count=2, epochs=60)
    finish(whole)
    for epoch in (2, 4):  # two checkpoints, however fast the computer is
        wait(hurt, at_epoch(epoch))
        hurt.request_pause()
        assert wait(hurt, lambda status: status.state.ended).state is State.PAUSED
        resume(hurt)
    assert not wait(hurt, at_epoch(6)).state.ended
    shutil.rmtree(cache_folder())
    status = wait(hurt, at_epoch(9))  # what is mapped is still there
    assert not status.state.ended
    kept = hurt.folder / "checkpoints"
    os.kill(status.pid, signal.SIGKILL)
    status = wait(hurt, lambda status: status.state.ended)
    assert status.state is State.INTERRUPTED
    assert "killed" in status.message
    *_, before, newest = sorted(kept.glob("*.json"))
    weights = newest.with_suffix(".pt")
    os.truncate(weights, weights.stat().st_size // 2)
    sessions = read_json(before)["timing"]["sittings"]
    resume(hurt)  # the images are prepared once more
    finish(hurt)
    (remark,) = hurt.timing()["remarks"]
    assert f"The checkpoint {newest.stem} is damaged and was skipped" in remark
    assert remark in hurt.log.read_text(encoding="utf-8")
    assert int(before.stem) < int(newest.stem)
    for name in ("model.safetensors", "predictions.csv"):
        assert (whole.folder / name).read_bytes() == (hurt.folder / name).read_bytes(), name
    assert hurt.timing()["sittings"] == sessions + 1
    # never two at once on one device: the second began when the first had ended
    assert (hurt.folder / "metrics.jsonl").stat().st_ctime > (whole.folder / "evaluation.json").stat().st_mtime
    assert cfu_home.exists()


def test_a_second_start_waits_for_the_first(cfu_home, started):
    first, second = started(count=2, epochs=1000)
    status = wait(first, at_epoch(1))
    assert second.status().state is State.QUEUED
    working = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(first.folder.parent) in " ".join(process.info["cmdline"] or [])
    ]
    assert working == [status.pid]
    assert cfu_home.exists()


def test_a_full_disk_fails_the_run_with_a_message_and_the_run_can_be_resumed(mounted, monkeypatch, started):
    disk: Path = mounted("size=80m")
    monkeypatch.setenv("CFU_HOME", str(disk / "home"))
    (run,) = started(epochs=30)
    assert not wait(run, at_epoch(2)).state.ended
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    status = wait(run, lambda status: status.state.ended)
    assert status.state is State.FAILED, status
    assert "The disk is full" in status.message
    filler.unlink()
    resume(run)
    finish(run)
    assert run.evaluation() is not None
    assert [epoch["epoch"] for epoch in run.history()] == list(range(1, 31))
