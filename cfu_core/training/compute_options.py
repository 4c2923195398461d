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
    threads : int
        Number of CPU threads.
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
        """Description for users."""
        layout = "channels last" if self.channels_last else "channels first"
        return f"{describe_device(self.torch_device, self.threads)}, {self.precision}, {layout}"

    def prepare(self, network: nn.Module) -> nn.Module:
        """Move a network to the device and into the memory layout; set this process's number of threads.

        Parameters
        ----------
        network : Module
            Changed in place.

        Returns
        -------
        Module
            The same network.
        """
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return network.to(self.torch_device, memory_format=self._memory_format)  # type: ignore[call-overload]

    def to_layout(self, batch: torch.Tensor) -> torch.Tensor:
        """Return a batch of shape (B, C, H, W) in the memory layout."""
        return batch.contiguous(memory_format=self._memory_format)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return a context manager within which forward passes are computed in the precision."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ComputeOptions":
        """Create the options from the value of `to_dict`."""
        return cls(**value)

    @property
    def _memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def default_options(device: torch.device) -> ComputeOptions:
    """Return torch's defaults for a device: float32, channels first, all threads."""
    return ComputeOptions(device=device.type, threads=THREADS)
