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
from cfu_core.training.batches import normalise, to_floats, warp_batch
from cfu_core.training.compute_options import Arithmetic
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import random_state, set_random_state
from cfu_core.training.loading import Feed


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
    """One step of the optimizer; `epoch` and `batch` count from 1, loss and accuracy are of this batch.

    `seconds` are those of the computing, `transfer_seconds` those of waiting for images before it.
    """

    epoch: int
    batch: int
    batches: int
    loss: float
    accuracy: float
    learning_rate: float
    seconds: float
    transfer_seconds: float
    images_per_second: float


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """One pass over the training images, and the validation after it.

    Training loss and accuracy are means over the epoch's batches, augmented and while the network changes, as they
    are usually drawn. `train_seconds` is the wall time from its first batch to its last, with all that was done
    between them; `best` says that no earlier epoch had a higher validation accuracy, or an equal one with a
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
        It is trained in place.
    images : TrainingImages
    config : TrainingConfig
    arithmetic : Arithmetic
    """

    def __init__(
        self, network: nn.Module, images: TrainingImages, config: TrainingConfig, arithmetic: Arithmetic
    ) -> None:
        self.network = arithmetic.settle(network)
        self.images = images
        self.config = config
        self.arithmetic = arithmetic
        self.feed = Feed(images.pixels, np.concatenate([images.training, images.validation]), arithmetic.on)
        self.optimizer = make_optimizer(network, config)
        self.epoch = 1  # in work
        self.batch = 0  # how many of its batches are done
        self._best = (-1.0, 0.0)  # validation accuracy and negative loss of the best epoch
        self._since_best = 0  # epochs
        self._loss = self._correct = self._seconds = 0.0  # sums over the epoch in work
        self._rng = np.random.default_rng(config.seed)
        self._order = self._rng.permutation(images.training)
        torch.manual_seed(config.seed)  # dropout

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.images.training) // self.config.batch_size)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do: all epochs are done, or too many went by without a better one."""
        patience = self.config.patience
        return self.epoch > self.config.epochs or bool(patience and self._since_best >= patience)

    def state(self) -> dict[str, Any]:
        """All that decides how it goes on, for `torch.save`; tensors are the network's and the optimizer's own."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "best": list(self._best),
            "since_best": self._since_best,
            "sums": [self._loss, self._correct, self._seconds],
            "order": torch.from_numpy(self._order),
            "random_numpy": json.dumps(self._rng.bit_generator.state),
            "random_torch": torch.get_rng_state(),
            "device": self.arithmetic.device,
            "random_device": random_state(self.arithmetic.on),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, in another process perhaps."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._lay_out_optimizer()
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._best = (state["best"][0], state["best"][1])
        self._since_best = state["since_best"]
        self._loss, self._correct, self._seconds = state["sums"]
        self._order = state["order"].numpy().copy()
        self._rng.bit_generator.state = json.loads(state["random_numpy"])
        torch.set_rng_state(state["random_torch"])
        if state["device"] == self.arithmetic.device:
            set_random_state(self.arithmetic.on, state["random_device"])

    def _lay_out_optimizer(self) -> None:
        """Bring its moments into the layout of their weights: fused optimizers rely on it, and read past it if not."""
        for weights, kept in self.optimizer.state.items():
            for name, value in kept.items():
                if torch.is_tensor(value) and value.shape == weights.shape and value.stride() != weights.stride():
                    kept[name] = torch.empty_like(weights, dtype=value.dtype).copy_(value)

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
        while not self.ended:
            self.network.train()
            while self.batch < self.batches:
                result = self._step()
                stepped = time.perf_counter()
                on_batch(result)
                self._seconds += time.perf_counter() - stepped
            validating = time.perf_counter()
            loss, accuracy = self._validate(between)
            standing = (accuracy, -math.inf if math.isnan(loss) else -loss)
            epoch = EpochResult(
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
            self._since_best = 0 if epoch.best else self._since_best + 1
            self.epoch, self.batch = self.epoch + 1, 0
            self._loss = self._correct = self._seconds = 0.0
            self._order = self._rng.permutation(self.images.training)
            yield epoch

    def _step(self) -> BatchResult:
        """One batch: augment, forward, backward, and a step of the optimizer."""
        rows = self._rows(self.batch)
        waiting = time.perf_counter()
        images = self.feed.take(rows, then=self._rows(self.batch + 1))
        started = time.perf_counter()
        matrices = sample_matrices(self.config.augmentation, len(rows), self._rng)
        inputs = self.arithmetic.laid_out(normalise(warp_batch(to_floats(images), matrices)))
        labels = torch.from_numpy(self.images.labels[rows]).to(self.arithmetic.on)
        rate = self.config.rate_at((self.epoch - 1) * self.batches + self.batch, self.config.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        with self.arithmetic.autocast():
            logits = self.network(inputs)
        loss = functional.cross_entropy(logits.float(), labels)
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
        ended = time.perf_counter()
        self._seconds += ended - waiting
        return BatchResult(
            epoch=self.epoch,
            batch=self.batch,
            batches=self.batches,
            loss=value,
            accuracy=correct / len(rows),
            learning_rate=rate,
            seconds=ended - started,
            transfer_seconds=started - waiting,
            images_per_second=min(self.batch * self.config.batch_size, len(self._order)) / self._seconds,
        )

    def _rows(self, batch: int) -> np.ndarray:
        """The images of a batch, counted from 0; none after the last one."""
        size = self.config.batch_size
        return self._order[batch * size : (batch + 1) * size]

    def _validate(self, between: Callable[[], None]) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on the validation images."""
        rows = self.images.validation
        logits = predict_logits(self.network, self.feed, rows, self.config.batch_size, self.arithmetic, between)
        labels = torch.from_numpy(self.images.labels[rows])
        loss = functional.cross_entropy(logits, labels).item()
        return loss, (logits.argmax(1) == labels).double().mean().item()


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimizer that `config` names, in one pass over the weights; every layer learns."""
    if config.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    return torch.optim.SGD(network.parameters(), lr=config.learning_rate, momentum=0.9, fused=True)


def predict_logits(
    network: nn.Module,
    feed: Feed,
    rows: np.ndarray,
    batch_size: int,
    arithmetic: Arithmetic,
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
    with torch.inference_mode(), arithmetic.autocast():
        for i in range(0, len(rows), batch_size):
            between()
            images = feed.take(rows[i : i + batch_size], then=rows[i + batch_size : i + 2 * batch_size])
            outputs.append(network(arithmetic.laid_out(normalise(to_floats(images)))).float().cpu())
    return torch.cat(outputs)
