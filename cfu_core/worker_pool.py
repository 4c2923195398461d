"""A pool of worker processes that several threads share."""

from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any, Self

from cfu_core.worker_process import WorkerProcess, worker_count


class WorkerPool:
    """Pool of `worker_count` worker processes. Use as a context manager, once.

    The processes start when the context is entered, and end when it is left. A process that was ended from outside is
    not replaced; every question that reaches it raises `DatasetError`.

    Parameters
    ----------
    module, first, name
        As for `WorkerProcess`; every process receives the same first message.
    """

    def __init__(self, module: str, first: object, *, name: str) -> None:
        self._module, self._first, self._name = module, first, name
        self._idle: SimpleQueue[WorkerProcess] = SimpleQueue()
        self._size = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            for _ in range(worker_count()):
                worker = WorkerProcess(self._module, self._first, name=self._name)
                self._stack.callback(worker.close)
                self._idle.put(worker)
                self._size += 1
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, question: object) -> Any:
        """Send a question to an idle worker process and return its answer.

        Several threads may call it at once. A thread waits while no process is idle.

        Parameters
        ----------
        question : object
            Any object that can be pickled.

        Raises
        ------
        DatasetError
            The process ended before it answered, for example because the system ran out of memory, or because the
            answer cannot be pickled.
        Exception
            The exception that the worker process raised for this question.
        """
        worker = self._idle.get()
        try:
            return worker.ask(question)
        finally:
            self._idle.put(worker)

    def ask_each(self, question: object) -> list[Any]:
        """Send the same question to every worker process, one after the other, and return the answers.

        Waits until all processes are idle. Only one thread may call it at a time.

        Parameters
        ----------
        question : object
            Any object that can be pickled.

        Returns
        -------
        list
            One answer per process, in no particular order.

        Raises
        ------
        DatasetError, Exception
            As from `ask`. The remaining processes do not receive the question.
        """
        workers = [self._idle.get() for _ in range(self._size)]
        try:
            return [worker.ask(question) for worker in workers]
        finally:
            for worker in workers:
                self._idle.put(worker)
