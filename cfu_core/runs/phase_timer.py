"""Measurement of the time of each phase of a run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cfu_core.runs.run import Run
from cfu_core.storage import write_json
from cfu_core.training.prepared_images import PreparedImages

PHASES = ("load", "decode", "preprocess", "tune", "transfer", "train", "validate", "save", "test")


class PhaseTimer:
    """Measures the time of each phase of a run, over all its sessions.

    A session is the work of one process: a run that is paused or killed and then resumed has several.

    Parameters
    ----------
    run : Run
        Run whose folder receives ``timing.json``.
    earlier : mapping
        Value of `to_dict` from the newest checkpoint of earlier sessions; empty in the first session.

    Attributes
    ----------
    seconds : dict of str to float
        Time of each of `PHASES` in seconds, over all sessions.
    details : dict
        Other entries of ``timing.json``: ``sittings`` (the number of sessions), ``device``, ``arithmetic`` (description
        of the compute options), ``cache_reused``, ``cache_built``, ``remarks`` and others.
    """

    def __init__(self, run: Run, earlier: Mapping[str, Any]) -> None:
        spent = dict(earlier.get("seconds", {}))
        self._earlier = spent.pop("total", 0.0)
        self._started = time.perf_counter()
        self._run = run
        self.seconds = dict.fromkeys(PHASES, 0.0) | spent
        self.details: dict[str, Any] = {name: value for name, value in earlier.items() if name != "seconds"}
        self.details["sittings"] = self.details.get("sittings", 0) + 1

    def add_preparation(self, images: PreparedImages | None, seconds: float = 0.0) -> None:
        """Add the time of the preparation of images to the phases ``decode``, ``preprocess`` and ``load``.

        ``load`` receives the part of `seconds` that is neither decoding nor preprocessing. In the first session,
        ``details["cache_reused"]`` is set to `PreparedImages.reused`; later sessions keep this value, because the run
        itself has filled the cache since then. ``details["cache_built"]`` is set to the times in seconds of decoding
        and preprocessing, summed over all calls that filled the cache. `PreparedImages.remarks` are added to
        ``details["remarks"]``.

        Parameters
        ----------
        images : PreparedImages or None
            None if no image had to be prepared, because the features of all images were cached. ``cache_reused`` is
            then True, and ``cache_built`` is not set.
        seconds : float
            Wall time of the whole preparation, in seconds.
        """
        if images is None:
            self.seconds["load"] += seconds
            self.details["cache_reused"] = True
            return
        self.seconds["decode"] += images.decode_seconds
        self.seconds["preprocess"] += images.preprocess_seconds
        self.seconds["load"] += max(0.0, seconds - images.decode_seconds - images.preprocess_seconds)
        if self.details["sittings"] == 1:
            self.details["cache_reused"] = images.reused
        known = self.details.get("remarks", [])
        if new := [remark for remark in images.remarks if remark not in known]:
            self.details["remarks"] = [*known, *new]
        self.details["cache_built"] = {
            "decode": images.built_decode_seconds,
            "preprocess": images.built_preprocess_seconds,
        }

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Add the wall time of a ``with`` block to a phase, also if the block ends with an exception.

        Parameters
        ----------
        phase : str
            One of `PHASES`.
        """
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[phase] += time.perf_counter() - began

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``timing.json`` as plain JSON values.

        Returns
        -------
        dict
            ``seconds`` by phase, with ``total`` (wall time of all sessions so far, without pauses between them), and
            the entries of `details`.
        """
        total = self._earlier + time.perf_counter() - self._started
        return {"seconds": {**self.seconds, "total": total}, **self.details}

    def write(self) -> None:
        """Write ``timing.json`` into the folder of the run, replacing an earlier one.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable.
        """
        write_json(self._run.folder / "timing.json", self.to_dict())
