"""How the arithmetic of a network is carried out: where, on how many threads, in which layout and precision.

None of this is a matter of learning, but the time depends on it, and the last bits of the result do.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from cfu_core.training.devices import THREADS, describe


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """One way to carry it out.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    threads : int
        Of the processor.
    channels_last : bool
        Whether the channels of a pixel lie next to each other in memory.
    precision : str
        ``float32``; or ``bfloat16``, in which torch's autocast then multiplies, while weights stay in float32.
    """

    device: str
    threads: int
    channels_last: bool = False
    precision: str = "float32"

    @property
    def on(self) -> torch.device:
        """The device, for torch."""
        return torch.device(self.device)

    @property
    def label(self) -> str:
        """In words, for people."""
        layout = "channels last" if self.channels_last else "channels first"
        return f"{describe(self.on, self.threads)}, {self.precision}, {layout}"

    def settle(self, network: nn.Module) -> nn.Module:
        """Bring a network to the device and into the layout, and set the number of threads of this process."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return network.to(self.on, memory_format=self._format)  # type: ignore[call-overload]

    def laid_out(self, batch: torch.Tensor) -> torch.Tensor:
        """A batch of shape (B, C, H, W) in the layout."""
        return batch.contiguous(memory_format=self._format)

    def autocast(self) -> AbstractContextManager[Any]:
        """While this holds, forward passes are computed in the precision."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Arithmetic":
        """What `to_dict` described."""
        return cls(**value)

    @property
    def _format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def plain(device: torch.device) -> Arithmetic:
    """As torch does it when nobody asks for anything else."""
    return Arithmetic(device=device.type, threads=THREADS)
