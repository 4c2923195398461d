import pytest
import torch

from cfu_core.training.devices import best_device, describe_device


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, False, "cuda")],
)
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device().type == expected


def test_devices_are_described_in_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA X")
    assert describe_device(torch.device("cuda")) == "GPU: NVIDIA X"
    assert describe_device(torch.device("mps")) == "GPU: Apple (MPS)"
    assert describe_device(torch.device("cpu"), 2) == "CPU, 2 threads"
    assert describe_device(torch.device("cpu"), 1) == "CPU, 1 thread"
