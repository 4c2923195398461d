"""Time limit, result rows and table of the GPU benchmark; this module needs only the standard library."""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NEEDS_CUDA = "needs CUDA"
NO_TIME = "no time was left"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the benchmark, which runs in a process of its own.

    Attributes
    ----------
    name : str
        Name of its function, in the module that `benchmarks.gpu.MODULES` names.
    networks : tuple of str
        Networks that it measures; empty if it does not measure networks one by one.
    minimum, limit : float
        Seconds below which it is not started, and after which its process is ended.
    """

    name: str
    networks: tuple[str, ...] = ()
    minimum: float = 0.0
    limit: float = 60.0

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a row about the whole part."""
        return {"network": ", ".join(self.networks)} if self.networks else {}


class Deadline:
    """The end of the time that all parts together may take.

    Parameters
    ----------
    seconds : float
    clock : callable
        Returns seconds since any fixed time.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def left(self) -> float:
        """Seconds until the end; negative after it."""
        return self._end - self._clock()

    def grant(self, part: Part, later: Sequence[Part]) -> float:
        """Return the seconds that a part may take, such that every later part gets at least its minimum if possible.

        Returns
        -------
        float
            0 if the time left is shorter than the minimum of the part: the part must be left out.
        """
        left = self.left
        if left <= 0 or left < part.minimum:
            return 0.0
        spare = left - sum(other.minimum for other in later)
        return min(part.limit, left, max(part.minimum, spare))


class Recorder:
    """Appends one result row after another to a file, so that finished rows survive the end of the process.

    Parameters
    ----------
    path : Path
    deadline : Deadline
    """

    def __init__(self, path: Path, deadline: Deadline) -> None:
        self._path = path
        self._deadline = deadline

    def measure(self, name: str, settings: Mapping[str, Any], work: Callable[[], Mapping[str, Any]]) -> bool:
        """Call a function and record the numbers that it returns; record the error if it fails.

        Parameters
        ----------
        name : str
        settings : Mapping
        work : callable
            Returns the numbers, by name. It is not called if no time is left.

        Returns
        -------
        bool
            Whether numbers were recorded.
        """
        if self._deadline.left <= 0:
            self.leave_out(name, settings, NO_TIME)
            return False
        began = time.perf_counter()
        try:
            numbers = dict(work())
        except Exception as error:  # noqa: BLE001 - one failure must not end the benchmark
            self.leave_out(name, settings, describe_error(error), time.perf_counter() - began)
            return False
        self.add({"name": name, "settings": dict(settings), "numbers": numbers}, time.perf_counter() - began)
        return True

    def leave_out(self, name: str, settings: Mapping[str, Any], reason: str, seconds: float = 0.0) -> None:
        """Record why something was not measured."""
        self.add({"name": name, "settings": dict(settings), "left_out": reason}, seconds)

    def add(self, row: Mapping[str, Any], seconds: float) -> None:
        """Append a row."""
        row = {**row, "seconds": round(seconds, 3)}
        if "numbers" in row:
            row["numbers"] = {name: _finite(value) for name, value in row["numbers"].items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _finite(value: Any) -> Any:
    """Return a number that is not finite as text, as JSON has no such numbers."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows that a `Recorder` wrote; a last line cut off by the end of its process is ignored."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def describe_error(error: BaseException) -> str:
    """Return the class and the first line of an error, of at most 300 characters."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:300]


def slug(name: str) -> str:
    """Return a name in lower case with hyphens instead of everything but letters and digits."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split()
    return "-".join(words)


def table(results: Mapping[str, Any]) -> str:
    """Return the results as a table for the terminal, one line for each row.

    Parameters
    ----------
    results : Mapping
        Content of the JSON file.
    """
    header = ("part", "settings", "result", "seconds")
    lines = [header] + [
        (row["name"], _settings(row), _result(row), f"{row['seconds']:.1f}") for row in results["parts"]
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    machine = results["machine"]
    title = "DRY RUN ON A PROCESSOR, not a result: few images, few steps" if results["dry"] else machine["device"]
    facts = _pairs({name: value for name, value in machine.items() if value})
    total = f"{results['seconds']:.0f} of {results['limit_seconds']:.0f} seconds"
    return "\n".join([title, facts, total, "", *text])


def _settings(row: Mapping[str, Any]) -> str:
    """Return the settings; values that are words need no name."""
    settings = row["settings"]
    return ", ".join(value if isinstance(value, str) else _pairs({name: value}) for name, value in settings.items())


def _result(row: Mapping[str, Any]) -> str:
    return f"left out: {row['left_out']}" if "left_out" in row else _pairs(row["numbers"])


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
