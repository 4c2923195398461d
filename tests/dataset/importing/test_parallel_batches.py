import os

import pytest

from cfu_core.dataset.importing import parallel_batches
from cfu_core.dataset.importing.parallel_batches import itemwise, process_batches


@pytest.mark.parametrize("cpus", [1, 3])
def test_every_item_is_processed_once(monkeypatch, cpus):
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    monkeypatch.setattr(parallel_batches, "_BATCH_SIZE", 7)
    batches = list(process_batches(itemwise(lambda number: -number), range(1000)))
    assert sorted(-number for batch in batches for number in batch) == list(range(1000))
    assert max(map(len, batches)) == 7
    assert min(map(len, batches)) > 0
    assert list(process_batches(itemwise(str), [])) == []


def test_a_function_may_return_the_results_of_the_first_items_only(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    batches = list(process_batches(lambda items: list(items[:2]), range(101)))
    assert sorted(number for batch in batches for number in batch) == list(range(101))
    assert {len(batch) for batch in batches} <= {1, 2}


def test_few_items_are_processed_after_the_generator_is_closed(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(parallel_batches, "_BATCH_SIZE", 10)
    taken = []
    batches = process_batches(itemwise(taken.append), range(1000))
    next(batches)
    batches.close()
    assert 10 <= len(taken) <= 50


def test_slow_items_are_reported_one_by_one(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(parallel_batches, "BATCH_SECONDS", 0)
    assert [len(batch) for batch in process_batches(itemwise(str), range(5))] == [1] * 5


def test_an_error_of_the_function_is_raised(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        list(process_batches(itemwise(lambda number: 1 // number), range(-5, 5)))
