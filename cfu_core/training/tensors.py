"""A dataset under a recipe as one array on disk: decoded and preprocessed once, read by every run after that."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock

from cfu_core.dataset.catalog import Dataset
from cfu_core.errors import RecipeError
from cfu_core.imaging import recipe as recipes
from cfu_core.imaging.recipe import Recipe
from cfu_core.storage import home, read_json, replacing, storage_errors, write_json

ZEROS = 2**24  # bytes written at once where a file cannot be reserved
AHEAD = 4  # images in flight per thread


@dataclass(frozen=True, kw_only=True)
class PreparedImages:
    """Every image of a dataset as a network sees it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
        Memory-mapped, read only, in the order of ``dataset.images``.
    decode_seconds, preprocess_seconds : float
        Wall time that reading and decoding, and the recipe, took just now; 0 when the cache was there.
    reused : bool
        The cache was there.
    built_decode_seconds, built_preprocess_seconds : float
        The same times from when the cache was made.
    """

    pixels: np.ndarray
    decode_seconds: float
    preprocess_seconds: float
    reused: bool
    built_decode_seconds: float
    built_preprocess_seconds: float


def cache_folder() -> Path:
    """Where prepared images are kept; safe to delete when nothing trains."""
    return home() / "cache"


def prepare(
    dataset: Dataset, recipe: Recipe, *, progress: Callable[[int, int], None] = lambda done, total: None
) -> PreparedImages:
    """Decode and preprocess every image, or open the cache where that was done before.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
    progress : callable
        Called with images done and in all. What it raises ends the work, and nothing half-made stays.

    Returns
    -------
    PreparedImages

    Raises
    ------
    CfuError
        An image cannot be read or does not suit the recipe (names it), or the disk is full.
    """
    path = cache_folder() / f"{dataset.digest[:16]}-{recipe.digest}.npy"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        record = path.with_suffix(".json")
        reused = path.exists() and record.exists()
        if not reused:
            write_json(record, _build(dataset, recipe, path, progress))
    built = read_json(record)
    decode_seconds, preprocess_seconds = built["decode_seconds"], built["preprocess_seconds"]
    return PreparedImages(
        pixels=np.load(path, mmap_mode="r"),
        decode_seconds=0.0 if reused else decode_seconds,
        preprocess_seconds=0.0 if reused else preprocess_seconds,
        reused=reused,
        built_decode_seconds=decode_seconds,
        built_preprocess_seconds=preprocess_seconds,
    )


def _build(dataset: Dataset, recipe: Recipe, path: Path, progress: Callable[[int, int], None]) -> dict[str, float]:
    """Fill the cache file; returns the wall time, parted as the threads' own time was."""
    started = time.perf_counter()
    total = len(dataset.images)
    threads = os.cpu_count() or 1
    decoding = preprocessing = 0.0
    shape = (total, recipe.size, recipe.size, 3)
    with replacing(path) as draft:
        with draft.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            start = file.tell()
            _reserve(file, int(np.prod(shape)))
        pixels = np.memmap(draft, np.uint8, "r+", offset=start, shape=shape)
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, total, AHEAD * threads):
                rows = range(first, min(total, first + AHEAD * threads))
                futures = [pool.submit(_prepare_one, dataset, recipe, row, pixels) for row in rows]
                for done, future in enumerate(as_completed(futures), first + 1):
                    seconds = future.result()
                    decoding += seconds[0]
                    preprocessing += seconds[1]
                    progress(done, total)
        pixels.flush()
        del pixels
    wall = time.perf_counter() - started
    share = decoding / (decoding + preprocessing)
    return {"decode_seconds": wall * share, "preprocess_seconds": wall * (1 - share)}


def _reserve(file: BinaryIO, size: int) -> None:
    """Take `size` bytes of disk before they are mapped: a full disk is an error here, and a crash there."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), file.tell(), size)
    else:
        for start in range(0, size, ZEROS):
            file.write(bytes(min(ZEROS, size - start)))


def _prepare_one(dataset: Dataset, recipe: Recipe, row: int, pixels: np.ndarray) -> tuple[float, float]:
    started = time.perf_counter()
    image = dataset.read_image(row)
    decoded = time.perf_counter()
    try:
        pixels[row] = recipes.apply(recipe, image)
    except RecipeError as error:
        path = dataset.images["path"].iat[row]
        raise RecipeError(f"{path}: {error.found}", error.expected, error.remedy) from error
    return decoded - started, time.perf_counter() - decoded
