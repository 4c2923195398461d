"""Who is told how long work goes on, and says when it is to end."""

from collections.abc import Callable
from typing import Any

from cfu_core.errors import StopRequested


class Observer:
    """Told of progress; asked whether to end. A subclass says how."""

    def report(self, phase: str, **details: Any) -> None:
        """Something went on; called often."""
        raise NotImplementedError

    def stop_requested(self) -> bool:
        """Whether to end now."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise `StopRequested` where the work is to end now."""
        if self.stop_requested():
            raise StopRequested

    def progress(self, phase: str) -> Callable[[int, int], None]:
        """A callback for work that counts; it ends the work when asked to."""

        def count(done: int, total: int) -> None:
            self.report(phase, done=done, total=total)
            self.check()

        return count
