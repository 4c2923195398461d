"""The GPU benchmark: time limit, rows and table; and all of its parts on the processor, in the dry mode."""

import json
import math
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
import torch

from benchmarks import gpu, gpu_protocol, gpu_steps
from benchmarks.gpu_results import NEEDS_CUDA, NO_TIME, Deadline, Part, Recorder, describe_error, read_rows, slug, table
from cfu_core import PROJECT
from cfu_core.published.zamani_2023 import CLASS_TOTALS, TABLE_1


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


# ---- the deadline ----


def test_a_part_gets_its_limit_while_time_is_plentiful():
    assert Deadline(480, Clock()).grant(Part(name="steps", minimum=10, limit=45), []) == 45


def test_later_parts_keep_their_minimum():
    clock = Clock()
    deadline = Deadline(100, clock)
    part, later = Part(name="a", minimum=10, limit=90), [Part(name="b", minimum=30), Part(name="c", minimum=25)]
    assert deadline.grant(part, later) == 45
    clock.now += 20
    assert deadline.grant(part, later) == 25


def test_a_part_gets_its_minimum_before_later_ones_do():
    clock = Clock()
    deadline = Deadline(100, clock)
    clock.now += 70
    assert deadline.grant(Part(name="a", minimum=20, limit=90), [Part(name="b", minimum=30)]) == 20


@pytest.mark.parametrize("spent", [81, 100, 130])
def test_a_part_is_left_out_if_less_than_its_minimum_is_left(spent):
    clock = Clock()
    deadline = Deadline(100, clock)
    clock.now += spent
    assert deadline.grant(Part(name="a", minimum=20, limit=90), []) == 0


def test_a_part_without_a_minimum_is_left_out_after_the_end():
    clock = Clock()
    deadline = Deadline(100, clock)
    clock.now += 100
    assert deadline.grant(Part(name="a"), []) == 0


def test_parts_that_use_all_their_time_end_before_the_deadline():
    clock = Clock()
    deadline = Deadline(gpu.LIMIT, clock)
    parts = gpu.plan(dry=False)
    granted = []
    for number, part in enumerate(parts):
        granted.append(deadline.grant(part, parts[number + 1 :]))
        clock.now += granted[-1]
    assert all(seconds >= part.minimum for seconds, part in zip(granted, parts, strict=True))
    assert sum(granted) <= gpu.LIMIT <= 480


def test_the_dry_mode_has_the_same_parts_as_the_benchmark():
    assert {part.name for part in gpu.plan(dry=True)} == {part.name for part in gpu.plan(dry=False)}
    measured = {network for part in gpu.plan(dry=False) if part.name == "steps" for network in part.networks}
    assert measured == set(TABLE_1)
    for part in gpu.plan(dry=False):
        assert callable(getattr(import_module(f"benchmarks.{gpu.MODULES[part.name]}"), part.name))
        assert part.name in gpu.PACKAGES


# ---- the process of a part ----


def test_a_part_is_ended_when_its_time_is_up(tmp_path):
    reason = gpu.start(["--part", "machine"], 0.05, tmp_path, dry=True)
    assert reason == "ended after 0 s, when its time was up"


def test_the_last_line_of_a_failed_part_is_its_reason(tmp_path):
    reason = gpu.start(["--part", "no-such-part"], 60, tmp_path, dry=True)
    assert reason.startswith("its process ended with status 1: ")
    assert "no-such-part" in reason


def test_a_part_without_its_packages_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(gpu.PACKAGES, "protocol", {"json": "json", "no_such_module": "no-such-package"})
    rows = gpu.run_part(Part(name="protocol"), [], Deadline(100, Clock()), tmp_path, [], dry=True)
    assert [row["left_out"] for row in rows] == ["not installed: no-such-package"]


def test_parts_on_the_demo_are_left_out_if_it_could_not_be_drawn(tmp_path):
    demo = {"name": "demo", "settings": {}, "left_out": NO_TIME, "seconds": 0.0}
    rows = gpu.run_part(Part(name="protocol"), [], Deadline(100, Clock()), tmp_path, [demo], dry=True)
    assert [row["left_out"] for row in rows] == ["needs the demo"]


# ---- CUDA graphs, with a stand-in for CUDA ----


def test_a_graph_is_captured_after_a_warm_up_in_a_stream_of_its_own(monkeypatch):
    events = []

    class Stream:
        def __init__(self, name="side"):
            self.name = name

        def wait_stream(self, other):
            events.append(f"{self.name} waits for {other.name}")

    class Graph:
        def replay(self):
            events.append("replay")

    @contextmanager
    def context(name):
        events.append(f"begin {name}")
        yield
        events.append(f"end {name}")

    update = gpu_steps.Step.update

    def recorded_update(step):
        events.append("step" if step.optimizer.param_groups[0]["capturable"] else "step that cannot be captured")
        if "begin capture" in events:
            assert all(weights.grad is None for weights in step.network.parameters())
        update(step)

    main = Stream("main")
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: main)
    monkeypatch.setattr(torch.cuda, "stream", lambda _stream: context("side stream"))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda _graph: context("capture"))
    monkeypatch.setattr(gpu_steps.Step, "update", recorded_update)
    network = gpu_steps.initial_network("squeezenet1_1")
    arguments = (network, "squeezenet1_1", 2, "float32", "channels last", torch.device("cpu"))
    numbers = gpu_steps.cuda_graph(*arguments, dry=True)
    assert events == [
        *("side waits for main", "begin side stream", *["step"] * gpu_steps.WARM_UP, "end side stream"),
        *("main waits for side", "begin capture", "step", "end capture", "replay", "replay"),
    ]
    assert numbers["epoch_seconds"] == pytest.approx(510 / numbers["images_per_second"])
    assert numbers["step_milliseconds"] == pytest.approx(2000 / numbers["images_per_second"])


def test_a_loss_that_is_not_finite_is_an_error():
    network = gpu_steps.initial_network("squeezenet1_1")
    step = gpu_steps.Step(network, "squeezenet1_1", 2, "float32", "channels first", torch.device("cpu"))
    step.images[:] = math.nan
    with pytest.raises(ArithmeticError, match="The loss is nan"):
        gpu_steps.timed(step, step, dry=True)


# ---- rows ----


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path / "rows.jsonl", Deadline(100, Clock()))


def test_a_failure_is_recorded_and_the_next_row_measured(recorder, tmp_path):
    def fail():
        raise ValueError("first line\nsecond line")

    assert not recorder.measure("steps", {"batch": 15}, fail)
    assert recorder.measure("steps", {"batch": 60}, lambda: {"loss": 1.5})
    failed, measured = read_rows(tmp_path / "rows.jsonl")
    assert failed["left_out"] == "ValueError: first line"
    assert "numbers" not in failed
    assert measured["settings"] == {"batch": 60}
    assert measured["numbers"] == {"loss": 1.5}


def test_nothing_is_measured_after_the_deadline(tmp_path):
    clock = Clock()
    recorder = Recorder(tmp_path / "rows.jsonl", Deadline(10, clock))
    clock.now += 10
    assert not recorder.measure("steps", {}, lambda: pytest.fail("measured after the deadline"))
    assert [row["left_out"] for row in read_rows(tmp_path / "rows.jsonl")] == [NO_TIME]


def test_a_number_that_is_not_finite_becomes_text(recorder, tmp_path):
    recorder.measure("equal maps", {}, lambda: {"largest_difference": math.nan, "equal": False})
    (row,) = read_rows(tmp_path / "rows.jsonl")
    assert row["numbers"] == {"largest_difference": "nan", "equal": False}
    gpu.write(tmp_path / "results" / "gpu.json", {"parts": [row]})
    assert json.loads((tmp_path / "results" / "gpu.json").read_text()) == {"parts": [row]}


def test_a_row_that_is_cut_off_is_ignored(recorder, tmp_path):
    recorder.leave_out("steps", {}, NEEDS_CUDA)
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write('{"name": "ste')
    assert [row["name"] for row in read_rows(tmp_path / "rows.jsonl")] == ["steps"]


def test_an_error_without_a_message_has_a_description():
    assert describe_error(MemoryError()) == "MemoryError: no message"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm4-80gb"), (" RTX  3060 (Laptop)", "rtx-3060-laptop")],
)
def test_a_slug_has_letters_digits_and_hyphens(name, expected):
    assert slug(name) == expected


@pytest.mark.parametrize(("affordable", "total"), [(10_000, 728), (364, 364), (0, 36)])
def test_fewer_images_are_drawn_when_time_is_short(affordable, total):
    counts = gpu_protocol.scaled_counts(affordable)
    assert set(counts) == set(CLASS_TOTALS)
    assert sum(counts.values()) == pytest.approx(total, abs=3)


def test_an_epoch_has_the_training_images_of_the_paper():
    assert gpu_steps.EPOCH_IMAGES == 510


# ---- the table ----

RESULTS = {
    "dry": False,
    "machine": {"device": "Card X", "driver": "580.1", "torch": "2.11.0", "memory_gigabytes": 79.2, "cuda": ""},
    "seconds": 200.4,
    "limit_seconds": 470.0,
    "parts": [
        {
            "name": "steps",
            "settings": {"network": "alexnet", "batch": 15, "precision": "TF32"},
            "numbers": {"images_per_second": 5120.7, "epoch_seconds": 0.09959, "loss": 1.0},
            "seconds": 1.26,
        },
        {"name": "steps", "settings": {"network": "resnet18", "batch": 60}, "left_out": NEEDS_CUDA, "seconds": 0.0},
        {"name": "equal maps", "settings": {}, "numbers": {"equal": False, "options": "GPU: X"}, "seconds": 12.0},
    ],
}


def test_the_table_has_a_line_for_each_row():
    title, facts, total, empty, header, *lines = table(RESULTS).splitlines()
    assert (title, empty) == ("Card X", "")
    assert facts == "device Card X, driver 580.1, torch 2.11.0, memory gigabytes 79.2"
    assert total == "200 of 470 seconds"
    assert header.split() == ["part", "settings", "result", "seconds"]
    assert [line.split("  ")[0] for line in lines] == ["steps", "steps", "equal maps"]
    assert "alexnet, batch 15, TF32  images per second 5121, epoch seconds 0.0996, loss 1" in lines[0]
    assert "resnet18, batch 60 " in lines[1]
    assert "left out: needs CUDA" in lines[1]
    assert "equal no, options GPU: X" in lines[2]
    assert [line.split()[-1] for line in lines] == ["1.3", "0.0", "12.0"]


def test_the_table_depends_on_the_json_file_alone(tmp_path, capsys):
    path = tmp_path / "gpu.json"
    gpu.write(path, RESULTS)
    assert gpu.main(["--table", str(path)]) == 0
    assert capsys.readouterr().out == table(RESULTS) + "\n"


def test_a_dry_run_is_not_taken_for_a_result():
    title = table({**RESULTS, "dry": True}).splitlines()[0]
    assert title == "DRY RUN ON A PROCESSOR, not a result: few images, few steps"


# ---- the whole benchmark on the processor ----


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.processes
@pytest.mark.timeout(600)  # a minute on two cores that do nothing else
def test_the_dry_mode_runs_every_part(tmp_path):
    for name in ("user", "temporary"):
        (tmp_path / name).mkdir()
    environment = os.environ | {
        "CFU_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path / "user"),
        "TMPDIR": str(tmp_path / "temporary"),
        "PYTHON": sys.executable,
    }
    before = files(PROJECT / "benchmarks")
    command = [PROJECT / "benchmarks" / "gpu.sh", "--dry", "--out", "results/gpu.json"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    results = json.loads((tmp_path / "results" / "gpu.json").read_text(encoding="utf-8"))
    assert results["dry"] is True
    assert results["machine"]["device"] == "processor"

    rows = results["parts"]
    measured = [row for row in rows if "numbers" in row]
    reasons = {row["left_out"] for row in rows if "left_out" in row}
    assert reasons == {NEEDS_CUDA}
    names = {row["name"] for row in measured}
    assert names == {
        *("demo", "steps", "training", "protocol", "protocol run", "trained network"),
        *("equal predictions", "equal maps", "bundle"),
    }
    assert {row["name"] for row in rows} - names == {"memory", "compiled"}
    steps = [row["settings"] for row in measured if row["name"] == "steps"]
    assert {each["network"] for each in steps} == set(TABLE_1)
    assert {(each["precision"], each["layout"]) for each in steps} == {
        (precision, layout) for precision in ("float32", "bfloat16") for layout in ("channels first", "channels last")
    }
    assert len([row for row in measured if row["name"] == "protocol run"]) == 2
    assert len([row for row in measured if row["name"] == "training"]) == 2

    for row in measured:
        for name, value in row["numbers"].items():
            if name in ("images_per_second", "epoch_seconds", "step_milliseconds", "total_seconds", "images"):
                assert value > 0, row
            elif isinstance(value, int | float):
                assert value >= 0, row
    for row in measured:
        if row["name"].startswith("equal"):
            assert row["numbers"]["equal"] is True
            assert 0 <= row["numbers"]["largest_difference"] < 2e-3
        if row["name"] == "bundle":
            assert row["numbers"]["largest_difference_of_ONNX"] < 2e-3

    assert table(results) in done.stdout
    assert len(table(results).splitlines()) == 5 + len(rows)
    assert files(tmp_path) == {"results/gpu.json"}
    assert files(PROJECT / "benchmarks") == before
