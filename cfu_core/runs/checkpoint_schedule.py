"""Keeps where a run stands while it trains: checkpoints, and the weights of its best epoch."""

from typing import Any, Self

import torch

from cfu_core.runs.checkpoints import CheckpointWriter, best_weights, copied_to_cpu
from cfu_core.runs.model_files import save_model
from cfu_core.runs.phase_timer import Clock
from cfu_core.runs.store import Run
from cfu_core.training.loop import Training


class Keeper:
    """Keeps where a run stands: after each epoch, each minute, and when it is put down."""

    def __init__(self, run: Run, training: Training, clock: Clock, began_with: dict[str, Any]) -> None:
        self.clock = clock
        self._run = run
        self._training = training
        self._began_with = began_with
        self._writer = CheckpointWriter(run.folder)
        self._at = (0, 0)  # where the newest one stands
        self._best = 0  # an epoch whose weights are not on disk yet,
        self._weights: dict[str, torch.Tensor] | None = None  # and a copy of them; none while they are the present ones

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Make the run's model of the best weights."""
        with self.clock.measuring("save"):
            try:
                if self._best:
                    weights = self._weights or self._training.network.state_dict()
                    self._writer.keep_best(self._best, weights, self._facts())
                self._writer.wait()
            finally:
                self._writer.close()
            if best := best_weights(self._run.folder):
                facts = {"best_epoch": best.facts["best_epoch"], "weights_at_start": self._began_with}
                save_model(self._run, best.state, facts)

    def now_and_then(self) -> None:
        """After a batch."""
        if self._writer.due:
            with self.clock.measuring("save"):
                self.keep()

    def epoch_ended(self, *, best: bool) -> None:
        """After an epoch; the weights of the best one so far are the run's result."""
        if best:
            self._best, self._weights = self._training.epoch - 1, None
        if self._writer.affordable:
            self.keep()
        elif best:
            self._weights = copied_to_cpu(self._training.network.state_dict())
        self.clock.write()

    def keep(self) -> None:
        """Where it stands now."""
        epoch, batch = self._training.epoch, self._training.batch
        if (epoch, batch) == self._at:
            return
        self._at = (epoch, batch)
        step = (epoch - 1) * self._training.batches + batch
        best, weights = self._best, self._weights
        self._best, self._weights = 0, None
        self._writer.keep(step, self._training.state(), self._facts(), best=best, best_weights=weights)

    def _facts(self) -> dict[str, Any]:
        return {
            "epoch": self._training.epoch,
            "batch": self._training.batch,
            "weights_at_start": self._began_with,
            "timing": self.clock.to_dict(),
        }
