"""The training loop: steps of the optimizer, validation after each epoch, and a state for pausing and resuming."""

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
from cfu_core.models.networks import logits_and_features
from cfu_core.models.normalisation import change_light, normalise, to_floats
from cfu_core.training.batches import warp_batch
from cfu_core.training.compute_options import ComputeOptions
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import random_state, set_random_state
from cfu_core.training.loading import BatchLoader


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """Images for training and validation. Test images are not part of them.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
        RGB, in any order.
    labels : ndarray of int64, shape (N,)
        Index of the class of each row of `pixels`, from 0; not used outside the two partitions.
    training, validation : ndarray of int64
        Rows of `pixels` in each partition; at least one of each.
    """

    pixels: np.ndarray
    labels: np.ndarray
    training: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """Result of one step of the optimizer.

    Attributes
    ----------
    epoch, batch : int
        Epoch, and batch within the epoch, counted from 1.
    batches : int
        Number of batches per epoch.
    loss, accuracy : float
        Mean cross-entropy and accuracy (0 to 1) of this batch, before the step.
    learning_rate : float
        Learning rate of this step.
    seconds : float
        Time of augmentation, forward pass, backward pass and step of the optimizer, in seconds.
    transfer_seconds : float
        Time of waiting for the images before that, in seconds.
    images_per_second : float
        Mean over the epoch so far, including callbacks.
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
    """Result of one pass over the training images and of the validation after it.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    training_loss, training_accuracy : float
        Mean cross-entropy and accuracy (0 to 1) over the epoch's augmented images, each predicted before the step of
        its batch, as learning curves usually show them.
    validation_loss, validation_accuracy : float
        Mean cross-entropy and accuracy (0 to 1) on the validation images after the epoch, without augmentation. The
        loss may be NaN or infinite.
    train_seconds : float
        Wall time in seconds from the first batch to the last one, including callbacks.
    validate_seconds : float
        Wall time of the validation in seconds.
    images_per_second : float
        Training images per second of `train_seconds`.
    best : bool
        Whether no earlier epoch had a higher validation accuracy, or an equal one with an equal or lower loss. A loss
        of NaN counts as infinite.
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
        """Return the fields by name, as JSON values, except that a loss may be NaN or infinite."""
        return asdict(self)


class Training:
    """A training run that can be paused after any batch and resumed there.

    On the CPU, a resumed training with the same compute options gives the same weights, bit for bit, as one that was
    not paused. The constructor sets torch's global random state from the seed of the configuration.

    Parameters
    ----------
    network : Module
        Moved to the device of `options` and trained in place.
    images : TrainingImages
        Images of the size that the network takes.
    config : TrainingConfig
        Epochs, batch size, optimizer, learning rate, schedule, patience, augmentation and seed are used.
    options : ComputeOptions
        Device, threads, memory layout and precision.

    Attributes
    ----------
    network : Module
        With the current weights.
    optimizer : Optimizer
        From `make_optimizer`.
    loader : BatchLoader
        Loads the training and validation images.
    epoch : int
        Current epoch, counted from 1; one more than the number of epochs at the end.
    batch : int
        Number of finished batches of the current epoch.
    """

    def __init__(
        self, network: nn.Module, images: TrainingImages, config: TrainingConfig, options: ComputeOptions
    ) -> None:
        self.network = options.prepare(network)
        self.images = images
        self.config = config
        self.options = options
        rows = np.concatenate([images.training, images.validation])
        self.loader = BatchLoader(images.pixels, rows, options.torch_device)
        self.optimizer = make_optimizer(network, config)
        self.epoch = 1  # the current one, counted from 1
        self.batch = 0  # finished batches of the current epoch
        self._best = (-1.0, 0.0)  # validation accuracy and negative loss of the best epoch
        self._since_best = 0  # epochs
        self._loss = self._correct = self._seconds = 0.0  # sums over the current epoch
        self._rng = np.random.default_rng(config.seed)
        self._order = self._rng.permutation(images.training)
        torch.manual_seed(config.seed)  # for dropout

    def epochs(
        self,
        *,
        on_batch: Callable[[BatchResult], None] = lambda result: None,
        check_stop: Callable[[], None] = lambda: None,
    ) -> Iterator[EpochResult]:
        """Train from the current batch to the end, one epoch per item.

        Parameters
        ----------
        on_batch : callable
            Called with the result after every step of the optimizer; `state` then includes this step. It may raise
            `StopRequested`.
        check_stop : callable
            Called without arguments before every batch of the validation. It may raise `StopRequested`; the validation
            is then repeated from its beginning after resuming.

        Yields
        ------
        EpochResult
            After each epoch. The network then has the weights of this epoch, not of the best one, and `state` is that
            of the beginning of the next epoch. Nothing is yielded if the training has ended.

        Raises
        ------
        TrainingError
            The loss of a batch is NaN or infinite: the training has diverged.
        """
        while not self.ended:
            self._train_epoch(on_batch)
            yield self._finish_epoch(check_stop)

    @property
    def batches(self) -> int:
        """Number of batches per epoch, including a last one that may be smaller."""
        return -(-len(self.images.training) // self.config.batch_size)

    @property
    def ended(self) -> bool:
        """Whether all epochs are done, or `patience` epochs (if not 0) have passed without a better one."""
        patience = self.config.patience
        return self.epoch > self.config.epochs or bool(patience and self._since_best >= patience)

    def _train_epoch(self, on_batch: Callable[[BatchResult], None]) -> None:
        """Train on the remaining batches of the current epoch."""
        self.network.train()
        while self.batch < self.batches:
            result = self._step()
            stepped = time.perf_counter()
            on_batch(result)
            self._seconds += time.perf_counter() - stepped

    def _step(self) -> BatchResult:
        """Train on one batch: load, augment, forward, backward, and a step of the optimizer."""
        rows = self._rows(self.batch)
        began = time.perf_counter()
        images = self.loader.load(rows, upcoming=self._rows(self.batch + 1))  # (B, S, S, 3), uint8
        loaded = time.perf_counter()
        matrices = sample_matrices(self.config.augmentation, len(rows), self._rng)  # (B, 2, 3)
        inputs = self.options.to_layout(normalise(warp_batch(to_floats(images), matrices)))  # (B, 3, S, S)
        labels = torch.from_numpy(self.images.labels[rows]).to(self.options.torch_device)  # (B,)
        rate = self._set_learning_rate()
        logits, loss = self._optimise(inputs, labels)
        self.batch += 1
        self._check_finite(loss)
        correct = (logits.argmax(1) == labels).sum().item()
        self._loss += loss * len(rows)
        self._correct += correct
        ended = time.perf_counter()
        self._seconds += ended - began
        return BatchResult(
            epoch=self.epoch,
            batch=self.batch,
            batches=self.batches,
            loss=loss,
            accuracy=correct / len(rows),
            learning_rate=rate,
            seconds=ended - loaded,
            transfer_seconds=loaded - began,
            images_per_second=min(self.batch * self.config.batch_size, len(self._order)) / self._seconds,
        )

    def _rows(self, batch: int) -> np.ndarray:
        """Return the rows of a batch, counted from 0; none after the last batch."""
        size = self.config.batch_size
        return self._order[batch * size : (batch + 1) * size]

    def _set_learning_rate(self) -> float:
        """Set the learning rate of the next step as the schedule says, and return it."""
        step = (self.epoch - 1) * self.batches + self.batch
        rate = self.config.rate_at(step, self.config.epochs * self.batches)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _optimise(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Take one step of the optimizer; return the logits (B, C) and the loss before the step."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.options.autocast():
            logits = self.network(inputs)  # (B, C)
        loss = functional.cross_entropy(logits.float(), labels)
        loss.backward()
        self.optimizer.step()
        return logits, loss.item()

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"The training has diverged: the loss is {loss} in epoch {self.epoch}, batch {self.batch}.",
                f"The learning rate is {self.config.learning_rate:g}; the paper uses 0.0001.",
                "Choose a smaller learning rate.",
            )

    def _finish_epoch(self, check_stop: Callable[[], None]) -> EpochResult:
        """Validate, then move to the beginning of the next epoch."""
        began = time.perf_counter()
        loss, accuracy = self._validate(check_stop)
        score = (accuracy, -math.inf if math.isnan(loss) else -loss)
        result = EpochResult(
            epoch=self.epoch,
            training_loss=self._loss / len(self._order),
            training_accuracy=self._correct / len(self._order),
            validation_loss=loss,
            validation_accuracy=accuracy,
            train_seconds=self._seconds,
            validate_seconds=time.perf_counter() - began,
            images_per_second=len(self._order) / self._seconds,
            best=score > self._best,
        )
        self._best = max(self._best, score)
        self._since_best = 0 if result.best else self._since_best + 1
        self.epoch, self.batch = self.epoch + 1, 0
        self._loss = self._correct = self._seconds = 0.0
        self._order = self._rng.permutation(self.images.training)
        return result

    def _validate(self, check_stop: Callable[[], None]) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy on the validation images."""
        rows = self.images.validation
        logits = predict_logits(self.network, self.loader, rows, self.config.batch_size, self.options, check_stop)
        labels = torch.from_numpy(self.images.labels[rows])
        loss = functional.cross_entropy(logits, labels).item()
        return loss, (logits.argmax(1) == labels).double().mean().item()

    def state(self) -> dict[str, Any]:
        """Return everything that determines how the training continues.

        Returns
        -------
        dict
            Weights, state of the optimizer, epoch and batch, order of the images, best result and random states, for
            `torch.save` and `restore`. The tensors are the network's and the optimizer's own, not copies: save them
            before the next step.
        """
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
            "device": self.options.device,
            "random_device": random_state(self.options.torch_device),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Set the training to a state from which `epochs` continues.

        Parameters
        ----------
        state : dict
            From `state`, with the same network, images and configuration; possibly from another process or another type
            of device. The optimizer may use its tensors without a copy, so do not use it afterwards. torch's global
            random state is set as well. The random state of a GPU is set only if the type of device is the same;
            otherwise the training continues with different random numbers for dropout.
        """
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._match_optimizer_layout()
        self.epoch, self.batch = state["epoch"], state["batch"]
        self._best = (state["best"][0], state["best"][1])
        self._since_best = state["since_best"]
        self._loss, self._correct, self._seconds = state["sums"]
        self._order = state["order"].numpy().copy()
        self._rng.bit_generator.state = json.loads(state["random_numpy"])
        torch.set_rng_state(state["random_torch"])
        if state["device"] == self.options.device:
            set_random_state(self.options.torch_device, state["random_device"])

    def _match_optimizer_layout(self) -> None:
        """Give the optimizer's moments the memory layout of their weights; fused optimizers misread any other."""
        for weights, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if torch.is_tensor(value) and value.shape == weights.shape and value.stride() != weights.stride():
                    moments[name] = torch.empty_like(weights, dtype=value.dtype).copy_(value)


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Create the optimizer that `config` names, for all layers of a network.

    Both optimizers are fused: they update all weights in one pass.

    Parameters
    ----------
    network : Module
        On the device on which it will be trained.
    config : TrainingConfig
        `optimizer` and `learning_rate` are used.

    Returns
    -------
    Optimizer
        ``adam``: Adam with torch's defaults (decay rates 0.9 and 0.999 of the moments). ``sgd``: stochastic gradient
        descent with momentum 0.9. Both without weight decay.

    References
    ----------
    D. P. Kingma and J. Ba (2015). Adam: A Method for Stochastic Optimization. ICLR.
    """
    if config.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
    return torch.optim.SGD(network.parameters(), lr=config.learning_rate, momentum=0.9, fused=True)


def predict_logits(
    network: nn.Module,
    loader: BatchLoader,
    rows: np.ndarray,
    batch_size: int,
    options: ComputeOptions,
    check_stop: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Compute the logits of images, without augmentation.

    Parameters
    ----------
    network : Module
        Prepared by ``options.prepare``. This function sets it to evaluation mode and leaves it there.
    loader : BatchLoader
        For the device of `options`.
    rows : ndarray of int64, shape (N,)
        At least one row of those for which `loader` was made.
    batch_size : int
        Largest number of images per forward pass. It affects memory and speed, and the last bits of the logits.
    options : ComputeOptions
        Device, memory layout and precision.
    check_stop : callable
        Called without arguments before every batch. It may raise `StopRequested`.

    Returns
    -------
    Tensor of float32, shape (N, C)
        Rows in the order of `rows`, columns in the order of the network's outputs; on the CPU.
    """
    network.eval()
    with torch.inference_mode(), options.autocast():
        inputs = _inputs(loader, rows, batch_size, options, check_stop)
        return torch.cat([network(batch).float().cpu() for batch in inputs])


def predict_with_features(
    network: nn.Module,
    key: str,
    loader: BatchLoader,
    rows: np.ndarray,
    batch_size: int,
    options: ComputeOptions,
    check_stop: Callable[[], None] = lambda: None,
    *,
    light: float = 1.0,
) -> tuple[torch.Tensor, np.ndarray]:
    """Compute the logits of images as `predict_logits` does, and the features from which they follow.

    Parameters
    ----------
    network : Module
        Prepared by ``options.prepare``. This function sets it to evaluation mode and leaves it there.
    key : str
        Name of its architecture.
    loader : BatchLoader
        For the device of `options`.
    rows : ndarray of int64, shape (N,)
        At least one row of those for which `loader` was made.
    batch_size : int
        Largest number of images per forward pass.
    options : ComputeOptions
        Device, memory layout and precision.
    check_stop : callable
        Called without arguments before every batch. It may raise `StopRequested`.
    light : float
        Factor by which the images are made brighter or darker, by `cfu_core.models.normalisation.change_light`.

    Returns
    -------
    logits : Tensor of float32, shape (N, C)
        Without a change of the light, the same bits as from `predict_logits`; on the CPU.
    features : ndarray of float32, shape (N, F)
        Inputs of the classification layer, from `cfu_core.models.networks.logits_and_features`.
    """
    network.eval()
    logits, features = [], []
    with torch.inference_mode(), options.autocast(), logits_and_features(network, key) as both:
        for batch in _inputs(loader, rows, batch_size, options, check_stop, light):
            found = both(batch)
            logits.append(found[0].float().cpu())  # (B, C)
            features.append(found[1].float().cpu().numpy())  # (B, F)
    return torch.cat(logits), np.concatenate(features)


def _inputs(
    loader: BatchLoader,
    rows: np.ndarray,
    batch_size: int,
    options: ComputeOptions,
    check_stop: Callable[[], None],
    light: float = 1.0,
) -> Iterator[torch.Tensor]:
    """Yield batches of normalised images, shape (B, 3, S, S), while the next one is read."""
    for i in range(0, len(rows), batch_size):
        check_stop()
        images = loader.load(rows[i : i + batch_size], upcoming=rows[i + batch_size : i + 2 * batch_size])
        yield options.to_layout(normalise(change_light(to_floats(images), light)))
