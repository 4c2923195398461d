"""Which device trains: an NVIDIA GPU, an Apple GPU, or the processor; and what it has to offer."""

import platform
from pathlib import Path

import psutil
import torch

THREADS = torch.get_num_threads()  #: what torch, or OMP_NUM_THREADS, allows this process


def best_device() -> torch.device:
    """CUDA where there is one, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def describe(device: torch.device, threads: int = THREADS) -> str:
    """The device in words: its name, or how many threads."""
    if device.type == "cuda":
        return f"GPU: {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "GPU: Apple (MPS)"
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def model_name(device: torch.device) -> str:
    """What exactly computes: two computers of one model take the same time for the same."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = platform.processor() or platform.machine()
    try:  # Linux leaves the above empty
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    known = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {name.strip(): value.strip() for name, value in known.items()}
    words = [named[name] for name in ("model name", "cpu family", "model", "stepping") if name in named]
    return f"{' '.join(words) or cpu}, {torch.backends.cpu.get_cpu_capability()}"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for it; elsewhere it is only imitated, slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    here = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return here and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def free_memory(device: torch.device) -> int:
    """Bytes that are left on the device, those included that torch keeps though nobody uses them."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        torch.mps.empty_cache()
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return psutil.virtual_memory().available


def memory_in_use(device: torch.device) -> int:
    """Bytes that this process holds: of the GPU's memory, or resident in the computer's own."""
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return psutil.Process().memory_info().rss


def random_state(device: torch.device) -> torch.Tensor | None:
    """Where the device's own random numbers stand; None on the CPU, whose state is torch's."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def set_random_state(device: torch.device, state: torch.Tensor | None) -> None:
    """Set what `random_state` gave on a device of this kind."""
    if state is None:
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
