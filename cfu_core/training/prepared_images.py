"""A dataset under a recipe as one array on disk: decoded and preprocessed once, read by every run after that.

The array has a row for every image as imported, so that excluding, relabelling and grouping leave it as it is. Images
that are excluded are not prepared before they come back. What another array of the same recipe holds already is
copied, so that a box that was edited costs one image.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.table import boxes
from cfu_core.errors import RecipeError
from cfu_core.imaging import recipe as recipes
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import Recipe
from cfu_core.storage import storage_errors
from cfu_core.training.cache import (
    CacheEntry,
    cache_folder,
    entry_folder,
    entry_lock,
    evict_older,
    make_entry,
    open_entry,
    siblings,
    waited_for,
)
from cfu_core.training.cache_limit import make_room, mark_used

__all__ = ["PreparedImages", "cache_folder", "image_keys", "prepare"]

AHEAD = 4  # images in flight per thread
COPIED = 2**26  # bytes copied at once
SAVE_SECONDS = 1.0  # what a kill may cost at most
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class PreparedImages:
    """Every image of a dataset as a network sees it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
        Memory-mapped, read only, in the order of ``dataset.imported``. Only the rows of images that were wanted are
        filled for sure.
    rows : ndarray of int64
        The row in `pixels` of each image of ``dataset.images``.
    decode_seconds, preprocess_seconds : float
        Wall time that reading and decoding, and the recipe, took just now; 0 when all images were there.
    computed : int
        How many images were prepared just now.
    reused : bool
        At least one image was there from before, so that the times just now are not those of all images.
    built_decode_seconds, built_preprocess_seconds : float
        The same times from when the images were prepared.
    """

    pixels: np.ndarray
    rows: np.ndarray
    decode_seconds: float
    preprocess_seconds: float
    computed: int
    reused: bool
    built_decode_seconds: float
    built_preprocess_seconds: float


def prepare(
    dataset: Dataset,
    recipe: Recipe,
    *,
    progress: Progress = lambda done, total: None,
    wanted: np.ndarray | None = None,
) -> PreparedImages:
    """Decode and preprocess the images that count, as far as that was not done before.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
    progress : callable
        Called with images done and in all. What it raises ends the work. What is done by then stays, also when the
        process is killed; the next call goes on from there.
    wanted : ndarray of int, optional
        Which images, by their place in ``dataset.images``; all by default.

    Returns
    -------
    PreparedImages

    Raises
    ------
    CfuError
        An image cannot be read or does not suit the recipe (names it), or the disk is full.
    """
    keys = image_keys(dataset, recipe)
    places = np.arange(len(dataset.rows)) if wanted is None else wanted
    rows = dataset.rows[places]
    folder = entry_folder(keys, recipe.digest)
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with _turn(folder, rows, progress):
        entry = open_entry(folder, mode="r+")
        if entry is None or entry.keys != keys:
            entry = make_entry(folder, keys, recipe.size, dataset=dataset.id)
        seconds, computed = (0.0, 0.0), 0
        if not entry.done[rows].all():
            try:
                _copy(entry, rows, progress)
                computed = int((~entry.done[rows]).sum())
                seconds = _compute(entry, dataset, places, recipe, progress)
            finally:
                if entry.done.any():
                    entry.save()
                else:
                    entry.discard()
            evict_older(entry)
            make_room(folder)
        mark_used(folder)
        return PreparedImages(
            pixels=np.load(folder / "pixels.npy", mmap_mode="r"),
            rows=dataset.rows,
            decode_seconds=seconds[0],
            preprocess_seconds=seconds[1],
            computed=computed,
            reused=computed < len(rows),
            built_decode_seconds=entry.decode_seconds,
            built_preprocess_seconds=entry.preprocess_seconds,
        )


def image_keys(dataset: Dataset, recipe: Recipe) -> list[str]:
    """What each row of `dataset.imported` is of; a box counts only where the recipe crops to it."""
    digests = dataset.edited["digest"].tolist()
    if not recipe.crop:
        return digests
    marked = boxes(dataset.edited).tolist()
    return [
        digest if box[0] < 0 else f"{digest} {','.join(map(str, box))}"
        for digest, box in zip(digests, marked, strict=True)
    ]


@contextmanager
def _turn(folder: Path, rows: np.ndarray, progress: Progress) -> Iterator[None]:
    """Hold the entry's lock; while another process fills it, tell how far that is."""

    def tell() -> None:
        other = open_entry(folder, mode="r")
        progress(int(other.done[rows].sum()) if other else 0, len(rows))

    with waited_for(entry_lock(folder), tell):
        yield


class _Saver:
    """Saves an entry now and then while it is filled."""

    def __init__(self, entry: CacheEntry) -> None:
        self._entry = entry
        self._saved = time.monotonic()

    def now_and_then(self) -> None:
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._entry.save()
            self._saved = time.monotonic()


def _copy(entry: CacheEntry, rows: np.ndarray, progress: Progress) -> None:
    """Fill those of `rows` that other entries of the same recipe hold."""
    saver = _Saver(entry)
    step = max(1, COPIED // entry.pixels[0].size)
    for other in siblings(entry.folder):
        there = {key: row for row, (key, done) in enumerate(zip(other.keys, other.done, strict=True)) if done}
        missing = rows[~entry.done[rows]]
        pairs = np.array([(row, there[key]) for row in missing if (key := entry.keys[row]) in there]).reshape(-1, 2)
        for first in range(0, len(pairs), step):
            to, source = pairs[first : first + step].T
            entry.pixels[to] = other.pixels[source]
            entry.done[to] = True
            entry.decode_seconds += other.decode_seconds * len(to) / other.done.sum()
            entry.preprocess_seconds += other.preprocess_seconds * len(to) / other.done.sum()
            saver.now_and_then()
            progress(int(entry.done[rows].sum()), len(rows))


def _compute(
    entry: CacheEntry, dataset: Dataset, places: np.ndarray, recipe: Recipe, progress: Progress
) -> tuple[float, float]:
    """Fill what is still missing; returns the wall time, parted as the threads' own time was."""
    rows, marked = dataset.rows, boxes(dataset.images)
    missing = places[~entry.done[rows[places]]]
    done = len(places) - len(missing)
    before = np.array([entry.decode_seconds, entry.preprocess_seconds])
    threads = os.cpu_count() or 1
    own, wall = np.zeros(2), np.zeros(2)
    saver, started = _Saver(entry), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(missing), AHEAD * threads):
            futures = {
                pool.submit(_prepare_one, dataset, recipe, image, marked[image], entry.pixels[rows[image]]): rows[image]
                for image in missing[first : first + AHEAD * threads]
            }
            for future in as_completed(futures):
                own += future.result()
                entry.done[futures[future]] = True
                wall = (time.perf_counter() - started) * own / own.sum()
                entry.decode_seconds, entry.preprocess_seconds = map(float, before + wall)
                done += 1
                saver.now_and_then()
                progress(done, len(places))
    return float(wall[0]), float(wall[1])


def _prepare_one(
    dataset: Dataset, recipe: Recipe, image: int, marked: np.ndarray, place: np.ndarray
) -> tuple[float, float]:
    """Put row `image` of the images that count into `place`; returns the seconds of decoding and of the recipe."""
    started = time.perf_counter()
    pixels = dataset.read_image(image)
    decoded = time.perf_counter()
    try:
        place[...] = recipes.apply(recipe, pixels, box=None if marked[0] < 0 else Box(*map(int, marked)))
    except RecipeError as error:
        path = dataset.images["path"].iat[image]
        raise RecipeError(f"{path}: {error.found}", error.expected, error.remedy) from error
    return decoded - started, time.perf_counter() - decoded
