"""The bare training step on one batch in memory: precisions, memory layouts, CUDA graphs and torch.compile.

A step is forward pass, backward pass and Adam. Neither reading nor augmenting images is part of it, and nothing waits
for its result. It needs only torch, torchvision, NumPy, OpenCV and psutil.
"""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.gpu_results import NEEDS_CUDA, Deadline, Recorder
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import architecture
from cfu_core.published.zamani_2023 import CLASS_TOTALS, TABLE_2
from cfu_core.training.compute_options import ComputeOptions
from cfu_core.training.config import TrainingConfig
from cfu_core.training.devices import THREADS, best_device
from cfu_core.training.loop import make_optimizer

CLASSES = len(CLASS_TOTALS)
EPOCH_IMAGES = sum(counts["training"] for counts in TABLE_2.values())  # 510
PRECISIONS = ("float32", "TF32", "bfloat16")
LAYOUTS = ("channels first", "channels last")
WARM_UP = 5  # steps before the clock starts; also before a graph is captured
REPEATS = 3  # of which the median counts
STEPS = 20  # of a repeat, fewer if they take longer than REPEAT_SECONDS
REPEAT_SECONDS = 0.3
MEGABYTE = 2**20


class Step:
    """A training step of a network on one batch in the memory of the device.

    Parameters
    ----------
    network : Module
        On the CPU; it is copied.
    key : str
        Name of the architecture.
    batch : int
        Number of images.
    precision : {"float32", "TF32", "bfloat16"}
        ``float32`` excludes TF32 for both matrix products and convolutions.
    layout : {"channels first", "channels last"}
    device : torch.device
    capturable : bool
        Whether the optimizer can be captured in a CUDA graph.
    compiled : bool
        Whether the forward and backward passes are compiled by `torch.compile`.
    """

    def __init__(
        self,
        network: nn.Module,
        key: str,
        batch: int,
        precision: str,
        layout: str,
        device: torch.device,
        *,
        capturable: bool = False,
        compiled: bool = False,
    ) -> None:
        set_tf32(precision != "float32")
        self.options = ComputeOptions(
            device=device.type,
            threads=THREADS,
            channels_last=layout == "channels last",
            precision="bfloat16" if precision == "bfloat16" else "float32",
        )
        network = self.options.prepare(copy.deepcopy(network)).train()
        side = architecture(key).input_size
        config = TrainingConfig(dataset="none", architecture=key, recipe=Recipe.original(side), weights="none")
        self.optimizer = make_optimizer(network, config)
        for group in self.optimizer.param_groups:
            group["capturable"] = capturable
        generator = torch.Generator().manual_seed(0)
        self.images = self.options.to_layout(torch.randn(batch, 3, side, side, generator=generator).to(device))
        self.labels = torch.arange(batch, device=device) % CLASSES
        self.network: Any = torch.compile(network, dynamic=False) if compiled else network
        self.loss = torch.zeros((), device=device)

    def __call__(self) -> None:
        """Take a step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.update()

    def update(self) -> None:
        """Take a step without resetting the gradients; a CUDA graph captures this."""
        with self.options.autocast():
            logits = self.network(self.images)
        loss = functional.cross_entropy(logits.float(), self.labels)
        loss.backward()
        self.optimizer.step()
        self.loss = loss.detach()


def steps(recorder: Recorder, networks: tuple[str, ...], *, dry: bool, scratch: Path, deadline: Deadline) -> None:  # noqa: ARG001
    """Measure the step of each network, batch size, precision and layout, first without and then with CUDA graphs."""
    device = best_device()
    for key in networks:
        network = initial_network(key)
        for batch in batch_sizes(dry=dry):
            for method, measure in (("eager", eager), ("CUDA graph", cuda_graph)):
                for precision in PRECISIONS:
                    for layout in LAYOUTS:
                        settings = describe(key, batch, precision, layout, method)
                        if device.type != "cuda" and (method == "CUDA graph" or precision == "TF32"):
                            recorder.leave_out("steps", settings, NEEDS_CUDA)
                            continue
                        arguments = (network, key, batch, precision, layout, device)
                        recorder.measure("steps", settings, lambda m=measure, a=arguments: m(*a, dry=dry))


def compiled(recorder: Recorder, networks: tuple[str, ...], *, dry: bool, scratch: Path, deadline: Deadline) -> None:  # noqa: ARG001
    """Measure the step compiled by `torch.compile`, which can take a minute for each network, batch and precision."""
    device = best_device()
    for key in networks:
        network = initial_network(key)
        for batch in batch_sizes(dry=dry):
            for precision in ("bfloat16", "TF32"):
                settings = describe(key, batch, precision, "channels last", "torch.compile")
                arguments = (network, key, batch, precision, "channels last", device)
                recorder.measure("compiled", settings, lambda a=arguments: compile_and_measure(*a, dry=dry))


def eager(*arguments: Any, dry: bool) -> dict[str, Any]:
    """Measure a step as PyTorch executes it without further ado."""
    step = Step(*arguments)
    return with_peak_memory(step.options.torch_device, lambda: timed(step, step, dry=dry))


def cuda_graph(*arguments: Any, dry: bool) -> dict[str, Any]:
    """Measure the replay of a step that was captured in a CUDA graph.

    The warm-up runs in a stream of its own, as PyTorch's notes on CUDA graphs demand, so that no initialisation is
    captured.
    """
    step = Step(*arguments, capturable=True)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    step.optimizer.zero_grad(set_to_none=True)  # the backward pass then allocates the gradients in the graph's memory
    with torch.cuda.graph(graph):
        step.update()
    return timed(graph.replay, step, dry=dry)


def compile_and_measure(*arguments: Any, dry: bool) -> dict[str, Any]:
    """Compile a step and measure it; the compilation happens during the first step."""
    torch.compiler.reset()
    step = Step(*arguments, compiled=True)
    began = time.perf_counter()
    step()
    synchronise(step.options.torch_device)
    seconds = time.perf_counter() - began
    numbers = with_peak_memory(step.options.torch_device, lambda: timed(step, step, dry=dry))
    return {"compile_seconds": seconds, **numbers}


def timed(call: Callable[[], None], step: Step, *, dry: bool) -> dict[str, Any]:
    """Return the median time of a step and the speed that follows from it.

    Raises
    ------
    ArithmeticError
        The loss is not finite: the steps were not computed correctly.
    """
    device = step.options.torch_device
    for _ in range(1 if dry else WARM_UP):
        call()
    synchronise(device)
    began = time.perf_counter()
    call()
    synchronise(device)
    once = time.perf_counter() - began
    count = max(3, min(STEPS, int(REPEAT_SECONDS / once)))
    times = [once] if dry else [_seconds_per_step(call, count, device) for _ in range(REPEATS)]
    loss = float(step.loss)
    if not math.isfinite(loss):
        raise ArithmeticError(f"The loss is {loss}.")
    images_per_second = len(step.images) / median(times)
    return {
        "images_per_second": images_per_second,
        "epoch_seconds": EPOCH_IMAGES / images_per_second,
        "step_milliseconds": 1000 * median(times),
        "loss": loss,
    }


def with_peak_memory(device: torch.device, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers that a function returns and, on a CUDA GPU, the most memory that tensors took meanwhile.

    The memory of a CUDA graph is reserved when it is captured and cannot be measured in this way.
    """
    if device.type != "cuda":
        return work()
    torch.cuda.reset_peak_memory_stats(device)
    numbers = work()
    return {**numbers, "peak_megabytes": torch.cuda.max_memory_allocated(device) / MEGABYTE}


def _seconds_per_step(call: Callable[[], None], count: int, device: torch.device) -> float:
    synchronise(device)
    began = time.perf_counter()
    for _ in range(count):
        call()
    synchronise(device)
    return (time.perf_counter() - began) / count


def synchronise(device: torch.device) -> None:
    """Wait until the GPU has finished; the CPU has already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def set_tf32(allowed: bool) -> None:
    """Allow or forbid TF32 for float32 matrix products and convolutions on a CUDA GPU.

    The older switches are used: PyTorch up to 2.11 reads them in `torch.compile`, which fails if the newer
    ``fp32_precision`` was set, and they still work in 2.15.
    """
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def initial_network(key: str) -> nn.Module:
    """Build a network with random weights for the classes of the paper, on the CPU."""
    network = build_network(key, seed=0)
    replace_head(network, key, CLASSES, seed=0)
    return network


def batch_sizes(*, dry: bool) -> tuple[int, ...]:
    """Return the batch sizes to measure: the paper's and a larger one; a tiny one in the dry mode."""
    return (2,) if dry else (15, 60)


def describe(key: str, batch: int, precision: str, layout: str, method: str) -> dict[str, Any]:
    """Return the settings of a row."""
    return {"network": key, "batch": batch, "precision": precision, "layout": layout, "method": method}
