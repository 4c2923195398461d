"""The training loop, to be read from top to bottom."""

import json
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
from cfu_core.training.devices import random_state, set_random_state


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
    seconds: float
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


class Training:
    """A training that can be put down after any batch and goes on from there.

    On the CPU it goes on to the same weights, bit for bit, as if it had never been put down.

    Parameters
    ----------
    network : nn.Module
        On `device`; it is trained in place.
    images : TrainingImages
    config : TrainingConfig
    device : torch.device
    """

    def __init__(
        self, network: nn.Module, images: TrainingImages, config: TrainingConfig, device: torch.device
    ) -> None:
        self.network = network
        self.images = images
        self.config = config
        self.device = device
        self.optimizer = make_optimizer(network, config)
        self.epoch = 1  # in work
        self.batch = 0  # how many of its batches are done
        self._best = (-1.0, 0.0)  # validation accuracy and negative loss of the best epoch
        self._loss = self._correct = self._seconds = 0.0  # sums over the epoch in work
        self._rng = np.random.default_rng(config.seed)
        self._order = self._rng.permutation(images.training)
        torch.manual_seed(config.seed)  # dropout

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.images.training) // self.config.batch_size)

    def state(self) -> dict[str, Any]:
        """All that decides how it goes on, for `torch.save`; tensors are the network's and the optimizer's own."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "best": list(self._best),
            "sums": [self._loss, self._correct, self._seconds],
            "order": torch.from_numpy(self._order),
            "random_numpy": json.dumps(self._rng.bit_generator.state),
            "random_torch": torch.get_rng_state(),
            "random_device": random_state(self.device),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, in another process perhaps."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._best = (state["best"][0], state["best"][1])
        self._loss, self._correct, self._seconds = state["sums"]
        self._order = state["order"].numpy().copy()
        self._rng.bit_generator.state = json.loads(state["random_numpy"])
        torch.set_rng_state(state["random_torch"])
        set_random_state(self.device, state["random_device"])

    def epochs(
        self,
        *,
        on_batch: Callable[[BatchResult], None] = lambda result: None,
        between: Callable[[], None] = lambda: None,
    ) -> Iterator[EpochResult]:
        """Train from where it stands, one epoch per item.

        Parameters
        ----------
        on_batch : callable
            Called after every step of the optimizer, which `state` then holds; may raise `StopRequested`.
        between : callable
            Called before every batch of the validation; may raise as well.

        Yields
        ------
        EpochResult
            After each epoch; the network then holds its weights, and `state` stands before the next one.

        Raises
        ------
        TrainingError
            The loss is no longer finite.
        """
        while self.epoch <= self.config.epochs:
            self.network.train()
            while self.batch < self.batches:
                on_batch(self._step())
            validating = time.perf_counter()
            loss, accuracy = validate(self.network, self.images, self.config.batch_size, self.device, between)
            standing = (accuracy, -math.inf if math.isnan(loss) else -loss)
            result = EpochResult(
                epoch=self.epoch,
                training_loss=self._loss / len(self._order),
                training_accuracy=self._correct / len(self._order),
                validation_loss=loss,
                validation_accuracy=accuracy,
                train_seconds=self._seconds,
                validate_seconds=time.perf_counter() - validating,
                images_per_second=len(self._order) / self._seconds,
                best=standing > self._best,
            )
            self._best = max(self._best, standing)
            self.epoch, self.batch = self.epoch + 1, 0
            self._loss = self._correct = self._seconds = 0.0
            self._order = self._rng.permutation(self.images.training)
            yield result

    def _step(self) -> BatchResult:
        """One batch: augment, forward, backward, and a step of the optimizer."""
        started = time.perf_counter()
        size = self.config.batch_size
        rows = self._order[self.batch * size : (self.batch + 1) * size]
        inputs = to_device(self.images.pixels[rows], self.device)
        inputs = normalise(warp_batch(inputs, sample_matrices(self.config.augmentation, len(rows), self._rng)))
        labels = torch.from_numpy(self.images.labels[rows]).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.network(inputs)
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        self.optimizer.step()
        self.batch += 1
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss is no longer a number in epoch {self.epoch}, batch {self.batch}: the training has diverged.",
                f"The learning rate is {self.config.learning_rate:g}; the paper uses 0.0001.",
                "Choose a smaller learning rate.",
            )
        correct = (logits.argmax(1) == labels).sum().item()
        self._loss += value * len(rows)
        self._correct += correct
        seconds = time.perf_counter() - started
        self._seconds += seconds
        return BatchResult(
            epoch=self.epoch,
            batch=self.batch,
            batches=self.batches,
            loss=value,
            accuracy=correct / len(rows),
            seconds=seconds,
            images_per_second=min(self.batch * size, len(self._order)) / self._seconds,
        )


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
