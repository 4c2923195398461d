"""Tells how a training goes: a line a batch in the run's folder, and what is left, for whoever watches."""

import math
import time
from collections import deque
from statistics import fmean

from cfu_core.observer import Observer
from cfu_core.runs.store import Run
from cfu_core.training.devices import memory_in_use
from cfu_core.training.loop import BatchResult, EpochResult, Training

RECENT = 100  # steps from whose pace the time that is left is reckoned
MEMORY_S = 2.0  # how often the memory in use is looked at
FORWARD = 1 / 3  # of a step's time: what a batch takes to validate, until it was measured


class BatchWatch:
    """Writes each batch and epoch down, tells the observer, and ends the training when asked to.

    Parameters
    ----------
    run : Run
    training : Training
    images_after : int
        How many there will be to predict after the last epoch.
    observer : Observer
    """

    def __init__(self, run: Run, training: Training, images_after: int, observer: Observer) -> None:
        self._run = run
        self._training = training
        self._after = images_after / len(training.images.validation)  # in validations
        self._observer = observer
        self._pace: deque[float] = deque(maxlen=RECENT)  # seconds from step to step
        self._last: float | None = None  # none before the first step of an epoch
        self._validation: float | None = None
        self._memory, self._looked = 0, -math.inf

    def step_ended(self, result: BatchResult) -> None:
        """After each step of the optimizer; may raise `StopRequested`."""
        now = time.perf_counter()
        if self._last is not None:
            self._pace.append(now - self._last)
        self._last = now
        self._run.append_metrics(
            "batch",
            {
                "epoch": result.epoch,
                "batch": result.batch,
                "batches": result.batches,
                "loss": result.loss,
                "accuracy": result.accuracy,
                "learning_rate": result.learning_rate,
            },
        )
        self._observer.report(
            "Training",
            epoch=result.epoch,
            epochs=self._training.config.epochs,
            batch=result.batch,
            batches=result.batches,
            images_per_second=result.images_per_second,
            seconds_left=self._left(result),
            learning_rate=result.learning_rate,
            memory_bytes=self._memory_now(),
        )
        self._observer.check()

    def epoch_ended(self, result: EpochResult) -> None:
        """After each epoch."""
        self._run.append_metrics("epoch", {**result.to_dict(), "memory_bytes": self._memory_now()})
        self._validation = result.validate_seconds
        self._last = None

    def _memory_now(self) -> int:
        """Bytes in use, looked at now and then."""
        now = time.monotonic()
        if now - self._looked > MEMORY_S:
            self._memory, self._looked = memory_in_use(self._training.arithmetic.on), now
        return self._memory

    def _left(self, result: BatchResult) -> float | None:
        """Seconds to the end, by the pace of late; None while there is none."""
        if not self._pace:
            return None
        epochs, step = self._training.config.epochs, fmean(self._pace)
        steps = epochs * result.batches - ((result.epoch - 1) * result.batches + result.batch)
        batches = -(-len(self._training.images.validation) // self._training.config.batch_size)
        validation = FORWARD * step * batches if self._validation is None else self._validation
        return steps * step + (epochs - result.epoch + 1 + self._after) * validation
