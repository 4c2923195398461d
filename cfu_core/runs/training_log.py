"""Reader of ``metrics.jsonl``, which a running training extends; each call reads only the new lines."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple


class Metrics(NamedTuple):
    """Metrics of the finished epochs and batches of a run.

    Attributes
    ----------
    epochs : list of dict
        Oldest first, with the fields of `cfu_core.training.loop.EpochResult` and ``memory_bytes``, the memory in use.
        None for a number that was not finite.
    batches : list of dict
        Steps of the optimizer, oldest first: ``epoch``, ``batch``, ``batches``, ``loss``, ``accuracy`` and
        ``learning_rate``, as in `cfu_core.training.loop.BatchResult`.
    """

    epochs: list[dict[str, Any]]
    batches: list[dict[str, Any]]


class MetricsReader:
    """Reads a growing ``metrics.jsonl`` repeatedly; safe for several threads.

    Parameters
    ----------
    path : Path
        The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = (0, 0)  # device and inode: a resumed run replaces the file
        self._offset = 0
        self._metrics = Metrics([], [])

    def read(self) -> Metrics:
        """Return all metrics so far; an incomplete last line is left for the next call.

        If the file was replaced or shortened, it is read again from the start. Damaged lines are left out. Both lists
        are empty if there is no file. Each call returns new lists, but of the same dicts, which must not be changed.
        """
        with self._lock:
            try:
                with self._path.open("rb") as file:
                    self._read_new_lines(file)
            except FileNotFoundError:
                self._reset((0, 0))
            return Metrics(list(self._metrics.epochs), list(self._metrics.batches))

    def _read_new_lines(self, file: BinaryIO) -> None:
        stat = os.fstat(file.fileno())
        if (stat.st_dev, stat.st_ino) != self._file or stat.st_size < self._offset:
            self._reset((stat.st_dev, stat.st_ino))
        file.seek(self._offset)
        content = file.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        lists = {"epoch": self._metrics.epochs, "batch": self._metrics.batches}
        for text in complete.splitlines():
            with suppress(ValueError, TypeError, KeyError, AttributeError):  # a damaged line
                line = json.loads(text)
                lists[line.pop("kind")].append(line)

    def _reset(self, file: tuple[int, int]) -> None:
        self._file, self._offset, self._metrics = file, 0, Metrics([], [])
