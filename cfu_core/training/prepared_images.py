"""The images of a dataset, decoded and preprocessed once and cached in one array that every later run reads.

The array has a row for every imported image, so that excluding, relabelling and grouping images do not change it.
Excluded images are prepared when they are included again. Rows that another array of the same recipe contains are
copied, so that editing one box costs the preparation of one image.
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
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.recipe import Recipe, enhance, resize
from cfu_core.storage import storage_errors
from cfu_core.training.cache import (
    CacheEntry,
    entry_folder,
    entry_lock,
    hold_lock,
    make_entry,
    open_entry,
    remove_superseded,
    same_recipe_entries,
)
from cfu_core.training.cache_limit import make_room, mark_used
from cfu_core.wording import first_of, plural

PENDING_PER_THREAD = 4  # images submitted to the thread pool at once
COPY_BYTES = 2**26  # copied at once
NAMED = 5  # images in a remark
SAVE_SECONDS = 1.0  # of work that are lost at most if the process is killed
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class PreparedImages:
    """Prepared images of a dataset, and the time that their preparation took.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (N, S, S, 3)
        RGB, memory-mapped, read-only, in the order of ``dataset.imported``. The rows of the requested images are
        filled; the remaining rows may have arbitrary values.
    rows : ndarray of int64, shape (M,)
        Row in `pixels` of each image of ``dataset.images``, ascending.
    decode_seconds, preprocess_seconds : float
        Wall time in seconds of this call for reading and decoding, and for applying the recipe; 0 if no image was
        prepared.
    computed : int
        Number of images that this call prepared.
    reused : bool
        Whether at least one requested image was in the cache before, so that the times of this call do not include all
        images.
    built_decode_seconds, built_preprocess_seconds : float
        The same times, summed over all calls that filled the array.
    remarks : list of str
        Sentences for users on requested images to which the recipe was applied in another way than it says: CLAHE used
        fewer tiles, because the image, after the crop, has fewer pixels along its shorter side.
    """

    pixels: np.ndarray
    rows: np.ndarray
    decode_seconds: float
    preprocess_seconds: float
    computed: int
    reused: bool
    built_decode_seconds: float
    built_preprocess_seconds: float
    remarks: list[str]


def prepare(
    dataset: Dataset,
    recipe: Recipe,
    *,
    progress: Progress = lambda done, total: None,
    subset: np.ndarray | None = None,
) -> PreparedImages:
    """Decode and preprocess the images of a dataset that are not in the cache yet.

    The images are written to ``<home>/cache``, by as many threads as the computer has processors. If another process
    prepares the same images, this call waits for it. Superseded arrays of the same dataset and recipe are removed
    afterwards, and the least recently used items if the cache exceeds its size limit.

    Parameters
    ----------
    dataset : Dataset
        Excluded images are not prepared.
    recipe : Recipe
        Steps, and side S of the prepared images.
    progress : callback ``(done, total)``
        Called after each prepared image, and regularly while another process prepares the images, with the number of
        finished requested images, including those that were in the cache, and of all requested images. If it raises,
        for example `StopRequested`, the preparation stops, and the next call continues from there. If the process is
        killed, the images of its last second are lost.
    subset : ndarray of int, optional
        Positions in ``dataset.images`` of the images to prepare; all images by default.

    Returns
    -------
    PreparedImages
        With the array of the whole dataset, in which at least the requested images are filled.

    Raises
    ------
    ImageError
        An image is missing from the image store, or cannot be decoded; the message names the image.
    StorageError
        The disk is full, the home folder is not writable, or the environment variable ``CFU_CACHE_GB`` is not a finite
        number of 0 or more.
    """
    keys = image_keys(dataset, recipe)
    positions = np.arange(len(dataset.rows)) if subset is None else subset
    rows = dataset.rows[positions]
    folder = entry_folder(keys, recipe.digest)
    with storage_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder, rows, progress):
        entry = open_entry(folder, mode="r+")
        if entry is None or entry.keys != keys:
            entry = make_entry(folder, keys, recipe.size, dataset=dataset.id)
        seconds, computed = (0.0, 0.0), 0
        if not entry.filled[rows].all():
            try:
                _copy(entry, rows, progress)
                computed = int((~entry.filled[rows]).sum())
                seconds = _compute(entry, dataset, positions, recipe, progress)
            finally:
                if entry.filled.any():
                    entry.save()
                else:
                    entry.discard()
            remove_superseded(entry)
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
            remarks=_remarks(dataset, recipe, positions[entry.fewer_tiles[rows]]),
        )


def _remarks(dataset: Dataset, recipe: Recipe, fewer_tiles: np.ndarray) -> list[str]:
    """Name the images, by their positions in ``dataset.images``, on which CLAHE used fewer tiles."""
    if not len(fewer_tiles):
        return []
    paths = dataset.images["path"].iloc[np.sort(fewer_tiles)].tolist()
    tiles = f"{recipe.tiles} × {recipe.tiles} tiles"
    return [
        f"CLAHE used fewer than {tiles} on {plural(len(paths), 'small image')}, as many along each side as the "
        f"shorter side has pixels: {first_of(paths, NAMED)}."
    ]


def image_keys(dataset: Dataset, recipe: Recipe) -> list[str]:
    """Return the key of each imported image: images with equal keys have equal pixels after the recipe.

    Parameters
    ----------
    dataset : Dataset
        Boxes that a user has edited are respected.
    recipe : Recipe
        Only `crop` is used.

    Returns
    -------
    list of str
        In the order of ``dataset.imported``, with excluded images. The column ``key``; if the recipe crops and the
        image has a box, followed by a space and the box as ``left,top,right,bottom`` in pixels.
    """
    keys = dataset.edited["key"].tolist()
    if not recipe.crop:
        return keys
    marked = boxes(dataset.edited).tolist()
    return [key if box[0] < 0 else f"{key} {','.join(map(str, box))}" for key, box in zip(keys, marked, strict=True)]


@contextmanager
def _locked(folder: Path, rows: np.ndarray, progress: Progress) -> Iterator[None]:
    """Hold the lock of an entry; while another process fills the entry, report how many rows it has filled."""

    def report() -> None:
        other = open_entry(folder, mode="r")
        progress(int(other.filled[rows].sum()) if other else 0, len(rows))

    with hold_lock(entry_lock(folder), report):
        yield


class _Saver:
    """Saves an entry at regular intervals while it is filled."""

    def __init__(self, entry: CacheEntry) -> None:
        self._entry = entry
        self._saved = time.monotonic()

    def save_if_due(self) -> None:
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._entry.save()
            self._saved = time.monotonic()


def _copy(entry: CacheEntry, rows: np.ndarray, progress: Progress) -> None:
    """Copy those of `rows` that other entries of the same recipe contain."""
    saver = _Saver(entry)
    step = max(1, COPY_BYTES // entry.pixels[0].size)
    for other in same_recipe_entries(entry.folder):
        known = {key: row for row, (key, filled) in enumerate(zip(other.keys, other.filled, strict=True)) if filled}
        missing = rows[~entry.filled[rows]]
        pairs = np.array([(row, known[key]) for row in missing if (key := entry.keys[row]) in known]).reshape(-1, 2)
        for first in range(0, len(pairs), step):
            target, source = pairs[first : first + step].T
            entry.pixels[target] = other.pixels[source]
            entry.filled[target] = True
            entry.fewer_tiles[target] = other.fewer_tiles[source]
            entry.decode_seconds += other.decode_seconds * len(target) / other.filled.sum()
            entry.preprocess_seconds += other.preprocess_seconds * len(target) / other.filled.sum()
            saver.save_if_due()
            progress(int(entry.filled[rows].sum()), len(rows))


def _compute(
    entry: CacheEntry, dataset: Dataset, positions: np.ndarray, recipe: Recipe, progress: Progress
) -> tuple[float, float]:
    """Fill the missing rows; return the wall time, divided in proportion to the threads' time for each part."""
    rows, marked = dataset.rows, boxes(dataset.images)
    missing = positions[~entry.filled[rows[positions]]]
    done = len(positions) - len(missing)
    before = np.array([entry.decode_seconds, entry.preprocess_seconds])
    threads = os.cpu_count() or 1
    batch = PENDING_PER_THREAD * threads
    thread_time, wall = np.zeros(2), np.zeros(2)  # for decoding and for the recipe
    saver, started = _Saver(entry), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(missing), batch):
            futures = {
                pool.submit(_prepare_one, dataset, recipe, image, marked[image], entry.pixels[rows[image]]): rows[image]
                for image in missing[first : first + batch]
            }
            for future in as_completed(futures):
                seconds, entry.fewer_tiles[futures[future]] = future.result()
                thread_time += seconds
                entry.filled[futures[future]] = True
                wall = (time.perf_counter() - started) * thread_time / thread_time.sum()
                entry.decode_seconds, entry.preprocess_seconds = map(float, before + wall)
                done += 1
                saver.save_if_due()
                progress(done, len(positions))
    return float(wall[0]), float(wall[1])


def _prepare_one(
    dataset: Dataset, recipe: Recipe, image: int, marked: np.ndarray, target: np.ndarray
) -> tuple[tuple[float, float], bool]:
    """Write one image to `target`; return the seconds of decoding and of the recipe, and if CLAHE had fewer tiles."""
    started = time.perf_counter()
    pixels = dataset.read_image(image)
    decoded = time.perf_counter()
    enhanced = enhance(pixels, recipe, box=None if marked[0] < 0 else Box(*map(int, marked)))
    target[...] = resize(enhanced.image, recipe.size)
    fewer_tiles = enhanced.tiles is not None and enhanced.tiles < recipe.tiles
    return (decoded - started, time.perf_counter() - decoded), fewer_tiles
