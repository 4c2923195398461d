"""The demo dataset: drawn, not photographed, because labelled images of CFU colonies are not public.

By default it has the 728 images of the published study in its three classes, spread over dishes so that
a split which keeps dishes together can meet the study's Table 2. How one frame is drawn, and after which
descriptions, is told in `cfu_core.dataset.demo.frame`. What a model scores on these images says nothing about
real colonies.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from cfu_core.dataset.demo.frame import (
    CFU_TYPES,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    CellLook,
    ColonyStyle,
    Frame,
    draw_frame,
)
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.published.zamani_2023 import CLASS_TOTALS
from cfu_core.storage import storage_errors, write_bytes

__all__ = [
    "CFU_TYPES",
    "FRAME_HEIGHT",
    "FRAME_WIDTH",
    "PAPER_COUNTS",
    "CellLook",
    "ColonyStyle",
    "Frame",
    "draw_frame",
    "plan_demo",
    "write_demo",
]

PAPER_COUNTS: dict[str, int] = dict(CLASS_TOTALS)
"""Images of each class in the published study."""

MANIFEST_COLUMNS = ("path", "label", "group", "origin")
TRUTH = "truth.csv"
"""Where the colonies were drawn. Not part of the manifest: an importer would crop to these boxes and search nothing."""
TRUTH_COLUMNS = ("path", *BOX_COLUMNS)

_PLAN_STREAM = 1_000_033  # keeps the random stream of the plan apart from those of dishes and images
_DISH_SIZES = (3, 9)  # images of one dish
_JPEG_QUALITY = 92
_ENOUGH_WAYS = 1000  # of parting the dishes of a class as Table 2 does; with fewer they are sized again


# ---- the plan ----


def plan_demo(counts: Mapping[str, int] = PAPER_COUNTS, *, seed: int = 0) -> pd.DataFrame:
    """Which images the demo has, and which dish each comes from; draws nothing.

    Parameters
    ----------
    counts : mapping of str to int, default: PAPER_COUNTS
        Number of images of each type of colony, by the names of `CFU_TYPES`.
    seed : int, default: 0
        0 or more. Fixes the sizes of the dishes.

    Returns
    -------
    DataFrame
        One row an image, with the columns ``path`` (POSIX, relative to the dataset), ``label``, ``group``
        (name of the dish), ``number`` (of the image in its class, from 1) and ``dish`` (its number, from 1).
        A dish holds one class and 3 to 9 images, fewer where a class has fewer than 54. The dishes of a class
        can be parted in many ways into 70 % of the images and two halves of the rest, to the image; in a
        class of a dozen images or less only where the numbers happen to allow it.

    Raises
    ------
    DatasetError
        There is no type, a type is unknown, or a count is below 1.
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
    """The counts in the order of `CFU_TYPES`."""
    for label in counts:
        if label not in CFU_TYPES:
            raise DatasetError(
                f"{label!r} is no type of colony that can be drawn.",
                f"Known are {', '.join(CFU_TYPES)}.",
                "Choose among these.",
            )
        if counts[label] < 1:
            raise DatasetError(
                f"{counts[label]} images of {label} were asked for.",
                "The number of images of a type is 1 or more.",
                "Raise the number, or leave the type out.",
            )
    if not counts:
        raise DatasetError("No type of colony was asked for.", "A demo has one or more.", "Name a type.")
    return {label: int(counts[label]) for label in CFU_TYPES if label in counts}


def _dish_sizes(rng: np.random.Generator, total: int) -> list[int]:
    """Random sizes of dishes that sum to `total` and can be parted as in Table 2, unless `total` is tiny."""
    least, most = (max(1, min(size, total // 6)) for size in _DISH_SIZES)
    held_out = total - round(0.7 * total)
    sizes: list[int] = []
    for _ in range(100):
        sizes = []
        while (left := total - sum(sizes)) > 0:
            sizes.append(min(left, int(rng.integers(least, most + 1))))
        if sizes[-1] >= least and _ways(sizes, held_out // 2, held_out - held_out // 2) >= _ENOUGH_WAYS:
            break
    return sizes


def _ways(sizes: list[int], validation: int, test: int) -> float:
    """In how many ways some dishes hold exactly `validation` images and others exactly `test`."""
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

    Parameters
    ----------
    folder : Path
        Where it goes; must be missing or empty, or hold this very demo, which is then left as it is.
        It appears only when it is complete.
    seed : int, default: 0
        0 or more. The files depend on seed and counts alone, not on `workers`.
    counts : mapping of str to int, optional
        Images of each type; `PAPER_COUNTS` if not given.
    progress : callable, optional
        Called in the calling thread with the number of images done and their total. What it raises stops
        the drawing.
    workers : int, optional
        Threads; by default one a core that this process may use.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    DatasetError
        The folder holds something else, a type is unknown, or a count is below 1.
    StorageError
        The disk is full, or the folder may not be written.
    """
    folder = Path(folder)
    plan = plan_demo(PAPER_COUNTS if counts is None else counts, seed=seed)
    with storage_errors(folder):
        if _holds_something(folder):
            if not _is_demo(folder, plan, seed):
                raise _occupied(folder)
            if progress:
                progress(len(plan), len(plan))
            return folder
        with _draft_of(folder) as draft:
            for label in plan["label"].unique():
                (draft / label).mkdir()
            manifest = plan[["path", "label", "group"]].copy()
            manifest["origin"] = "drawn"
            truth = plan[["path"]].copy()
            truth[BOX_COLUMNS] = _draw_all(draft, plan, seed, progress, workers or _cores())
            for name, table in (("manifest.csv", manifest), (TRUTH, truth)):
                write_bytes(draft / name, table.to_csv(index=False, lineterminator="\n").encode())
    return folder


def _holds_something(folder: Path) -> bool:
    if folder.exists() and not folder.is_dir():
        raise _occupied(folder)
    return folder.is_dir() and any(folder.iterdir())


def _occupied(folder: Path) -> DatasetError:
    return DatasetError(
        f"{folder} already holds something else.",
        "The demo needs a folder that is missing or empty.",
        "Choose another folder, or empty this one first.",
    )


def _is_demo(folder: Path, plan: pd.DataFrame, seed: int) -> bool:
    """Whether the folder holds this whole plan from this seed; one frame a class is drawn again to see."""
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


@contextmanager
def _draft_of(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place when the block ends well, and else leaves nothing."""
    target = folder.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    draft.mkdir()
    try:
        yield draft
        if _holds_something(target):  # since we began
            raise _occupied(target)
        if target.exists():
            target.rmdir()
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draw_all(
    draft: Path, plan: pd.DataFrame, seed: int, progress: Callable[[int, int], None] | None, workers: int
) -> list[tuple[int, int, int, int]]:
    """Draw every image of the plan into the draft; their boxes in the plan's order.

    Threads, not processes: nearly all the time is spent in OpenCV and NumPy, outside the interpreter's lock,
    and a new process would run the caller's script once more.
    """
    todo = enumerate(plan.itertuples(index=False))
    boxes: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] * len(plan)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="draw")
    try:
        running: dict[Future[tuple[int, int, int, int]], int] = {}
        done = 0
        while done < len(plan):
            for place, row in islice(todo, 2 * workers - len(running)):
                job = pool.submit(_draw_file, draft / row.path, row.label, seed, row.number, row.dish)
                running[job] = place
            for job in wait(running, return_when=FIRST_COMPLETED).done:
                boxes[running.pop(job)] = job.result()
                done += 1
                if progress:
                    progress(done, len(plan))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return boxes


def _draw_file(path: Path, label: str, seed: int, number: int, dish: int) -> tuple[int, int, int, int]:
    """Draw one frame into a JPEG file; the colony's box."""
    frame = draw_frame(label, seed=seed, number=number, dish=dish)
    path.write_bytes(encode_jpeg(frame.image, _JPEG_QUALITY))
    return frame.box


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
