import copy
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace as Named

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cfu_core.errors import StopRequested, TrainingError
from cfu_core.imaging.augmentation import Augmentation
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.training import loop
from cfu_core.training.compute_options import default_options
from cfu_core.training.config import TrainingConfig
from cfu_core.training.loading import BatchLoader
from cfu_core.training.loop import (
    EpochResult,
    Training,
    TrainingImages,
    make_optimizer,
    predict_logits,
    predict_with_features,
)

CPU = default_options(torch.device("cpu"))


class Guarded(np.ndarray):
    """Pixels of which some rows must never be read."""

    forbidden: frozenset[int] = frozenset()

    def __array_finalize__(self, source: object) -> None:
        self.forbidden = getattr(source, "forbidden", frozenset())

    def __getitem__(self, key):
        rows = np.arange(len(self))[key]
        assert not self.forbidden & set(np.atleast_1d(rows).tolist()), "a forbidden image was read"
        return np.asarray(super().__getitem__(key))


def train(network, images, config, options, **callbacks) -> Iterator[EpochResult]:
    return Training(network, images, config, options).epochs(**callbacks)


def tiny_network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Dropout(0.2), nn.Linear(4, 2),
        )  # fmt: skip


def colours(seed: int = 0) -> TrainingImages:
    """Forty noisy images, red or blue: 24 for training, 8 for validation, and 8 that must not be read."""
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % 2
    pixels = rng.normal(120, 20, (40, 16, 16, 3))
    pixels[labels == 0, ..., 0] += 80
    pixels[labels == 1, ..., 2] += 80
    guarded = np.clip(pixels, 0, 255).astype(np.uint8).view(Guarded)
    guarded.forbidden = frozenset(range(32, 40))
    poisoned = np.where(np.arange(40) < 32, labels, -1)
    return TrainingImages(pixels=guarded, labels=poisoned, training=np.arange(24), validation=np.arange(24, 32))


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig(
        dataset="d", architecture="resnet18", recipe=Recipe.original(299), epochs=4, batch_size=7, learning_rate=0.02
    )


@pytest.fixture(autouse=True)
def _random_state() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def test_the_loss_goes_down_on_a_problem_that_can_be_learned(config):
    images, network = colours(), tiny_network()
    results = list(train(network, images, replace(config, epochs=12), CPU))
    assert [r.epoch for r in results] == list(range(1, 13))
    assert results[-1].training_loss < 0.5 * results[0].training_loss
    assert results[-1].validation_accuracy == 1.0
    assert results[-1].training_accuracy > 0.9


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_same_seed_gives_the_same_weights_bit_for_bit(config, optimizer):
    states = []
    for seed in (3, 3, 4):
        network = tiny_network()
        list(train(network, colours(), replace(config, seed=seed, optimizer=optimizer, epochs=2), CPU))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_images_of_other_partitions_are_never_read(config):
    images = colours()
    with pytest.raises(AssertionError, match="forbidden"):
        images.pixels[np.array([3, 35])]
    list(train(tiny_network(), images, replace(config, epochs=1), CPU))


def test_every_training_image_is_seen_once_an_epoch(config, monkeypatch):
    images = colours()
    seen = []

    def watch(pixels):
        seen.extend(pixels[:, 0, 0, :].tolist())
        return to_floats(pixels)

    monkeypatch.setattr(loop, "to_floats", watch)
    next(iter(train(tiny_network(), images, replace(config, epochs=1), CPU)))
    expected = images.pixels[images.training][:, 0, 0, :].tolist()
    assert sorted(seen[:24]) == sorted(expected)
    assert seen[:24] != expected  # shuffled
    assert seen[24:] == images.pixels[images.validation][:, 0, 0, :].tolist()


def test_each_step_is_reported(config):
    steps = []
    list(train(tiny_network(), colours(), replace(config, epochs=2), CPU, on_batch=steps.append))
    assert [(s.epoch, s.batch, s.batches) for s in steps] == [(e, b, 4) for e in (1, 2) for b in (1, 2, 3, 4)]
    assert all(0 <= s.accuracy <= 1 and s.loss > 0 and s.images_per_second > 0 for s in steps)


def test_an_epochs_loss_and_accuracy_are_means_over_its_images(config):
    steps = []
    (result,) = train(tiny_network(), colours(), replace(config, epochs=1), CPU, on_batch=steps.append)
    sizes = [7, 7, 7, 3]
    assert result.training_loss == pytest.approx(np.average([s.loss for s in steps], weights=sizes))
    assert result.training_accuracy == pytest.approx(np.average([s.accuracy for s in steps], weights=sizes))


def test_validation_is_mean_cross_entropy_and_accuracy_without_augmentation_or_dropout(config):
    images, network = colours(), tiny_network()
    config = replace(config, batch_size=3, learning_rate=1e-8)
    (result,) = train(network, images, replace(config, epochs=1), CPU)
    network.eval()
    with torch.inference_mode():
        logits = network(normalise(to_floats(torch.from_numpy(images.pixels[images.validation]))))
    labels = torch.from_numpy(images.labels[images.validation])
    assert result.validation_loss == pytest.approx(functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert result.validation_accuracy == (logits.argmax(1) == labels).double().mean().item()


def test_augmentation_changes_training_and_not_validation(config, monkeypatch):
    calls = []
    original = loop.warp_batch

    def watch(batch, matrices):
        calls.append(network.training)
        return original(batch, matrices)

    monkeypatch.setattr(loop, "warp_batch", watch)
    network = tiny_network()
    list(train(network, colours(), replace(config, epochs=1), CPU))
    assert calls == [True] * 4
    still = replace(config, epochs=1, augmentation=Augmentation(reflect=False, rotation=0.0, translation=0.0))
    unmoved = tiny_network()
    list(train(unmoved, colours(), still, CPU))
    assert not torch.equal(network[0].weight, unmoved[0].weight)


def test_the_order_of_images_does_not_depend_on_the_augmentation(config):
    first = []
    for augmentation in (Augmentation(), Augmentation(reflect=False, rotation=0.0)):
        steps = []
        # a network that sees nothing but the mean colour, which turning hardly changes
        blind = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
        nn.init.zeros_(blind[2].bias)
        nn.init.constant_(blind[2].weight, 0.1)
        blind[2].weight.data[0].neg_()
        settings = replace(config, augmentation=augmentation, learning_rate=1e-8, epochs=2)
        list(train(blind, colours(), settings, CPU, on_batch=steps.append))
        first.append([s.loss for s in steps])
    np.testing.assert_allclose(first[0], first[1], atol=0.02)
    assert np.ptp(first[0]) > 0.02  # batches do differ


def scripted(monkeypatch, standings: list[tuple[float, float]]) -> None:
    """Let validation give these (loss, accuracy), one an epoch."""
    results = iter(standings)
    monkeypatch.setattr(Training, "_validate", lambda *_: next(results))


@pytest.mark.parametrize(
    ("standings", "best"),
    [
        ([(1.0, 0.5), (0.9, 0.6), (0.8, 0.55), (0.7, 0.7)], [True, True, False, True]),
        # equal accuracy: the lower loss wins; equal loss as well: the earlier epoch stays
        ([(1.0, 0.5), (0.8, 0.5), (0.9, 0.5), (0.8, 0.5)], [True, True, False, False]),
        ([(1.0, 0.0), (2.0, 0.0)], [True, False]),
        ([(float("nan"), 0.5), (1.0, 0.5), (float("nan"), 0.5)], [True, True, False]),
    ],
)
def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss(config, monkeypatch, standings, best):
    scripted(monkeypatch, standings)
    settings = replace(config, epochs=len(standings))
    assert [r.best for r in train(tiny_network(), colours(), settings, CPU)] == best


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_training_with_an_explanation(config, value):
    network = tiny_network()
    network[-1].bias.data[0] = value
    with pytest.raises(
        TrainingError, match=r"diverged: the loss is (nan|inf) in epoch 1, batch 1.*learning rate is 0\.02.*smaller"
    ):
        list(train(network, colours(), config, CPU))


def test_a_stop_ends_the_training_within_a_batch(config):
    steps = []

    def stop(result) -> None:
        steps.append(result)
        if len(steps) == 6:
            raise StopRequested

    epochs = train(tiny_network(), colours(), config, CPU, on_batch=stop)
    assert next(epochs).epoch == 1
    with pytest.raises(StopRequested):
        next(epochs)
    assert len(steps) == 6


def test_a_stop_ends_the_validation_within_a_batch(config):
    asked = []

    def stop() -> None:
        asked.append(1)
        raise StopRequested

    with pytest.raises(StopRequested):
        next(iter(train(tiny_network(), colours(), config, CPU, check_stop=stop)))
    assert asked == [1]


def test_predictions_come_in_the_order_of_the_rows():
    network, images = tiny_network(), colours()
    rows = np.array([5, 2, 30, 2])
    loader = BatchLoader(images.pixels, rows, CPU.torch_device)
    together = predict_logits(network, loader, rows, 3, CPU)
    alone = torch.cat([predict_logits(network, loader, rows[i : i + 1], 1, CPU) for i in range(4)])
    torch.testing.assert_close(together, alone)
    assert together.shape == (4, 2)
    assert not network.training


def test_features_come_with_the_same_bits_of_the_logits(monkeypatch):
    network, images = tiny_network().train(), colours()
    rows = np.array([5, 2, 30, 2])
    loader = BatchLoader(images.pixels, rows, CPU.torch_device)
    monkeypatch.setattr("cfu_core.models.networks.architecture", lambda key: Named(head="6"))
    logits, features = predict_with_features(network, "tiny", loader, rows, 3, CPU)
    assert torch.equal(logits, predict_logits(network, loader, rows, 3, CPU))
    assert features.shape == (4, 4)
    assert np.array_equal(features[1], features[3])
    last = network[6]
    expected = features @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-6)
    assert not last._forward_pre_hooks
    brighter, _ = predict_with_features(network, "tiny", loader, rows, 3, CPU, light=1.1)
    changed = np.clip(images.pixels[rows] * 1.1, 0, 255)
    with torch.inference_mode():
        expected = network(normalise(torch.from_numpy(changed).float().permute(0, 3, 1, 2)))
    torch.testing.assert_close(brighter, expected)


@pytest.mark.parametrize(
    ("name", "kind", "settings"), [("adam", torch.optim.Adam, {}), ("sgd", torch.optim.SGD, {"momentum": 0.9})]
)
def test_the_optimizer_is_the_configured_one_and_has_all_parameters(config, name, kind, settings):
    network = tiny_network()
    optimizer = make_optimizer(network, replace(config, optimizer=name, learning_rate=0.003))
    assert type(optimizer) is kind
    (group,) = optimizer.param_groups
    assert group["lr"] == 0.003
    assert {key: group[key] for key in settings} == settings
    assert len(group["params"]) == len(list(network.parameters()))


class Killed(Exception):
    """Raised after some batches, in place of a kill."""


def stop_after(steps: int):
    left = iter(range(steps))

    def on_batch(_result) -> None:
        if next(left, None) is None:
            raise Killed

    return on_batch


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("steps", [0, 2, 3, 4, 9])  # after the first batch; in an epoch; its last; the next one's first
def test_a_resumed_training_gives_the_same_bits(config, steps, optimizer, tmp_path):
    config = replace(config, epochs=3, optimizer=optimizer)
    whole = tiny_network()
    expected = list(train(whole, colours(), config, CPU))

    first = Training(tiny_network(), colours(), config, CPU)
    before = []
    with pytest.raises(Killed):
        before.extend(first.epochs(on_batch=stop_after(steps)))
    torch.save(first.state(), tmp_path / "state.pt")
    torch.manual_seed(99)  # another process has random numbers of its own
    second = Training(tiny_network(seed=5), colours(), config, CPU)
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    after = list(second.epochs())

    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, second.network.state_dict()[name]), name
    epochs = [e for e in range(1, 4) if e >= expected[-1].epoch - len(after) + 1]
    assert [result.epoch for result in after] == epochs
    figures = ("epoch", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy", "best")
    for one, other in zip(expected[-len(after) :], after, strict=True):
        assert [getattr(one, name) for name in figures] == [getattr(other, name) for name in figures]


def test_a_training_restored_after_its_last_epoch_is_ended(config):
    done = Training(tiny_network(), colours(), replace(config, epochs=1), CPU)
    assert len(list(done.epochs())) == 1
    again = Training(tiny_network(), colours(), replace(config, epochs=1), CPU)
    again.restore(done.state())
    assert list(again.epochs()) == []


# --- compute options


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layout_and_precision_change_the_result_little(config, precision):
    other = replace(CPU, channels_last=True, precision=precision)
    losses, states = [], []
    for options in (CPU, other, other):
        network = tiny_network()
        results = list(train(network, colours(), config, options))
        losses.append([r.training_loss for r in results])
        states.append(network.state_dict())
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3 if precision == "float32" else 0.05)
    if precision == "bfloat16":
        assert losses[1] != losses[0]
    for name, value in states[1].items():
        assert torch.equal(value, states[2][name])  # it repeats all the same
        assert value.dtype in (torch.float32, torch.int64)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_training_can_be_resumed_in_another_layout(config, optimizer):
    """As when a run that began on a GPU is resumed on a processor."""
    config = replace(config, epochs=3, optimizer=optimizer)
    whole = tiny_network()
    expected = [r.training_loss for r in train(whole, colours(), config, CPU)]
    first = Training(tiny_network(), colours(), config, replace(CPU, channels_last=True))
    with pytest.raises(Killed):
        list(first.epochs(on_batch=stop_after(5)))
    state = copy.deepcopy(first.state())  # before the second begins, which seeds torch
    second = Training(tiny_network(), colours(), config, CPU)
    second.restore(state)
    for weights, kept in second.optimizer.state.items():
        assert all(v.stride() == weights.stride() for v in kept.values() if v.shape == weights.shape)
    after = [r.training_loss for r in second.epochs()]
    np.testing.assert_allclose(after, expected[-len(after) :], rtol=1e-3)


def test_random_numbers_of_another_kind_of_device_are_ignored(config):
    first = Training(tiny_network(), colours(), config, CPU)
    state = {**first.state(), "device": "cuda", "random_device": torch.zeros(16, dtype=torch.uint8)}
    second = Training(tiny_network(), colours(), config, CPU)
    second.restore(state)
    assert torch.equal(torch.get_rng_state(), state["random_torch"])
    assert second.state()["random_device"] is None


# --- settings beyond the paper


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.02] * 8),
        ("cosine", [0.01 * (1 + np.cos(np.pi * i / 8)) for i in range(8)]),
        ("step", [0.02] * 6 + [0.002] * 2),
    ],
)
def test_the_learning_rate_follows_its_schedule(config, schedule, expected):
    steps = []
    settings = replace(config, epochs=2, schedule=schedule)
    list(train(tiny_network(), colours(), settings, CPU, on_batch=steps.append))
    assert [step.learning_rate for step in steps] == pytest.approx(expected)


def test_the_rate_of_a_schedule_is_that_of_the_optimizer(config):
    settings = replace(config, epochs=2, schedule="cosine")
    training = Training(tiny_network(), colours(), settings, CPU)
    rates = []
    list(training.epochs(on_batch=lambda step: rates.append((step.learning_rate, training.optimizer))))
    assert training.optimizer.param_groups[0]["lr"] == rates[-1][0]


def test_patience_ends_a_training_that_no_longer_gets_better(config, monkeypatch):
    standings = [(1.0, 0.5), (0.9, 0.6), (0.8, 0.6), (0.9, 0.6), (0.9, 0.55), (0.1, 0.9), (0.1, 0.9)]
    for patience, epochs in ((0, 7), (2, 5), (3, 7), (1, 7)):
        scripted(monkeypatch, standings)
        settings = replace(config, epochs=7, patience=patience)
        done = list(train(tiny_network(), colours(), settings, CPU))
        # the third epoch has the accuracy of the second and a lower loss, so that it is the best of the first five
        assert len(done) == (4 if patience == 1 else epochs)


def test_patience_survives_a_pause(config, monkeypatch):
    standings = [(1.0, 0.9), (1.0, 0.5), (1.0, 0.5)]
    settings = replace(config, epochs=9, patience=2)
    scripted(monkeypatch, standings)
    first = Training(tiny_network(), colours(), settings, CPU)
    epochs = first.epochs()
    next(epochs), next(epochs)
    second = Training(tiny_network(), colours(), settings, CPU)
    second.restore(first.state())
    assert len(list(second.epochs())) == 1
    assert second.ended
