"""Many hands for the images of an import: threads here, or processes of their own that carry the ordinary ones."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Self, TypeVar

from cfu_core.dataset.importing import copying
from cfu_core.dataset.importing.copying import Carried, Shelf, in_time
from cfu_core.worker_process import Hand, hands

_BATCH, _BATCH_S = 256, 0.1  # a hand reports after so many images or seconds, whichever comes first
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def one_by_one(work: Callable[[_Item], _Result]) -> Callable[[Sequence[_Item]], list[_Result]]:
    """`work` of one item as `in_batches` wants it."""
    return lambda items: in_time(work, items, _BATCH_S)


def in_batches(
    work: Callable[[Sequence[_Item]], list[_Result]], items: Sequence[_Item]
) -> Generator[list[_Result], None, None]:
    """The results of `work` in a few threads, in any order; a batch at a time, since handing over takes long.

    Parameters
    ----------
    work : callable
        Gives the results of the first few of the items it is given, at least of one.
    """
    left = deque(items)

    def batch() -> list[_Result]:
        taken: list[_Item] = []
        with suppress(IndexError):
            while len(taken) < _BATCH:
                taken.append(left.popleft())
        results = work(taken) if taken else []
        left.extendleft(reversed(taken[len(results) :]))
        return results

    pool = ThreadPoolExecutor(hands(), thread_name_prefix="import")
    try:
        waiting: deque[Future[list[_Result]]] = deque(pool.submit(batch) for _ in range(2 * hands()))
        while waiting:
            results = waiting.popleft().result()
            if results:
                waiting.append(pool.submit(batch))
                yield results
    finally:
        pool.shutdown(cancel_futures=True)


class Crew:
    """Processes that carry ordinary images; `carry` may be called from as many threads as there are `hands`.

    Threads would not do: every call of the operating system hands on the interpreter's lock, and small images cost
    little else, so that two threads carry them no faster than one.

    Parameters
    ----------
    shelf, most
        As for `carrying.carry`.
    """

    def __init__(self, shelf: Shelf | None, *, most: int) -> None:
        self._first = (shelf, most)
        self._free: SimpleQueue[Hand] = SimpleQueue()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            for _ in range(hands()):
                hand = Hand(copying.__name__, self._first, name="The import")
                self._stack.callback(hand.end)
                self._free.put(hand)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def carry(self, files: Sequence[str]) -> list[Carried | None]:
        """What `carrying.carry` gives for the first few of these files, at least for one.

        Raises
        ------
        OSError
            An image could not be written.
        DatasetError
            The process was ended from outside.
        """
        hand = self._free.get()
        try:
            return hand.ask((files, _BATCH_S))
        finally:
            self._free.put(hand)

    def finish(self) -> None:
        """Wait until all is on the disk. Raises as `carry` does."""
        for _ in range(hands()):
            self._free.get().ask(([], 0))
