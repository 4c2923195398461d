"""Worker processes: they receive questions and send back answers through pipes.

A worker process ends when the process that asks ends, also when that process is killed. It imports only the module
that it works with: neither the script that was started nor anything which that script has imported.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cfu_core import PROJECT
from cfu_core.errors import DatasetError

_MAX_WORKERS = 8  # more would wait for the disk and for the asking process


def worker_count() -> int:
    """Return the number of worker processes or threads to run in parallel: one per processor core, at most 8."""
    return min(os.cpu_count() or 1, _MAX_WORKERS)


def serve(initialise: Callable[[Any], Callable[[Any], Any]]) -> None:
    """Answer questions until the asking process closes the pipe or ends; the main function of a worker process.

    Messages are read from the standard input and answers are written to the standard output, both pickled, so that
    nothing else may be printed. The interrupt signal (Ctrl-C) is ignored.

    Parameters
    ----------
    initialise : callable
        Receives the first message and returns the function that answers the questions. An exception that this
        second function raises is sent back and raised in the asking process; the next question is then answered.
        Answers and exceptions must be picklable. If one is not, or if `initialise` itself raises an exception, the
        worker process ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the asking process decides when to stop
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError, pickle.UnpicklingError):  # the asking process may end at any moment
        answer_question = initialise(pickle.load(questions))
        while True:
            question = pickle.load(questions)
            try:
                answer = answer_question(question)
            except Exception as error:  # noqa: BLE001 - raised again in the asking process
                answer = error
            pickle.dump(answer, answers)
            answers.flush()


class WorkerProcess:
    """A process that runs `serve` and answers one question at a time. For one thread; must be closed.

    Parameters
    ----------
    module : str
        Name of a module with a function ``serve`` without parameters, which calls the `serve` of this module.
    first : object
        The first message, for the `initialise` of `serve`; any object that can be pickled.
    name : str
        Subject of the error message when the process is ended from outside, for example "The import".
    """

    def __init__(self, module: str, first: object, *, name: str) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {module} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout
        with suppress(BrokenPipeError):  # reported with the first question
            self._send(first)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, question: object) -> Any:
        """Send a question, wait, and return the answer.

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
        try:
            self._send(question)
            answer = pickle.load(self._answers)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise DatasetError(
                f"{self._name} stopped: one of its worker processes was ended from outside.",
                "",
                "Close other programs if memory is short, then start it again.",
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the pipes and wait until the process has ended. It finishes the current question first."""
        with suppress(BrokenPipeError):
            self._questions.close()
        self._answers.close()
        self._process.wait()

    def _send(self, message: object) -> None:
        pickle.dump(message, self._questions)
        self._questions.flush()
