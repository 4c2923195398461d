"""Checkpoints, and runs that are killed and resumed."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from cfu_core import PROJECT
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import StorageError
from cfu_core.imaging.recipe import Recipe
from cfu_core.runs import checkpoints
from cfu_core.runs.checkpoints import (
    CheckpointWriter,
    best_weights,
    checkpoints_folder,
    discard_checkpoints,
    discard_newer,
    newest_checkpoint,
)
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig


@pytest.fixture
def writer(tmp_path):
    made = CheckpointWriter(tmp_path)
    yield made
    made.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in checkpoints_folder(folder).iterdir())


def keep(writer: CheckpointWriter, *steps: int) -> None:
    for step in steps:
        writer.write(step, {"weights": torch.full((3,), float(step))}, {"epoch": step})
    writer.wait()


def weights(folder: Path) -> list[float]:
    found, _ = newest_checkpoint(folder)
    return found.state["weights"].tolist()


def test_a_checkpoint_is_read_back_as_it_was_written(writer, tmp_path):
    state = {
        "optimizer": {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.arange(6.0).view(2, 3)}}},
        "best": [0.25, -1.5],
        "random": json.dumps({"state": 2**120 + 1}),
        "device": None,
        "order": torch.tensor([5, 3, 9]),
    }
    writer.write(7, state, {"epoch": 2, "batch": 3})
    state["order"][0] = 0  # the training continues while the checkpoint is written
    writer.wait()
    found, problems = newest_checkpoint(tmp_path)
    assert problems == []
    assert (found.metadata["epoch"], found.metadata["batch"]) == (2, 3)
    assert found.state["order"].tolist() == [5, 3, 9]
    assert (found.state["best"], found.state["random"], found.state["device"]) == (state["best"], state["random"], None)
    torch.testing.assert_close(found.state["optimizer"], state["optimizer"], rtol=0, atol=0)


def test_a_run_without_checkpoints_has_no_newest_one(tmp_path):
    assert newest_checkpoint(tmp_path) == (None, [])


def test_the_two_newest_are_kept(writer, tmp_path):
    keep(writer, 3, 9, 10, 200)
    assert files(tmp_path) == ["000000010.json", "000000010.pt", "000000200.json", "000000200.pt"]
    assert weights(tmp_path) == [200.0] * 3
    discard_checkpoints(tmp_path)
    assert not checkpoints_folder(tmp_path).exists()


@pytest.mark.parametrize("damage", ["truncated", "one byte", "gone", "its metadata"])
def test_if_the_newest_checkpoint_is_damaged_the_one_before_is_read(writer, tmp_path, damage):
    keep(writer, 1, 2)
    file = checkpoints_folder(tmp_path) / "000000002.pt"
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "one byte":
        place = content.index(torch.full((3,), 2.0).numpy().tobytes())
        file.write_bytes(content[:place] + b"\1" + content[place + 1 :])
    elif damage == "gone":
        file.unlink()
    else:
        file.with_suffix(".json").write_text("{")
    found, problems = newest_checkpoint(tmp_path)
    assert found.state["weights"].tolist() == [1.0] * 3
    assert len(problems) == 1
    assert problems[0].startswith("The checkpoint 000000002 is damaged and was skipped")


def test_checkpoints_newer_than_the_one_that_is_read_are_discarded(writer, tmp_path):
    for step in (1, 2):
        writer.write(step, {"network": {"weights": torch.ones(3)}}, {"epoch": step, "batch": 0}, best=step)
        writer.wait()
    folder = checkpoints_folder(tmp_path)
    (folder / "000000002.pt").write_bytes(b"damaged")
    found, _ = newest_checkpoint(tmp_path)
    assert (found.step, best_weights(tmp_path).metadata["best_epoch"]) == (1, 2)
    discard_newer(tmp_path, found)  # the run is resumed in epoch 1, before its end
    assert [file.name for file in folder.glob("*.json")] == ["000000001.json"]
    assert best_weights(tmp_path) is None

    (folder / "000000001.pt").unlink()
    found, _ = newest_checkpoint(tmp_path)
    assert found is None
    discard_newer(tmp_path, found)
    keep(writer, 0)
    assert newest_checkpoint(tmp_path)[0].step == 0


def test_a_checkpoint_that_the_disk_cannot_read_is_skipped(writer, tmp_path, monkeypatch):
    keep(writer, 1, 2)
    real = checkpoints._read

    def failing(path, crc32):
        if path.stem == "000000002":
            raise OSError(errno.EIO, "Input/output error")
        return real(path, crc32)

    monkeypatch.setattr(checkpoints, "_read", failing)
    assert weights(tmp_path) == [1.0] * 3


def test_incomplete_files_of_a_killed_process_are_ignored_and_removed(writer, tmp_path):
    keep(writer, 1)
    folder = checkpoints_folder(tmp_path)
    (folder / "000000002.pt").write_bytes(b"without its metadata")
    (folder / ".000000003.pt.1234abcd.part").write_bytes(b"half")
    assert weights(tmp_path) == [1.0] * 3
    keep(writer, 4)
    assert files(tmp_path) == ["000000001.json", "000000001.pt", "000000004.json", "000000004.pt"]


@pytest.mark.parametrize(
    ("seconds_since", "seconds_to_write", "within_epoch", "after_epoch"),
    [
        (0.0, 0.0, False, True),
        (55.0, 2.0, False, False),  # 2 s are more than a fiftieth of 55 s
        (55.0, 1.0, False, True),
        (45.0, 1.0, False, False),
        (61.0, 1.0, True, True),
        (61.0, 9.0, True, True),  # after a minute in any case
    ],
)
def test_a_checkpoint_is_due_after_a_minute_or_after_an_epoch_if_it_takes_little_of_the_time(
    writer, seconds_since, seconds_to_write, within_epoch, after_epoch
):
    writer._last = time.monotonic() - seconds_since
    writer._last_seconds = seconds_to_write
    assert writer.due_within_epoch is within_epoch
    assert writer.due_after_epoch is after_epoch


def test_no_checkpoint_is_due_while_the_last_one_is_being_written(writer, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_S", 0.0)
    assert writer.due_within_epoch
    assert writer.due_after_epoch
    finish = threading.Event()
    real = checkpoints._write

    def slow(*arguments):
        assert finish.wait(60)
        real(*arguments)

    monkeypatch.setattr(checkpoints, "_write", slow)
    writer.write(1, {"weights": torch.zeros(3)}, {"epoch": 1})
    assert not writer.due_within_epoch
    assert not writer.due_after_epoch
    finish.set()
    writer.wait()
    assert writer.due_within_epoch
    assert writer.due_after_epoch


def test_a_full_disk_is_reported_by_wait_and_the_last_checkpoint_stays(mounted):
    disk = mounted("size=1m")
    writer = CheckpointWriter(disk)
    keep(writer, 1)
    writer.write(2, {"weights": torch.zeros(500_000)}, {})
    with pytest.raises(StorageError, match="The disk is full"):
        writer.wait()
    assert files(disk) == ["000000001.json", "000000001.pt"]
    writer.close()


# --- a run, killed again and again

SESSIONS = """
import os, signal, sys, time
from pathlib import Path

from cfu_core.runs import checkpoints
from cfu_core.runs.execution import execute_run
from cfu_core.observer import Observer
from cfu_core.runs.run import Run

checkpoints.EVERY_S = 0.0

class Killer(Observer):
    def __init__(self, run, steps):
        self.run, self.left = run, steps

    def report(self, phase, **details):
        self.left -= phase == "Training"
        if self.left < 0:
            while not list(self.run.folder.glob("checkpoints/*.json")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

    def stop_requested(self):
        return False

for number in range(1, len(sys.argv), 2):
    child = os.fork()  # one process per session, without importing torch again
    if child == 0:
        run = Run(Path(sys.argv[number]))
        execute_run(run, Killer(run, int(sys.argv[number + 1])))
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def run_sessions(*sessions: tuple[Run, int]) -> list[int]:
    """Train each run in a process that is killed after a number of steps; return the signals that ended them, or 0."""
    arguments = [text for run, steps in sessions for text in (str(run.folder), str(steps))]
    command = [sys.executable, "-c", SESSIONS, *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.mark.processes
def test_a_run_that_was_killed_three_times_gives_the_same_bits(cfu_home, nine_shapes):  # noqa: ARG001
    data = import_source(nine_shapes)
    config = TrainingConfig(
        dataset=data.id, architecture="resnet18", recipe=Recipe.original(299), weights="none", epochs=2, batch_size=2
    )
    whole, killed = plan_runs([config, config], data)
    # in the first epoch; directly after resuming, so that this session makes no progress; in the second epoch
    kills = [(killed, 1), (killed, 0), (killed, 1)]
    ended = run_sessions((whole, 99), *kills, (killed, 99))
    assert ended == [0, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, 0]
    for name in ("model.safetensors", "predictions.csv", "evaluation.json"):
        assert (whole.folder / name).read_bytes() == (killed.folder / name).read_bytes(), name
    figures = ("epoch", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy", "best")
    assert [[e[f] for f in figures] for e in killed.history()] == [[e[f] for f in figures] for e in whole.history()]
    steps = [(step["epoch"], step["batch"], step["loss"]) for step in whole.metrics().batches]
    assert [(step["epoch"], step["batch"], step["loss"]) for step in killed.metrics().batches] == steps
    assert killed.timing()["sittings"] in (3, 4)  # the session without progress may not be counted
    assert not checkpoints_folder(killed.folder).exists()
