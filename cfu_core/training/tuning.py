"""Which way of computing is the fastest for a network on this computer: measured once, then remembered.

No choice is right everywhere: a layout that makes one network twice as fast makes another twice as slow, and bfloat16
is a gain on processors that multiply it and a loss on others. ``<home>/arithmetic.json`` holds what was found, so
that the same settings give the same bits tomorrow.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from filelock import FileLock
from torch import nn
from torch.nn import functional

from cfu_core.errors import StorageError
from cfu_core.storage import home, read_json, storage_errors, write_json
from cfu_core.training.compute_options import Arithmetic, plain
from cfu_core.training.devices import THREADS, model_name, multiplies_bfloat16

WORTH_STEPS = 100  # fewer gain less than the measurement costs,
WORTH_FORWARD = 20  # of which forward passes alone need less
TIMED_STEPS = 3  # of each way, after one that warms up
HOPELESS = 1.3  # a way whose first timed step takes so many times as long as the best is given up
GAIN = 0.95  # what another way must take of the plain one's time to be preferred: less may be noise
Progress = Callable[[int, int], None]


def fastest(
    network: nn.Module,
    key: str,
    shape: tuple[int, int, int, int],
    device: torch.device,
    *,
    steps: int,
    full_precision: bool = False,
    learning: bool = True,
    progress: Progress = lambda done, total: None,
) -> Arithmetic:
    """How to compute with a network here; measured where nobody has done so before.

    Parameters
    ----------
    network : nn.Module
        On the CPU. Its weights stay as they are.
    key : str
        Name of the architecture.
    shape : tuple of int
        Of a batch: (B, C, H, W).
    device : torch.device
    steps : int
        Batches that are to come; few are done in the plain way, without any measurement.
    full_precision : bool
        Whether only float32 will do.
    learning : bool
        Whether it is to be trained; otherwise it only gives outputs.
    progress : callable
        Called with ways measured and in all; may raise `StopRequested`.
    """
    if steps < (WORTH_STEPS if learning else WORTH_FORWARD):
        return plain(device)
    name = _name(f"{key}, {'training' if learning else 'forward'}", shape, device, full_precision)
    known = _remembered().get(name)
    if known:
        return Arithmetic.from_dict(known["fastest"])
    ways = list(_ways(device, full_precision))
    seconds: dict[Arithmetic, float] = {}
    for number, way in enumerate(ways):
        progress(number, len(ways))
        seconds[way] = _step_seconds(network, shape, way, min(seconds.values(), default=float("inf")), learning)
    quickest = min(seconds, key=seconds.__getitem__)
    if seconds[quickest] > GAIN * seconds[ways[0]]:
        quickest = ways[0]
    ways[0].settle(network).to("cpu")
    measured = [{**way.to_dict(), "seconds": taken} for way, taken in seconds.items()]
    _remember(name, {"fastest": quickest.to_dict(), "measured": measured})
    return quickest


def _name(key: str, shape: tuple[int, ...], device: torch.device, full_precision: bool) -> str:
    """What a measurement holds for: network, input, chip, torch, and the threads that torch was allowed."""
    parts = [key, "x".join(map(str, shape)), "float32" if full_precision else "any precision"]
    return " | ".join([*parts, device.type, model_name(device), f"{THREADS} threads", f"torch {torch.__version__}"])


def _ways(device: torch.device, full_precision: bool) -> Iterator[Arithmetic]:
    """All that may be fast, the plain way first."""
    first = plain(device)
    precisions = ["float32"]
    if multiplies_bfloat16(device) and not full_precision:
        precisions.append("bfloat16")
    layouts = (False, True) if device.type != "mps" else (False,)
    # a small batch may not feed all cores of a large processor
    threads = [first.threads, first.threads // 2] if device.type == "cpu" and first.threads >= 8 else [first.threads]
    for count, precision, layout in product(threads, precisions, layouts):
        yield replace(first, threads=count, precision=precision, channels_last=layout)


def _step_seconds(
    network: nn.Module, shape: tuple[int, int, int, int], way: Arithmetic, best: float, learning: bool
) -> float:
    """Seconds of one forward and backward pass, the shortest of some; the optimizer takes the same in every way."""
    with torch.random.fork_rng(), torch.inference_mode(not learning):
        torch.manual_seed(0)
        way.settle(network).train(learning)
        kept = {name: value.clone() for name, value in network.named_buffers()}  # batch normalisation counts along
        inputs = way.laid_out(torch.randn(shape).to(way.on))
        labels = torch.zeros(len(inputs), dtype=torch.long, device=way.on)
        shortest = float("inf")
        for step in range(1 + TIMED_STEPS):
            started = time.perf_counter()
            with way.autocast():
                logits = network(inputs)
            loss = functional.cross_entropy(logits.float(), labels)
            if learning:
                loss.backward()
            loss.item()  # until here a GPU may still be at it
            if step:
                shortest = min(shortest, time.perf_counter() - started)
                if shortest > HOPELESS * best:
                    break
        network.zero_grad(set_to_none=True)
        for name, value in network.named_buffers():
            value.copy_(kept[name])
    return shortest


def _remembered() -> dict[str, Any]:
    try:
        found = read_json(home() / "arithmetic.json")
    except (FileNotFoundError, StorageError):  # damaged: it is measured again
        return {}
    return found if isinstance(found, dict) else {}


def _remember(name: str, value: dict[str, Any]) -> None:
    path = home() / "arithmetic.json"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        write_json(path, {**_remembered(), name: value})
