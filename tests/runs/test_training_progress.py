"""The remaining time of a training."""

from types import SimpleNamespace

import pytest
import torch

from cfu_core.runs import training_progress
from cfu_core.runs.training_progress import ProgressReporter
from cfu_core.training.loop import BatchResult, EpochResult
from tests.pages.written import write_run


@pytest.mark.parametrize("batches", [1, 2])
def test_the_remaining_time_is_known_from_the_second_step(small_dataset, monkeypatch, batches):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        training_progress, "time", SimpleNamespace(perf_counter=lambda: clock.now, monotonic=lambda: clock.now)
    )
    training = SimpleNamespace(
        config=SimpleNamespace(epochs=3, batch_size=5),
        images=SimpleNamespace(validation=range(5)),
        options=SimpleNamespace(torch_device=torch.device("cpu")),
    )
    left = []
    observer = SimpleNamespace(report=lambda phase, **details: left.append(details["seconds_left"]), check=lambda: None)
    reporter = ProgressReporter(write_run(small_dataset), training, 10, observer)  # as much as two validations
    for epoch in (1, 2, 3):
        for batch in range(1, batches + 1):
            clock.now += 10
            reporter.after_batch(
                BatchResult(
                    epoch=epoch,
                    batch=batch,
                    batches=batches,
                    loss=1.0,
                    accuracy=0.5,
                    learning_rate=0.1,
                    seconds=10.0,
                    transfer_seconds=0.0,
                    images_per_second=1.0,
                )
            )
        clock.now += 4
        reporter.after_epoch(
            EpochResult(
                epoch=epoch,
                training_loss=1.0,
                training_accuracy=0.5,
                validation_loss=1.0,
                validation_accuracy=0.5,
                train_seconds=10.0,
                validate_seconds=4.0,
                images_per_second=1.0,
                best=True,
            )
        )
    if batches == 1:
        assert left == [None, 10 + 4 * 4, 3 * 4]
    else:
        before_a_validation = 10 * training_progress.FORWARD
        assert left == [None, pytest.approx(40 + 5 * before_a_validation), 30 + 16, 20 + 16, 10 + 12, 12]
