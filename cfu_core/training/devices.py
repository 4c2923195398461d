"""The device to compute on, a CUDA GPU, an Apple GPU or the CPU, and its properties."""

import platform
from pathlib import Path

import psutil
import torch

from cfu_core.wording import plural

THREADS = torch.get_num_threads()  #: CPU threads that torch, or OMP_NUM_THREADS, allows this process


def best_device() -> torch.device:
    """Find the device to compute on.

    Returns
    -------
    torch.device
        ``cuda`` (the current GPU) if torch can use one; otherwise ``mps`` (the GPU of an Apple computer) if torch can
        use it; otherwise ``cpu``.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def describe_device(device: torch.device, threads: int = THREADS) -> str:
    """Describe a device for users.

    Parameters
    ----------
    device : torch.device
        A CPU, or an available GPU.
    threads : int
        Number of CPU threads; used only for the CPU.

    Returns
    -------
    str
        "GPU:" and the name of the GPU, "GPU: Apple (MPS)", or the number of CPU threads as in "CPU, 8 threads".
    """
    if device.type == "cuda":
        return f"GPU: {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "GPU: Apple (MPS)"
    return f"CPU, {plural(threads, 'thread')}"


def processor_model(device: torch.device) -> str:
    """Return the model of the GPU or CPU, by which measured times are stored.

    Parameters
    ----------
    device : torch.device
        For ``mps``, the CPU is described, because it is on the same chip.

    Returns
    -------
    str
        Name of the GPU; or name of the CPU, with its family, model and stepping where Linux states them, and the
        instruction set that torch uses, such as AVX2.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu = platform.processor() or platform.machine()
    try:  # on Linux, platform.processor() may be empty
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    known = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {name.strip(): value.strip() for name, value in known.items()}
    words = [named[name] for name in ("model name", "cpu family", "model", "stepping") if name in named]
    return f"{' '.join(words) or cpu}, {torch.backends.cpu.get_cpu_capability()}"


def supports_bfloat16(device: torch.device) -> bool:
    """Return whether torch can compute in bfloat16 on a device; it may still be slower than float32.

    Parameters
    ----------
    device : torch.device
        A CPU, or an available GPU. For ``cuda``, the current GPU is checked, also if `device` has another index.

    Returns
    -------
    bool
        ``cuda``: False if an NVIDIA GPU only emulates bfloat16; always True for a GPU of AMD. ``cpu``: True also for a
        processor with AVX-512 that has no instructions for bfloat16. ``mps``: always False.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    on_cpu = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return on_cpu and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def free_memory(device: torch.device) -> int:
    """Return the free memory of a device. On a GPU, torch's unused cached memory is released first.

    Parameters
    ----------
    device : torch.device
        For the CPU, the memory of the computer is meant.

    Returns
    -------
    int
        In bytes. For ``mps``, the difference from the largest recommended use.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        torch.mps.empty_cache()
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return psutil.virtual_memory().available


def memory_in_use(device: torch.device) -> int:
    """Return the memory that this process uses on a device.

    Parameters
    ----------
    device : torch.device
        For the CPU, the memory of the computer is meant.

    Returns
    -------
    int
        In bytes. ``cuda``: memory that torch has reserved, including its cache. ``mps``: memory that the driver has
        allocated. ``cpu``: resident memory of the whole process.
    """
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return psutil.Process().memory_info().rss


def random_state(device: torch.device) -> torch.Tensor | None:
    """Return the state of a GPU's random number generator.

    Parameters
    ----------
    device : torch.device
        A CPU, or an available GPU.

    Returns
    -------
    Tensor of uint8 or None
        For `set_random_state`. None for the CPU, whose state `torch.get_rng_state` returns.
    """
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def set_random_state(device: torch.device, state: torch.Tensor | None) -> None:
    """Set the state of a GPU's random number generator.

    Parameters
    ----------
    device : torch.device
        An available GPU. For the CPU, nothing happens.
    state : Tensor of uint8 or None
        From `random_state` on a device of the same type. If it is None, nothing happens.
    """
    if state is None:
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
