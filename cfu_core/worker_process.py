"""Processes that work for this one: questions go to them and answers come back through pipes.

A hand ends when nobody can ask any more, also where the one that asks was killed. It imports the module that it works
by and nothing else, neither the script that was started nor what that has imported.
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

_MOST = 8  # more would wait for the disk, and for the one that asks


def hands() -> int:
    """How many work at once."""
    return min(os.cpu_count() or 1, _MOST)


def serve(begin: Callable[[Any], Callable[[Any], Any]]) -> None:
    """Answer questions in a process of its own until there are no more.

    Parameters
    ----------
    begin : callable
        Takes the first message, and gives the function that makes of every question its answer. What that one raises
        is an answer, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks also says when to end
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError, pickle.UnpicklingError):  # who asks has ended, at any moment
        work = begin(pickle.load(questions))
        while True:
            question = pickle.load(questions)
            try:
                answer = work(question)
            except Exception as error:  # noqa: BLE001 - it is raised where the question came from
                answer = error
            pickle.dump(answer, answers)
            answers.flush()


class Hand:
    """A process that runs `serve`; one question at a time.

    Parameters
    ----------
    module : str
        With a function ``serve`` of no arguments that calls the `serve` above.
    first : object
        The first message.
    name : str
        What breaks off where the process is ended from outside: "The import".
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
        with suppress(BrokenPipeError):  # told at the first question
            self._send(first)

    def ask(self, question: object) -> Any:
        """The answer to a question.

        Raises
        ------
        DatasetError
            The process was ended from outside.
        Exception
            Whatever the work has raised.
        """
        try:
            self._send(question)
            answer = pickle.load(self._answers)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise DatasetError(
                f"{self._name} broke off: a process that reads images was ended from outside.",
                "",
                "Close other programs if memory is short, then start it again.",
            ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """Wait until it has ended."""
        with suppress(BrokenPipeError):
            self._questions.close()
        self._answers.close()
        self._process.wait()

    def _send(self, what: object) -> None:
        pickle.dump(what, self._questions)
        self._questions.flush()
