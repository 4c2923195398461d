"""Schedule by which a run writes checkpoints and the weights of its best epoch."""

from typing import Any, Self

import torch

from cfu_core.runs.checkpoints import CheckpointWriter, best_weights, copied_to_cpu
from cfu_core.runs.model_files import save_model
from cfu_core.runs.phase_timer import PhaseTimer
from cfu_core.runs.run import Run
from cfu_core.training.loop import Training


class CheckpointSchedule:
    """Writes checkpoints during a training, and the model at its end. To be used as a context manager.

    The end of the ``with`` block writes the model of the run (``model.safetensors`` and ``model.json``), with the
    weights of the best epoch so far. This also happens if an error or a request to stop ends the block. No model is
    written before the end of the first epoch. The end of the block raises a `StorageError` if one of these files, or
    the last checkpoint, cannot be written.

    Parameters
    ----------
    run : Run
        Run whose folder receives the files.
    training : Training
        Training whose state the checkpoints contain.
    timer : PhaseTimer
        Receives the time of `after_batch` and of the end of the block as phase ``save``; the caller adds the time of
        the other methods. Its times are part of each checkpoint.
    initial_weights : dict
        Value of `WeightsRecord.to_dict`, for ``model.json`` and the checkpoints.
    """

    def __init__(self, run: Run, training: Training, timer: PhaseTimer, initial_weights: dict[str, Any]) -> None:
        self.timer = timer
        self._run = run
        self._training = training
        self._initial_weights = initial_weights
        self._writer = CheckpointWriter(run.folder)
        self._newest = (0, 0)  # epoch and batch of the newest checkpoint
        self._best = 0  # best epoch whose weights are not on disk yet; 0 if there is none
        self._weights: dict[str, torch.Tensor] | None = None  # copy of them; None while they are the current weights

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write the best weights as the run's model."""
        with self.timer.measure("save"):
            try:
                if self._best:
                    weights = self._weights or self._training.network.state_dict()
                    self._writer.write_best(self._best, weights, self._metadata())
                self._writer.wait()
            finally:
                self._writer.close()
            if best := best_weights(self._run.folder):
                details = {"best_epoch": best.metadata["best_epoch"], "weights_at_start": self._initial_weights}
                save_model(self._run, best.state, details)

    def after_batch(self) -> None:
        """Begin to write a checkpoint if a minute has passed since the last one or the start.

        While a checkpoint is being written, none is begun.

        Raises
        ------
        StorageError
            The previous checkpoint could not be written: the disk is full, or the folder is not writable.
        """
        if self._writer.due_within_epoch:
            with self.timer.measure("save"):
                self.save()

    def after_epoch(self, *, best: bool) -> None:
        """Begin to write a checkpoint if it costs little time, and keep the weights of the best epoch.

        A checkpoint costs little time if writing the last one took at most a fiftieth of the time since then. It is
        also begun if a minute has passed, but not while another one is being written. ``timing.json`` is written in any
        case.

        Parameters
        ----------
        best : bool
            Whether the epoch that has ended is the best one so far.

        Raises
        ------
        StorageError
            The previous checkpoint, or ``timing.json``, could not be written: the disk is full, or the folder is not
            writable.
        """
        if best:
            self._best, self._weights = self._training.epoch - 1, None
        if self._writer.due_after_epoch:
            self.save()
        elif best:
            self._weights = copied_to_cpu(self._training.network.state_dict())
        self.timer.write()

    def save(self) -> None:
        """Begin to write a checkpoint of the current batch, unless the newest one is of this batch.

        Raises
        ------
        StorageError
            The previous checkpoint could not be written: the disk is full, or the folder is not writable.
        """
        epoch, batch = self._training.epoch, self._training.batch
        if (epoch, batch) == self._newest:
            return
        self._newest = (epoch, batch)
        step = (epoch - 1) * self._training.batches + batch
        best, weights = self._best, self._weights
        self._best, self._weights = 0, None
        self._writer.write(step, self._training.state(), self._metadata(), best=best, best_weights=weights)

    def _metadata(self) -> dict[str, Any]:
        return {
            "epoch": self._training.epoch,
            "batch": self._training.batch,
            "weights_at_start": self._initial_weights,
            "timing": self.timer.to_dict(),
        }
