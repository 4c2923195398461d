"""Batches of items that threads process in parallel."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from cfu_core.dataset.importing.copying import apply_within
from cfu_core.worker_process import worker_count

_BATCH_SIZE = 256  # items; results are reported after so many items or BATCH_SECONDS, whichever comes first
BATCH_SECONDS = 0.1
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def itemwise(function: Callable[[_Item], _Result]) -> Callable[[Sequence[_Item]], list[_Result]]:
    """Convert a function of one item to a function of a batch, for `process_batches`.

    Parameters
    ----------
    function : callable
        Receives an item and returns its result. An exception that it raises is not caught.

    Returns
    -------
    callable
        Receives a batch and applies `function` to its first items, for a tenth of a second but to at least one item.
    """
    return lambda items: apply_within(function, items, seconds=BATCH_SECONDS)


def process_batches(
    function: Callable[[Sequence[_Item]], list[_Result]], items: Sequence[_Item]
) -> Generator[list[_Result], None, None]:
    """Process items in several threads and yield the results batch by batch.

    Threads receive batches, because exchanging single items takes longer than processing small images.

    Parameters
    ----------
    function : callable
        Receives a batch of at most 256 items and returns the results of its first items, of at least one item. The
        remaining items are in a later batch again. Several threads call it at once. An exception that it raises is
        raised by the generator and ends the processing.
    items : sequence
        May be empty; then nothing is yielded.

    Yields
    ------
    list
        Results of one batch, in the order of its items. Batches come in no particular order. When the generator is
        closed, no new batch starts, and it waits for the running ones.
    """
    remaining = deque(items)

    def process_batch() -> list[_Result]:
        batch: list[_Item] = []
        with suppress(IndexError):
            while len(batch) < _BATCH_SIZE:
                batch.append(remaining.popleft())
        results = function(batch) if batch else []
        remaining.extendleft(reversed(batch[len(results) :]))
        return results

    pool = ThreadPoolExecutor(worker_count(), thread_name_prefix="import")
    try:
        futures: deque[Future[list[_Result]]] = deque(pool.submit(process_batch) for _ in range(2 * worker_count()))
        while futures:
            results = futures.popleft().result()
            if results:
                futures.append(pool.submit(process_batch))
                yield results
    finally:
        pool.shutdown(cancel_futures=True)
