"""Where the time of a run goes."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cfu_core.runs.store import Run
from cfu_core.storage import write_json
from cfu_core.training.prepared_images import PreparedImages

PARTS = ("load", "decode", "preprocess", "tune", "transfer", "train", "validate", "save", "test")


class Clock:
    """Seconds by what they were spent on, over all sittings of a run.

    Parameters
    ----------
    run : Run
    earlier : mapping
        What `to_dict` gave when the run was put down; empty in its first sitting.
    """

    def __init__(self, run: Run, earlier: Mapping[str, Any]) -> None:
        spent = dict(earlier.get("seconds", {}))
        self._earlier = spent.pop("total", 0.0)
        self._started = time.perf_counter()
        self._run = run
        self.seconds = dict.fromkeys(PARTS, 0.0) | spent
        self.facts: dict[str, Any] = {name: value for name, value in earlier.items() if name != "seconds"}
        self.facts["sittings"] = self.facts.get("sittings", 0) + 1

    def prepared(self, images: PreparedImages | None, seconds: float = 0.0) -> None:
        """What preparing the images took: decoding and preprocessing as parted there, the rest is loading."""
        if images is None:  # not even needed
            self.seconds["load"] += seconds
            self.facts["cache_reused"] = True
            return
        self.seconds["decode"] += images.decode_seconds
        self.seconds["preprocess"] += images.preprocess_seconds
        self.seconds["load"] += max(0.0, seconds - images.decode_seconds - images.preprocess_seconds)
        if self.facts["sittings"] == 1:
            self.facts["cache_reused"] = images.reused
        self.facts["cache_built"] = {
            "decode": images.built_decode_seconds,
            "preprocess": images.built_preprocess_seconds,
        }

    @contextmanager
    def measuring(self, part: str) -> Iterator[None]:
        """Count the time of a block to a part."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - began

    def to_dict(self) -> dict[str, Any]:
        """As ``timing.json`` holds it; ``total`` is the wall time of all sittings."""
        total = self._earlier + time.perf_counter() - self._started
        return {"seconds": {**self.seconds, "total": total}, **self.facts}

    def write(self) -> None:
        """Keep it beside the run."""
        write_json(self._run.folder / "timing.json", self.to_dict())
