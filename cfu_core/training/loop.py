"""The training loop, to be read from top to bottom."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cfu_core.errors import TrainingError
from cfu_core.imaging.augmentation import sample_matrices
from cfu_core.training.batches import normalise, to_device, warp_batch
from cfu_core.training.config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """What a network learns from.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
    labels : ndarray of int64, shape (N,)
    training, validation : ndarray of int64
        Rows of each partition. The test partition does not come here.
    """

    pixels: np.ndarray
    labels: np.ndarray
    training: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """One step of the optimizer; `epoch` and `batch` count from 1, loss and accuracy are of this batch."""

    epoch: int
    batch: int
    batches: int
    loss: float
    accuracy: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One pass over the training images, and the validation after it.

    Training loss and accuracy are means over the epoch's batches, augmented and while the network changes, as they
    are usually drawn. `best` says that no earlier epoch had a higher validation accuracy, or an equal one with a
    lower loss.
    """

    epoch: int
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float
    train_seconds: float
    validate_seconds: float
    images_per_second: float
    best: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def train(
    network: nn.Module,
    images: TrainingImages,
    config: TrainingConfig,
    device: torch.device,
    *,
    on_batch: Callable[[BatchResult], None] = lambda result: None,
    between: Callable[[], None] = lambda: None,
) -> Iterator[EpochResult]:
    """Train `network` in place, one epoch per item.

    Parameters
    ----------
    network : nn.Module
        On `device`.
    images : TrainingImages
    config : TrainingConfig
    device : torch.device
    on_batch : callable
        Called after every step of the optimizer; may raise `StopRequested`.
    between : callable
        Called before every batch of the validation; may raise as well.

    Yields
    ------
    EpochResult
        After each epoch; the network then holds the weights of that epoch.

    Raises
    ------
    TrainingError
        The loss is no longer finite.
    """
    torch.manual_seed(config.seed)  # dropout
    rng = np.random.default_rng(config.seed)
    optimizer = make_optimizer(network, config)
    best = (-1.0, 0.0)
    for epoch in range(1, config.epochs + 1):
        started = time.perf_counter()
        loss, accuracy = _train_one_epoch(network, images, config, device, optimizer, rng, epoch, on_batch)
        trained = time.perf_counter()
        validation_loss, validation_accuracy = validate(network, images, config.batch_size, device, between)
        standing = (validation_accuracy, -math.inf if math.isnan(validation_loss) else -validation_loss)
        yield EpochResult(
            epoch=epoch,
            training_loss=loss,
            training_accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            train_seconds=trained - started,
            validate_seconds=time.perf_counter() - trained,
            images_per_second=len(images.training) / (trained - started),
            best=standing > best,
        )
        best = max(best, standing)


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimizer that `config` names; every layer learns."""
    if config.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    return torch.optim.SGD(network.parameters(), lr=config.learning_rate, momentum=0.9)


def validate(
    network: nn.Module,
    images: TrainingImages,
    batch_size: int,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the validation images."""
    logits = predict_logits(network, images.pixels, images.validation, batch_size, device, between)
    labels = torch.from_numpy(images.labels[images.validation])
    loss = functional.cross_entropy(logits, labels).item()
    return loss, (logits.argmax(1) == labels).double().mean().item()


def predict_logits(
    network: nn.Module,
    pixels: np.ndarray,
    rows: np.ndarray,
    batch_size: int,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Outputs for some images, without augmentation.

    Returns
    -------
    Tensor of float32, shape (len(rows), classes)
        On the CPU.
    """
    network.eval()
    outputs = []
    with torch.inference_mode():
        for i in range(0, len(rows), batch_size):
            between()
            outputs.append(network(normalise(to_device(pixels[rows[i : i + batch_size]], device))).cpu())
    return torch.cat(outputs)


def _train_one_epoch(
    network: nn.Module,
    images: TrainingImages,
    config: TrainingConfig,
    device: torch.device,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    epoch: int,
    on_batch: Callable[[BatchResult], None],
) -> tuple[float, float]:
    network.train()
    order = rng.permutation(images.training)
    batches = -(-len(order) // config.batch_size)
    total_loss = total_correct = 0.0
    started = time.perf_counter()
    for batch in range(batches):
        rows = order[batch * config.batch_size : (batch + 1) * config.batch_size]
        inputs = to_device(images.pixels[rows], device)
        inputs = normalise(warp_batch(inputs, sample_matrices(config.augmentation, len(rows), rng)))
        labels = torch.from_numpy(images.labels[rows]).to(device)
        optimizer.zero_grad(set_to_none=True)
        logits = network(inputs)
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"The loss is no longer a number in epoch {epoch}, batch {batch + 1}: the training has diverged.",
                f"The learning rate is {config.learning_rate:g}; the paper uses 0.0001.",
                "Choose a smaller learning rate.",
            )
        correct = (logits.argmax(1) == labels).sum().item()
        total_loss += loss.item() * len(rows)
        total_correct += correct
        seen = batch * config.batch_size + len(rows)
        on_batch(
            BatchResult(
                epoch=epoch,
                batch=batch + 1,
                batches=batches,
                loss=loss.item(),
                accuracy=correct / len(rows),
                images_per_second=seen / (time.perf_counter() - started),
            )
        )
    return total_loss / len(order), total_correct / len(order)
