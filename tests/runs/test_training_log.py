import json
import threading
from pathlib import Path

import pytest

from cfu_core.runs.training_log import MetricsReader


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "metrics.jsonl"


def line(kind: str, epoch: int, batch: int = 1) -> str:
    return json.dumps({"kind": kind, "epoch": epoch, "batch": batch}) + "\n"


def test_there_is_nothing_before_the_first_line(path):
    assert MetricsReader(path).read() == ([], [])


def test_each_reading_returns_old_and_new_lines(path):
    reader = MetricsReader(path)
    path.write_text(line("batch", 1) + line("batch", 1, 2))
    assert [b["batch"] for b in reader.read().batches] == [1, 2]
    with path.open("a") as file:
        file.write(line("epoch", 1) + line("batch", 2))
    epochs, batches = reader.read()
    assert [e["epoch"] for e in epochs] == [1]
    assert [b["epoch"] for b in batches] == [1, 1, 2]
    assert reader.read() == (epochs, batches)


def test_an_incomplete_line_is_read_the_next_time(path):
    reader = MetricsReader(path)
    whole = line("batch", 1) + line("batch", 2)
    path.write_text(whole[:-9])
    assert len(reader.read().batches) == 1
    path.write_text(whole)
    assert len(reader.read().batches) == 2


@pytest.mark.parametrize(
    "damaged",
    [b"{", b"\0\0\0", b"\xff", b"[]", b"5", b'"text"', b'{"epoch": 1}', b'{"kind": "other"}', b'{"kind": []}'],
)
def test_a_damaged_line_is_left_out_at_each_reading(path, damaged):
    reader = MetricsReader(path)
    path.write_bytes(line("batch", 1).encode() + damaged + b"\n" + line("epoch", 2).encode())
    first = reader.read()
    assert [each["epoch"] for each in (*first.batches, *first.epochs)] == [1, 2]
    assert reader.read() == MetricsReader(path).read() == first


def test_only_new_lines_are_read(path, monkeypatch):
    reader = MetricsReader(path)
    path.write_text(line("batch", 1) * 1000)
    reader.read()
    parsed = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or loads(text))
    with path.open("a") as file:
        file.write(line("batch", 7))
    assert len(reader.read().batches) == 1001
    assert len(parsed) == 1


def test_a_file_that_was_replaced_is_read_from_its_beginning(path, tmp_path):
    reader = MetricsReader(path)
    path.write_text(line("batch", 1) + line("batch", 2) + line("batch", 3))
    reader.read()
    other = tmp_path / "other"
    other.write_text(line("batch", 8) * 4)  # longer than before
    other.replace(path)
    assert [b["epoch"] for b in reader.read().batches] == [8] * 4
    path.unlink()
    assert reader.read() == ([], [])


def test_the_returned_lists_belong_to_the_caller(path):
    reader = MetricsReader(path)
    path.write_text(line("batch", 1))
    reader.read().batches.clear()
    assert len(reader.read().batches) == 1


def test_several_threads_can_read(path):
    path.write_text(line("batch", 1) * 5000)
    reader, found = MetricsReader(path), []
    threads = [threading.Thread(target=lambda: found.append(len(reader.read().batches))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [5000] * 8
