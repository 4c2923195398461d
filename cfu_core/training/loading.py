"""Load batches of prepared images to the device: from its own memory, or read ahead by a thread."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from cfu_core.training.devices import free_memory

SHARE = 0.25  # of a GPU's free memory that images may take; the rest is for the network
COPY_ROWS = 256  # images copied to the GPU at once


class BatchLoader:
    """Load images by their row in the cache, as uint8, to the device.

    On a GPU, all rows are copied there once if they fit into a quarter of its free memory. Otherwise, and on the CPU, a
    thread reads the next batch from the memory map while the current one is computed.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
        Prepared images, usually memory-mapped.
    rows : ndarray of int64
        All rows of `pixels` that will be loaded.
    device : torch.device
        Where the network is computed.
    on_device : bool, optional
        Whether to copy all of `rows` to the device at once. By default, True if the device is a GPU and `rows` fit into
        a quarter of its free memory.

    Attributes
    ----------
    wait_seconds : float
        Seconds for which the caller has waited for images so far, including the copy to the device at the beginning.
    """

    def __init__(
        self, pixels: np.ndarray, rows: np.ndarray, device: torch.device, *, on_device: bool | None = None
    ) -> None:
        started = time.perf_counter()
        self._pixels = pixels
        self._device = device
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._ahead: tuple[np.ndarray, Future[torch.Tensor]] | None = None
        self._resident: torch.Tensor | None = None
        if on_device is None:
            room = SHARE * free_memory(device) if device.type != "cpu" else 0
            on_device = len(rows) * pixels[:1].nbytes <= room
        if on_device:
            self._position = np.full(len(pixels), -1)  # of a row of the cache in `_resident`
            self._position[rows] = np.arange(len(rows))
            self._resident = torch.empty((len(rows), *pixels.shape[1:]), dtype=torch.uint8, device=device)
            for i in range(0, len(rows), COPY_ROWS):
                self._resident[i : i + COPY_ROWS] = self._read(rows[i : i + COPY_ROWS]).to(device)
        self.wait_seconds = time.perf_counter() - started

    def load(self, rows: np.ndarray, upcoming: np.ndarray | None = None) -> torch.Tensor:
        """Return the images of some rows, on the device.

        Parameters
        ----------
        rows : ndarray of int64, shape (B,)
            Only rows that were given to the constructor.
        upcoming : ndarray of int64, optional
            The rows of the next call, which are read ahead by a thread. If the next call asks for different rows, they
            are read then. Without effect if all images are on the device.

        Returns
        -------
        Tensor of uint8, shape (B, S, S, 3)
            In the order of `rows`, on the device.
        """
        started = time.perf_counter()
        if self._resident is not None:
            images = self._resident[torch.from_numpy(self._position[rows]).to(self._device)]
        else:
            # asynchronous only from pinned memory, which stays reserved until it has been read: not on MPS
            images = self._read_ahead(rows).to(self._device, non_blocking=self._device.type == "cuda")
            if upcoming is not None and len(upcoming):
                self._ahead = (upcoming, self._pool.submit(self._read, upcoming))
        self.wait_seconds += time.perf_counter() - started
        return images

    def _read_ahead(self, rows: np.ndarray) -> torch.Tensor:
        """Return the rows that were read ahead; read them now if they are others."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and np.array_equal(ahead[0], rows):
            return ahead[1].result()
        return self._read(rows)

    def _read(self, rows: np.ndarray) -> torch.Tensor:
        images = torch.from_numpy(np.ascontiguousarray(self._pixels[rows]))
        return images.pin_memory() if self._device.type == "cuda" else images
