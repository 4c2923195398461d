"""How a network is computed: device, number of threads, memory layout and precision.

These options do not change what is learned, but they change the time it takes and the last bits of the result.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from cfu_core.training.devices import THREADS, describe_device


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Device, threads, memory layout and precision of a computation.

    Attributes
    ----------
    device : {"cpu", "cuda", "mps"}
        ``cuda`` is a GPU of NVIDIA (or of AMD with ROCm), ``mps`` a GPU of Apple.
    threads : int
        Number of CPU threads that torch uses. Only `prepare` sets it, for the whole process.
    channels_last : bool
        Whether the channels of a pixel are next to each other in memory.
    precision : {"float32", "bfloat16"}
        With ``bfloat16``, torch's autocast computes products in bfloat16, while weights stay in float32.
    """

    device: str
    threads: int
    channels_last: bool = False
    precision: str = "float32"

    @property
    def torch_device(self) -> torch.device:
        """The device as a `torch.device`."""
        return torch.device(self.device)

    @property
    def label(self) -> str:
        """Description for users, such as "CPU, 8 threads, float32, channels last"."""
        layout = "channels last" if self.channels_last else "channels first"
        return f"{describe_device(self.torch_device, self.threads)}, {self.precision}, {layout}"

    def prepare(self, network: nn.Module) -> nn.Module:
        """Move a network to the device and convert it to the memory layout; set this process's number of CPU threads.

        Parameters
        ----------
        network : Module
            Changed in place.

        Returns
        -------
        Module
            The same object as `network`.
        """
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return network.to(self.torch_device, memory_format=self._memory_format)  # type: ignore[call-overload]

    def to_layout(self, batch: torch.Tensor) -> torch.Tensor:
        """Convert a batch to the memory layout.

        Parameters
        ----------
        batch : Tensor, shape (B, C, H, W)
            On any device, of any dtype.

        Returns
        -------
        Tensor, shape (B, C, H, W)
            With equal values; `batch` itself if it already has the layout.
        """
        return batch.contiguous(memory_format=self._memory_format)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context manager that applies `precision` to the forward passes in its block.

        Returns
        -------
        context manager
            torch's autocast for ``bfloat16``; without effect for ``float32``.
        """
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON values; `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ComputeOptions":
        """Rebuild the options from the output of `to_dict`.

        Parameters
        ----------
        value : mapping
            Fields by name; ``device`` and ``threads`` are required.

        Returns
        -------
        ComputeOptions
            Equal to the options from which `to_dict` was called.

        Raises
        ------
        TypeError
            A required key is missing, or a key is unknown.
        """
        return cls(**value)

    @property
    def _memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def default_options(device: torch.device) -> ComputeOptions:
    """Return torch's defaults for a device.

    Parameters
    ----------
    device : torch.device
        From `cfu_core.training.devices.best_device`, or any other device. Only its type is used.

    Returns
    -------
    ComputeOptions
        float32, channels first, and all CPU threads that torch uses.
    """
    return ComputeOptions(device=device.type, threads=THREADS)
