"""The interface between a computation and its observer: progress reports and stop requests."""

from collections.abc import Callable
from typing import Any

from cfu_core.errors import StopRequested


class Observer:
    """Receives progress and decides when to stop. Abstract base class."""

    def report(self, phase: str, **details: Any) -> None:
        """Receive a progress report.

        Parameters
        ----------
        phase : str
            The current step, for people.
        **details
            Progress within the step, for example ``done`` and ``total``.
        """
        raise NotImplementedError

    def stop_requested(self) -> bool:
        """Return whether the computation should stop now."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise an exception if a stop was requested.

        Raises
        ------
        StopRequested
        """
        if self.stop_requested():
            raise StopRequested

    def progress(self, phase: str) -> Callable[[int, int], None]:
        """Return a callback that reports progress and checks for a stop request.

        Parameters
        ----------
        phase : str
            The step that the callback reports on.

        Returns
        -------
        callable
            Takes the number of finished items and the total number; raises `StopRequested` if a stop was requested.
        """

        def count(done: int, total: int) -> None:
            self.report(phase, done=done, total=total)
            self.check()

        return count
