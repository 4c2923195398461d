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
    """Return a function of a batch, for `process_batches`, that applies `function` to the items one by one."""
    return lambda items: apply_within(function, items, seconds=BATCH_SECONDS)


def process_batches(
    function: Callable[[Sequence[_Item]], list[_Result]], items: Sequence[_Item]
) -> Generator[list[_Result], None, None]:
    """Process items in several threads and yield the results batch by batch, in any order.

    Items are handed over in batches because handing them over one by one takes longer than the work on small images.

    Parameters
    ----------
    function : callable
        Receives a batch and returns the results of its first items, of one item at least. The remaining items come
        again in a later batch.
    items : sequence
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
