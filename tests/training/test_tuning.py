import json

import pytest
import torch
from torch import nn

from cfu_core.errors import StorageError
from cfu_core.training import tuning
from cfu_core.training.compute_options import ComputeOptions, default_options
from cfu_core.training.tuning import fastest_options

CPU = torch.device("cpu")
SHAPE = (4, 3, 16, 16)


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)
        )


@pytest.fixture
def scripted(monkeypatch):
    """Give each candidate a time in seconds: default, channels last, bfloat16, both."""
    asked: list[ComputeOptions] = []

    def give(*seconds: float) -> list[ComputeOptions]:
        left = iter(seconds)

        def step(_network, _shape, options, _shortest, _training):
            asked.append(options)
            return next(left)

        monkeypatch.setattr(tuning, "supports_bfloat16", lambda device: True)
        monkeypatch.setattr(tuning, "THREADS", 2)
        monkeypatch.setattr("cfu_core.training.compute_options.THREADS", 2)
        monkeypatch.setattr(tuning, "_step_seconds", step)
        return asked

    return give


@pytest.mark.parametrize(
    ("seconds", "layout", "precision"),
    [
        ((1.0, 0.5, 0.8, 0.7), True, "float32"),
        ((1.0, 1.5, 0.8, 0.4), True, "bfloat16"),
        ((1.0, 0.96, 0.97, 0.98), False, "float32"),  # so little may be chance
        ((1.0, 2.0, 0.9, 3.0), False, "bfloat16"),
    ],
)
def test_the_fastest_options_are_chosen(cfu_home, network, scripted, seconds, layout, precision):  # noqa: ARG001
    asked = scripted(*seconds)
    found = fastest_options(network, "n", SHAPE, CPU, steps=1000)
    assert (found.channels_last, found.precision, found.threads) == (layout, precision, 2)
    assert [(w.channels_last, w.precision) for w in asked] == [
        (False, "float32"), (True, "float32"), (False, "bfloat16"), (True, "bfloat16")
    ]  # fmt: skip


def test_results_are_stored_for_each_network_input_and_processor(cfu_home, network, scripted):
    asked = scripted(1.0, 0.5, 1.0, 1.0, 1.0, 0.6, 1.0, 0.4)
    first = fastest_options(network, "n", SHAPE, CPU, steps=1000)
    assert fastest_options(network, "n", SHAPE, CPU, steps=5000) == first
    assert len(asked) == 4
    assert fastest_options(network, "n", (8, 3, 16, 16), CPU, steps=1000).precision == "bfloat16"
    assert len(asked) == 8
    (one, other) = json.loads((cfu_home / "arithmetic.json").read_text()).values()
    assert [m["seconds"] for m in one["measured"]] == [1.0, 0.5, 1.0, 1.0]
    assert ComputeOptions.from_dict(other["fastest"]).precision == "bfloat16"


def test_only_float32_is_measured_if_full_precision_is_required(cfu_home, network, scripted):  # noqa: ARG001
    asked = scripted(1.0, 0.5)
    assert fastest_options(network, "n", SHAPE, CPU, steps=1000, full_precision=True).precision == "float32"
    assert {way.precision for way in asked} == {"float32"}


def test_a_short_training_is_not_measured(cfu_home, network, scripted):
    assert scripted() == []
    assert fastest_options(network, "n", SHAPE, CPU, steps=99) == default_options(CPU)
    assert not cfu_home.exists()


def test_large_processors_are_also_measured_with_half_their_threads(monkeypatch):
    monkeypatch.setattr("cfu_core.training.compute_options.THREADS", 16)
    assert {way.threads for way in tuning._candidates(CPU, True)} == {16, 8}


def test_damaged_results_are_measured_again(cfu_home, network, scripted):
    scripted(1.0, 0.5, 1.0, 1.0)
    cfu_home.mkdir()
    (cfu_home / "arithmetic.json").write_text("{")
    assert fastest_options(network, "n", SHAPE, CPU, steps=1000).channels_last


def test_measuring_does_not_change_the_network_or_random_numbers(cfu_home, network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    found = fastest_options(network, "n", SHAPE, CPU, steps=1000)
    torch.testing.assert_close(torch.rand(3), expected)
    assert found.device == "cpu"
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in network.parameters())
    assert network[0].weight.is_contiguous()
    measured = next(iter(json.loads((cfu_home / "arithmetic.json").read_text()).values()))["measured"]
    assert all(0 < way["seconds"] < 60 for way in measured)


def test_slow_options_are_given_up_after_one_timed_step(network):
    steps = []
    network.register_forward_hook(lambda *_: steps.append(1))
    tuning._step_seconds(network, SHAPE, default_options(CPU), float("inf"), True)
    assert len(steps) == 1 + tuning.TIMED_STEPS
    steps.clear()
    tuning._step_seconds(network, SHAPE, default_options(CPU), 0.0, True)
    assert len(steps) == 2


def test_forward_passes_and_training_are_measured_separately(cfu_home, network, scripted):
    asked = scripted(1.0, 0.5, 1.0, 0.4)
    assert not any(m.training for m in network.eval().modules())
    fastest_options(network, "n", SHAPE, CPU, steps=20, training=False, full_precision=True)
    fastest_options(network, "n", SHAPE, CPU, steps=100, full_precision=True)
    assert len(asked) == 4
    assert len(json.loads((cfu_home / "arithmetic.json").read_text())) == 2
    assert fastest_options(network, "n", SHAPE, CPU, steps=19, training=False) == default_options(CPU)


def test_measuring_forward_passes_does_not_change_the_network(cfu_home, network):  # noqa: ARG001
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fastest_options(network, "n", SHAPE, CPU, steps=1000, training=False)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_home_in_which_nothing_may_be_locked_is_reported(cfu_home, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied", str(cfu_home / "arithmetic.lock"))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(StorageError):
        tuning._store_result("any", {})
