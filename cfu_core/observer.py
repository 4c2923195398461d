"""The interface between a computation and its observer: progress reports and stop requests."""

from collections.abc import Callable
from typing import Any

from cfu_core.errors import StopRequested


class Observer:
    """Receives progress and decides when to stop.

    Abstract base class: a subclass implements `report` and `stop_requested`.
    """

    def report(self, phase: str, **details: Any) -> None:
        """Receive a progress report.

        Parameters
        ----------
        phase : str
            The current step, as a text for users: ``Testing``.
        **details
            Progress within the step, as JSON values, for example ``done`` and ``total`` (numbers of items).
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
            `stop_requested` returns True.
        """
        if self.stop_requested():
            raise StopRequested

    def progress(self, phase: str) -> Callable[[int, int], None]:
        """Return a callback that reports progress and checks for a stop request.

        Parameters
        ----------
        phase : str
            The step that the callback reports on, as a text for users.

        Returns
        -------
        callable
            Callback ``(done, total)``: the number of finished items and the number of all items. It raises
            `StopRequested` if a stop was requested.
        """

        def count(done: int, total: int) -> None:
            self.report(phase, done=done, total=total)
            self.check()

        return count
