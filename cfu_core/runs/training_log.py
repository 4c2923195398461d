"""Reading a run's metrics while it writes them: each look reads only what is new."""

import json
import os
import threading
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple


class Metrics(NamedTuple):
    """What a run has written down so far."""

    epochs: list[dict[str, Any]]
    """Oldest first; the fields of `cfu_core.training.loop.EpochResult`, and the memory in use, ``memory_bytes``."""
    batches: list[dict[str, Any]]
    """The optimizer's steps: epoch, batch, batches, loss, accuracy, learning_rate."""


class MetricsReader:
    """Reads a ``metrics.jsonl`` again and again; several threads may ask.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = (0, 0)  # device and inode: a run that is resumed begins the file anew
        self._offset = 0
        self._found = Metrics([], [])

    def read(self) -> Metrics:
        """All that stands there now; a line that is still on its way is left for the next time."""
        with self._lock:
            try:
                with self._path.open("rb") as file:
                    self._take(file)
            except FileNotFoundError:
                self._begin_anew((0, 0))
            return Metrics(list(self._found.epochs), list(self._found.batches))

    def _take(self, file: BinaryIO) -> None:
        facts = os.fstat(file.fileno())
        if (facts.st_dev, facts.st_ino) != self._file or facts.st_size < self._offset:
            self._begin_anew((facts.st_dev, facts.st_ino))
        file.seek(self._offset)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for text in whole.splitlines():
            line = json.loads(text)
            (self._found.epochs if line.pop("kind") == "epoch" else self._found.batches).append(line)

    def _begin_anew(self, file: tuple[int, int]) -> None:
        self._file, self._offset, self._found = file, 0, Metrics([], [])
