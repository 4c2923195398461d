"""Prepared images on the way to the device: kept there where they fit, read ahead in a thread where not."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from cfu_core.training.devices import free_memory

SHARE = 0.25  # of a GPU's free memory that images may take; the rest is for the network
AT_ONCE = 256  # images moved at once


class Feed:
    """Gives images by their row, as they lie in the cache: uint8, on the device.

    On a GPU all rows that will be asked for are brought there once, if they fit into a quarter of what is free.
    Otherwise, and on the CPU, the next batch is read from the memory map by a thread while this one is computed.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
    rows : ndarray of int64
        Those that will be asked for.
    device : torch.device
    resident : bool, optional
        Whether to keep them on the device; by default, where that is a GPU with the room.

    Attributes
    ----------
    seconds : float
        What the training waited for images so far.
    """

    def __init__(
        self, pixels: np.ndarray, rows: np.ndarray, device: torch.device, *, resident: bool | None = None
    ) -> None:
        started = time.perf_counter()
        self._pixels = pixels
        self._device = device
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._ahead: tuple[np.ndarray, Future[torch.Tensor]] | None = None
        self._kept: torch.Tensor | None = None
        if resident is None:
            room = SHARE * free_memory(device) if device.type != "cpu" else 0
            resident = len(rows) * pixels[:1].nbytes <= room
        if resident:
            self._place = np.full(len(pixels), -1)
            self._place[rows] = np.arange(len(rows))
            self._kept = torch.empty((len(rows), *pixels.shape[1:]), dtype=torch.uint8, device=device)
            for i in range(0, len(rows), AT_ONCE):
                self._kept[i : i + AT_ONCE] = self._read(rows[i : i + AT_ONCE]).to(device)
        self.seconds = time.perf_counter() - started

    def take(self, rows: np.ndarray, then: np.ndarray | None = None) -> torch.Tensor:
        """Images of some rows, on the device.

        Parameters
        ----------
        rows : ndarray of int64, shape (B,)
        then : ndarray of int64, optional
            The rows that will be asked for next.

        Returns
        -------
        Tensor of uint8, shape (B, S, S, 3)
        """
        started = time.perf_counter()
        if self._kept is not None:
            images = self._kept[torch.from_numpy(self._place[rows]).to(self._device)]
        else:
            # without waiting only where the source is pinned, and kept until it was read: not on MPS
            images = self._awaited(rows).to(self._device, non_blocking=self._device.type == "cuda")
            if then is not None and len(then):
                self._ahead = (then, self._pool.submit(self._read, then))
        self.seconds += time.perf_counter() - started
        return images

    def _awaited(self, rows: np.ndarray) -> torch.Tensor:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and np.array_equal(ahead[0], rows):
            return ahead[1].result()
        return self._read(rows)

    def _read(self, rows: np.ndarray) -> torch.Tensor:
        read = torch.from_numpy(np.ascontiguousarray(self._pixels[rows]))
        return read.pin_memory() if self._device.type == "cuda" else read
