"""Progress of a training: a line per batch in the run's folder, and the remaining time for the observer."""

import math
import time
from collections import deque
from statistics import fmean

from cfu_core.observer import Observer
from cfu_core.runs.run import Run
from cfu_core.training.devices import memory_in_use
from cfu_core.training.loop import BatchResult, EpochResult, Training

RECENT = 100  # steps whose mean time gives the remaining time
MEMORY_S = 2.0  # between two measurements of the memory in use
FORWARD = 1 / 3  # time to validate a batch relative to a training step, until it has been measured


class ProgressReporter:
    """Writes each batch and epoch to the run's metrics, reports to the observer, and stops the training on request.

    Parameters
    ----------
    run : Run
        Run whose ``metrics.jsonl`` is extended.
    training : Training
        Training in progress; its validation partition must not be empty.
    images_after : int
        Number of images to predict after the last epoch, for the estimate of the remaining time.
    observer : Observer
        Receives ``epoch``, ``epochs``, ``batch``, ``batches``, ``images_per_second``, ``seconds_left`` (None after the
        first batch), ``learning_rate`` and ``memory_bytes`` after each batch.
    """

    def __init__(self, run: Run, training: Training, images_after: int, observer: Observer) -> None:
        self._run = run
        self._training = training
        self._after = images_after / len(training.images.validation)  # as a number of validations
        self._observer = observer
        self._step_seconds: deque[float] = deque(maxlen=RECENT)  # from step to step
        self._last: float | None = None  # time of the last step, or of the end of the epoch if that is later
        self._validation: float | None = None  # seconds of the last validation
        self._memory, self._memory_read = 0, -math.inf

    def after_batch(self, result: BatchResult) -> None:
        """Write a step of the optimizer to the run's metrics, and report it to the observer.

        Raises
        ------
        StopRequested
            The observer requested a stop or a pause; the step is written.
        StorageError
            The disk is full, or the folder of the run is not writable.
        """
        now = time.perf_counter()
        if self._last is not None:
            self._step_seconds.append(now - self._last)
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
            seconds_left=self._seconds_left(result),
            learning_rate=result.learning_rate,
            memory_bytes=self._memory_now(),
        )
        self._observer.check()

    def after_epoch(self, result: EpochResult) -> None:
        """Write an epoch, and the memory in use in bytes, to the run's metrics; the observer receives nothing.

        Raises
        ------
        StorageError
            The disk is full, or the folder of the run is not writable.
        """
        self._run.append_metrics("epoch", {**result.to_dict(), "memory_bytes": self._memory_now()})
        self._validation = result.validate_seconds
        self._last = time.perf_counter()

    def _memory_now(self) -> int:
        """Return the memory in use in bytes, measured at most every `MEMORY_S` seconds."""
        now = time.monotonic()
        if now - self._memory_read > MEMORY_S:
            self._memory, self._memory_read = memory_in_use(self._training.options.torch_device), now
        return self._memory

    def _seconds_left(self, result: BatchResult) -> float | None:
        """Estimate the seconds to the end of the run from recent steps; None before the second step."""
        if not self._step_seconds:
            return None
        epochs, step = self._training.config.epochs, fmean(self._step_seconds)
        steps = epochs * result.batches - ((result.epoch - 1) * result.batches + result.batch)
        batches = -(-len(self._training.images.validation) // self._training.config.batch_size)
        validation = FORWARD * step * batches if self._validation is None else self._validation
        return steps * step + (epochs - result.epoch + 1 + self._after) * validation
