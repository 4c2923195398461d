"""The demo dataset: drawn images, because labelled images of CFU colonies are not public.

By default it has 728 images in three classes, as many as the published study, in dishes that allow a split by dish with
the exact numbers of the study's Table 2. Accuracy on these images says nothing about real colonies.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from cfu_core.dataset.demo.colony_types import CFU_TYPES
from cfu_core.dataset.demo.frame import draw_frame, unknown_type
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.published.zamani_2023 import CLASS_TOTALS
from cfu_core.storage import new_folder, storage_errors, write_bytes

PAPER_COUNTS: dict[str, int] = dict(CLASS_TOTALS)
"""Number of images of each class in the published study."""

MANIFEST_COLUMNS = ("path", "label", "group", "origin")
TRUTH = "truth.csv"
"""Boxes of the drawn colonies. Not in the manifest, since an import would use them instead of finding the colonies."""
TRUTH_COLUMNS = ("path", *BOX_COLUMNS)

_PLAN_STREAM = 1_000_033  # separates the random stream of the plan from those of dishes and images
_DISH_SIZES = (3, 9)  # smallest and largest number of images of one dish
_JPEG_QUALITY = 92
_MIN_SPLITS = 1000  # ways to split the dishes of a class as in Table 2; with fewer, new sizes are drawn


# ---- the plan ----


def plan_demo(counts: Mapping[str, int] = PAPER_COUNTS, *, seed: int = 0) -> pd.DataFrame:
    """Plan the images of the demo and their dishes. Nothing is drawn or written.

    Parameters
    ----------
    counts : mapping of str to int, default: PAPER_COUNTS
        Number of images of each type of colony, by the keys of `CFU_TYPES`.
    seed : int, default: 0
        Seed, 0 or more, from which the sizes of the dishes are drawn.

    Returns
    -------
    DataFrame
        One row for each image, sorted by class (in the order of `CFU_TYPES`) and number, with the columns ``path``
        (POSIX, relative to the dataset), ``label``, ``group`` (name of the dish), ``number`` (of the image in its
        class, from 1) and ``dish`` (number of the dish, from 1). A dish has one class and 3 to 9 images. The dishes of
        a class can be split in many ways into exactly 70 % of the images and two halves of the rest. In a class of
        fewer than about 80 images a dish may be smaller, and such a split may not exist.

    Raises
    ------
    DatasetError
        `counts` is empty, a type is unknown, or a count is below 1.
    ValueError
        `seed` is negative.
    """
    rows: list[tuple[str, str, str, int, int]] = []
    dishes = 0
    for label, total in _checked(counts).items():
        rng = np.random.default_rng([seed, _PLAN_STREAM, list(CFU_TYPES).index(label)])
        sizes = _dish_sizes(rng, total)
        of_image = np.repeat(np.arange(1, len(sizes) + 1) + dishes, sizes).tolist()
        rows += [
            (f"{label}/{label}_{number:04d}.jpg", label, f"dish-{dish:03d}", number, dish)
            for number, dish in enumerate(of_image, start=1)
        ]
        dishes += len(sizes)
    return pd.DataFrame(rows, columns=["path", "label", "group", "number", "dish"])


def _checked(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts in the order of `CFU_TYPES`."""
    for label in counts:
        if label not in CFU_TYPES:
            raise unknown_type(label)
        if counts[label] < 1:
            raise DatasetError(
                f"The number of {label} images is {counts[label]}.",
                "It must be 1 or more.",
                "Increase the number, or leave the type out.",
            )
    if not counts:
        raise DatasetError("No type of colony was given.", "A demo needs at least one.", "Choose a type.")
    return {label: int(counts[label]) for label in CFU_TYPES if label in counts}


def _dish_sizes(rng: np.random.Generator, total: int) -> list[int]:
    """Draw sizes of dishes that sum to `total` and can be split as in Table 2, unless `total` is tiny."""
    least, most = (max(1, min(size, total // 6)) for size in _DISH_SIZES)
    held_out = total - round(0.7 * total)
    sizes: list[int] = []
    for _ in range(100):
        sizes = []
        while (left := total - sum(sizes)) > 0:
            sizes.append(min(left, int(rng.integers(least, most + 1))))
        if sizes[-1] >= least and _count_splits(sizes, held_out // 2, held_out - held_out // 2) >= _MIN_SPLITS:
            break
    return sizes


def _count_splits(sizes: list[int], validation: int, test: int) -> float:
    """Count the ways to choose dishes with exactly `validation` images and other dishes with exactly `test` images."""
    ways = np.zeros((validation + 1, test + 1))  # floats, because the number can be astronomical
    ways[0, 0] = 1.0
    for size in sizes:
        before = ways.copy()
        ways[size:, :] += before[: max(validation + 1 - size, 0), :]
        ways[:, size:] += before[:, : max(test + 1 - size, 0)]
    return float(ways[validation, test])


# ---- the files ----


def write_demo(
    folder: Path,
    *,
    seed: int = 0,
    counts: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Path:
    """Draw the demo dataset into a folder: ``<class>/<class>_<number>.jpg``, ``manifest.csv`` and ``truth.csv``.

    The manifest has the columns `MANIFEST_COLUMNS`, with the dish as ``group`` and ``drawn`` as ``origin``. The boxes
    of the colonies are in ``truth.csv`` (`TRUTH_COLUMNS`), which an import ignores. The images are JPEG files of
    quality 92 with 1280 × 960 pixels.

    Parameters
    ----------
    folder : Path
        A folder that is missing or empty; it appears when the demo is complete. A folder with the same demo is left
        unchanged, also if it contains other files. To compare it, only the first image of each class is drawn again.
    seed : int, default: 0
        Seed, 0 or more. The files depend on `seed` and `counts` only, not on `workers`.
    counts : mapping of str to int, optional
        Number of images of each type. The default is `PAPER_COUNTS`.
    progress : callable, optional
        Callback ``(done, total)`` with numbers of images, called in the calling thread: after each image, or once if
        the folder has the same demo already. An exception that it raises ends the drawing, and no file remains.
    workers : int, optional
        Number of threads, 1 or more. The default is the number of cores that this process may use.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    DatasetError
        The folder is a file, or contains files but not the complete demo of this seed and these counts; `counts` is
        empty; a type is unknown; or a count is below 1.
    StorageError
        The disk is full, the folder is not readable or not writable, or it is no longer empty when the demo is
        complete.
    ValueError
        `seed` or `workers` is negative.
    """
    folder = Path(folder)
    plan = plan_demo(PAPER_COUNTS if counts is None else counts, seed=seed)
    with storage_errors(folder):
        if _is_occupied(folder):
            if not _is_demo(folder, plan, seed):
                raise _occupied(folder)
            if progress:
                progress(len(plan), len(plan))
            return folder
        with new_folder(folder.absolute()) as draft:
            for label in plan["label"].unique():
                (draft / label).mkdir()
            manifest = plan[["path", "label", "group"]].copy()
            manifest["origin"] = "drawn"
            truth = plan[["path"]].copy()
            truth[BOX_COLUMNS] = _draw_all(draft, plan, seed, progress, workers or _cores())
            for name, table in (("manifest.csv", manifest), (TRUTH, truth)):
                write_bytes(draft / name, table.to_csv(index=False, lineterminator="\n").encode())
    return folder


def _is_occupied(folder: Path) -> bool:
    if folder.exists() and not folder.is_dir():
        raise _occupied(folder)
    return folder.is_dir() and any(folder.iterdir())


def _occupied(folder: Path) -> DatasetError:
    return DatasetError(
        f"{folder} already contains other files.",
        "The demo needs a folder that is missing or empty.",
        "Choose another folder, or empty this one first.",
    )


def _is_demo(folder: Path, plan: pd.DataFrame, seed: int) -> bool:
    """Return whether the folder contains the complete demo of this plan and seed.

    One frame of each class is drawn again, to compare its box.
    """
    try:
        manifest, truth = pd.read_csv(folder / "manifest.csv"), pd.read_csv(folder / TRUTH)
    except (FileNotFoundError, IsADirectoryError, ValueError):  # ValueError: not text, not CSV, or empty
        return False
    if tuple(manifest.columns) != MANIFEST_COLUMNS or tuple(truth.columns) != TRUTH_COLUMNS:
        return False
    if len(manifest) != len(plan) or not truth["path"].equals(manifest["path"]):
        return False
    if not (manifest[["path", "label", "group"]] == plan[["path", "label", "group"]]).all(axis=None):
        return False
    if not all((folder / path).is_file() and (folder / path).stat().st_size for path in plan["path"]):
        return False
    first = plan.drop_duplicates("label")
    boxes = truth.loc[first.index, BOX_COLUMNS].to_numpy().tolist()
    return all(
        list(draw_frame(row.label, seed=seed, number=row.number, dish=row.dish).box) == box
        for row, box in zip(first.itertuples(), boxes, strict=True)
    )


def _draw_all(
    draft: Path, plan: pd.DataFrame, seed: int, progress: Callable[[int, int], None] | None, workers: int
) -> list[tuple[int, int, int, int]]:
    """Draw every image of the plan into the draft folder and return the boxes in the order of the plan.

    Threads are enough: OpenCV and NumPy take nearly all the time and release the interpreter's lock. A new process
    would run the script of the caller again.
    """
    todo = enumerate(plan.itertuples(index=False))
    boxes: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] * len(plan)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="draw")
    try:
        rows_of_jobs: dict[Future[tuple[int, int, int, int]], int] = {}
        done = 0
        while done < len(plan):
            for index, row in islice(todo, 2 * workers - len(rows_of_jobs)):
                job = pool.submit(_draw_file, draft / row.path, row.label, seed, row.number, row.dish)
                rows_of_jobs[job] = index
            for job in wait(rows_of_jobs, return_when=FIRST_COMPLETED).done:
                boxes[rows_of_jobs.pop(job)] = job.result()
                done += 1
                if progress:
                    progress(done, len(plan))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return boxes


def _draw_file(path: Path, label: str, seed: int, number: int, dish: int) -> tuple[int, int, int, int]:
    """Draw one frame into a JPEG file and return the box of its colony."""
    frame = draw_frame(label, seed=seed, number=number, dish=dish)
    path.write_bytes(encode_jpeg(frame.image, _JPEG_QUALITY))
    return frame.box


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
