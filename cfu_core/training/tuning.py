"""Find the fastest compute options for a network on this computer by a measurement, and store the result.

No choice is the fastest everywhere: a memory layout that makes one network twice as fast makes another twice as slow,
and bfloat16 is faster on processors with bfloat16 instructions and slower on others. Results are stored in
``<home>/arithmetic.json``, so that the same settings give the same bits later.
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
from cfu_core.training.compute_options import ComputeOptions, default_options
from cfu_core.training.devices import THREADS, processor_model, supports_bfloat16

FILE = "arithmetic.json"  # in the home folder
MIN_TRAINING_STEPS = 100  # with fewer training steps a measurement costs more than it gains
MIN_FORWARD_STEPS = 20  # the same for forward passes alone
TIMED_STEPS = 3  # of each candidate, after one step to warm up
GIVE_UP_RATIO = 1.3  # a candidate is given up if its first timed step takes this many times the shortest time
REQUIRED_RATIO = 0.95  # share of the default's time below which a candidate is preferred; a smaller gain may be noise
Progress = Callable[[int, int], None]


def fastest_options(
    network: nn.Module,
    key: str,
    shape: tuple[int, int, int, int],
    device: torch.device,
    *,
    steps: int,
    full_precision: bool = False,
    training: bool = True,
    progress: Progress = lambda done, total: None,
) -> ComputeOptions:
    """Return the fastest compute options for a network; measure them if this computer has no stored result.

    Candidates differ in precision (float32; bfloat16 if the device supports it), in memory layout (not on ``mps``), and
    on a CPU of 8 or more threads in the number of threads (all or half of them).

    Parameters
    ----------
    network : Module
        On the CPU. During a measurement it is on `device`; afterwards it is on the CPU again. Its weights and batch
        statistics do not change; a measurement changes its training or evaluation mode.
    key : str
        Name of its architecture, under which the result is stored.
    shape : tuple of int
        Shape of a batch: (B, C, H, W).
    device : torch.device
        Only its type and model matter for a stored result.
    steps : int
        Number of batches to be computed.
    full_precision : bool
        Whether only float32 is allowed.
    training : bool
        Whether the network will be trained. If False, only forward passes are measured.
    progress : callback ``(done, total)``
        Called before each measurement with the number of measured candidates and of all candidates. It may raise
        `StopRequested`; then no result is stored, and the network may be on `device`.

    Returns
    -------
    ComputeOptions
        `default_options`, without a measurement, if `steps` is less than `MIN_TRAINING_STEPS` (or `MIN_FORWARD_STEPS`
        if `training` is False). Otherwise the stored result for the same network, shape, `full_precision`, `training`,
        processor, number of threads and version of torch, if there is one. Otherwise the fastest candidate; but
        `default_options` if every other candidate needs more than 95 % of their time.

    Raises
    ------
    StorageError
        The result cannot be written to ``<home>/arithmetic.json``: the disk is full, or the folder is not writable.
    """
    if steps < (MIN_TRAINING_STEPS if training else MIN_FORWARD_STEPS):
        return default_options(device)
    name = _result_name(f"{key}, {'training' if training else 'forward'}", shape, device, full_precision)
    stored = _stored_results().get(name)
    if stored:
        return ComputeOptions.from_dict(stored["fastest"])
    candidates = list(_candidates(device, full_precision))
    seconds: dict[ComputeOptions, float] = {}
    for number, options in enumerate(candidates):
        progress(number, len(candidates))
        shortest = min(seconds.values(), default=float("inf"))
        seconds[options] = _step_seconds(network, shape, options, shortest, training)
    fastest = min(seconds, key=seconds.__getitem__)
    if seconds[fastest] > REQUIRED_RATIO * seconds[candidates[0]]:
        fastest = candidates[0]
    candidates[0].prepare(network).to("cpu")
    measured = [{**options.to_dict(), "seconds": taken} for options, taken in seconds.items()]
    _store_result(name, {"fastest": fastest.to_dict(), "measured": measured})
    return fastest


def _result_name(key: str, shape: tuple[int, ...], device: torch.device, full_precision: bool) -> str:
    """Name the conditions of a measurement: network, input, processor, torch, and number of threads."""
    parts = [key, "x".join(map(str, shape)), "float32" if full_precision else "any precision"]
    parts += [device.type, processor_model(device), f"{THREADS} threads", f"torch {torch.__version__}"]
    return " | ".join(parts)


def _candidates(device: torch.device, full_precision: bool) -> Iterator[ComputeOptions]:
    """Give all options that may be the fastest, the default first."""
    default = default_options(device)
    precisions = ["float32"]
    if supports_bfloat16(device) and not full_precision:
        precisions.append("bfloat16")
    layouts = (False, True) if device.type != "mps" else (False,)
    threads = [default.threads]
    if device.type == "cpu" and default.threads >= 8:
        threads.append(default.threads // 2)  # a small batch may not occupy all cores of a large processor
    for count, precision, channels_last in product(threads, precisions, layouts):
        yield replace(default, threads=count, precision=precision, channels_last=channels_last)


def _step_seconds(
    network: nn.Module, shape: tuple[int, int, int, int], options: ComputeOptions, shortest: float, training: bool
) -> float:
    """Return the shortest time of a forward (and backward) pass; the optimizer takes the same time with all options."""
    with torch.random.fork_rng(), torch.inference_mode(not training):
        torch.manual_seed(0)
        options.prepare(network).train(training)
        buffers = {name: value.clone() for name, value in network.named_buffers()}  # training changes batch statistics
        inputs = options.to_layout(torch.randn(shape).to(options.torch_device))  # (B, C, H, W)
        labels = torch.zeros(len(inputs), dtype=torch.long, device=options.torch_device)
        found = float("inf")
        for step in range(1 + TIMED_STEPS):
            started = time.perf_counter()
            with options.autocast():
                logits = network(inputs)
            loss = functional.cross_entropy(logits.float(), labels)
            if training:
                loss.backward()
            loss.item()  # waits for the GPU
            if step:
                found = min(found, time.perf_counter() - started)
                if found > GIVE_UP_RATIO * shortest:
                    break
        network.zero_grad(set_to_none=True)
        for name, value in network.named_buffers():
            value.copy_(buffers[name])
    return found


def _stored_results() -> dict[str, Any]:
    """Read the stored results; none if the file is missing or damaged, so that the measurement is repeated."""
    try:
        found = read_json(home() / FILE)
    except (FileNotFoundError, StorageError):
        return {}
    return found if isinstance(found, dict) else {}


def _store_result(name: str, value: dict[str, Any]) -> None:
    path = home() / FILE
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            write_json(path, {**_stored_results(), name: value})
