"""Rates of import and survey at several sizes, compared with only reading and hashing the same files.

    python -m benchmarks.scale [--sizes 10000 30000 100000] [--folder DIR] [--rounds N] [--no-survey] [--keep]

Draws small JPEGs, one in a thousand a near duplicate of the previous one, and measures each step in a new process, with
a separate CFU_HOME for each size. Reading and importing alternate, with the files in the cache of the operating system,
and the best of all rounds is reported: times depend on the machine and its load; ratios vary little. Everything is
written below DIR and deleted at the end; with --keep the images and the home folder of the largest size are kept.
"""

import argparse
import hashlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CLASSES = ("CFU-E", "CFU-GM", "CFU-PreB")
SIDE = 128
BATCH = 500  # files in one task; with one file in each, several threads would be slower than one
DUPLICATE_EVERY = 1000


def main() -> None:
    """Measure every size and print a Markdown table with one row for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--folder", type=Path, help="folder for all files; by default the folder for temporary files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-survey", action="store_true", help="import only")
    parser.add_argument("--keep", action="store_true", help="keep the images and the home folder of the largest size")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="cfu-scale-", dir=options.folder))
    try:
        rows = [measure_size(size, work / str(size), options) for size in options.sizes]
        print(f"\n{os.cpu_count()} processors, {SIDE} x {SIDE} pixels, best of {options.rounds} rounds\n")
        print_table(rows)
    finally:
        kept = work / str(max(options.sizes)) if options.keep else None
        for folder in work.iterdir():  # not earlier: ext4 creates files slowly soon after others were deleted
            if folder != kept:
                shutil.rmtree(folder)
        if kept is None:
            work.rmdir()
        else:
            print(f"\nKept: {kept / 'images'} and CFU_HOME={kept / 'home-0'}")


def measure_size(size: int, folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Return the results of one size by the headings of their columns."""
    images, threads = folder / "images", os.cpu_count() or 1
    seconds = draw_images(size, images)
    note(f"{size:,} images drawn in {seconds:.0f} s, {mean_size(images):.1f} kB each")
    hashing = {1: [], threads: []}
    importing = []
    in_new_process(images, read_and_hash, 1)  # so that the files are in the cache
    for turn in range(options.rounds):
        for count, times in hashing.items():
            times.append(in_new_process(images, read_and_hash, count))
        dataset, seconds = in_new_process(images, import_images, folder / f"home-{turn}")
        importing.append(seconds)
        note(f"round {turn + 1}: import {size / seconds:,.0f} images/s")
    row = {"images": f"{size:,}"}
    row |= {
        f"read and hash, {count} thread{'s'[: count > 1]}": rate(size, min(times)) for count, times in hashing.items()
    }
    row["import"] = rate(size, min(importing))
    row |= {
        f"of {count} thread{'s'[: count > 1]}": f"{min(times) / min(importing):.2f}" for count, times in hashing.items()
    }
    if not options.no_survey:
        row |= in_new_process(images, survey_dataset, folder / "home-0", dataset)
    return row


def in_new_process(images: Path, work: Callable[..., Any], *arguments: object) -> Any:
    """Return the result of a function in a new process, after everything written so far is on the disk."""
    os.sync()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, images, *arguments).result()


def read_and_hash(images: Path, threads: int) -> float:
    """Return the seconds for finding, reading and hashing all files."""
    started = time.perf_counter()
    files = [os.path.join(folder, name) for folder, _, names in os.walk(images) for name in names]  # noqa: PTH118
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    if threads == 1:
        digests = [hash_files(batch) for batch in batches]
    else:
        with ThreadPoolExecutor(threads) as pool:
            digests = list(pool.map(hash_files, batches))
    assert sum(map(len, digests)) == len(files)
    return time.perf_counter() - started


def hash_files(files: list[str]) -> list[str]:
    """Return the SHA-256 of every file."""
    digests = []
    for file in files:
        with open(file, "rb") as stream:  # noqa: PTH123 - pathlib is slower
            digests.append(hashlib.sha256(stream.read()).hexdigest())
    return digests


def import_images(images: Path, home: Path) -> tuple[str, float]:
    """Import the images; return the id of the dataset and the seconds."""
    import pyarrow.parquet  # noqa: F401 - the last library that an import loads; loading libraries is not measured

    from cfu_core.dataset.importing.source import import_source

    os.environ["CFU_HOME"] = str(home)
    started = time.perf_counter()
    return import_source(images).id, time.perf_counter() - started


def survey_dataset(_images: Path, home: Path, identity: str) -> dict[str, str]:
    """Measure every step after an import; return the results by the headings of their columns."""
    from cfu_core.dataset.audit.audit import audit
    from cfu_core.dataset.catalog import load_dataset
    from cfu_core.dataset.splitting import split_of
    from cfu_core.dataset.survey.survey import load_survey, survey

    os.environ["CFU_HOME"] = str(home)
    dataset, loading = timed(lambda: load_dataset(identity))
    _, surveying = timed(lambda: survey(dataset))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    found, reading = timed(lambda: load_survey(dataset))
    split = split_of(dataset, seed=0)
    _, auditing = timed(lambda: audit(dataset, found, split, limits={}))
    return {
        "survey": rate(len(dataset.images), surveying),
        "survey's peak memory": f"{peak / (2**20 if sys.platform == 'darwin' else 2**10):,.0f} MB",
        "copies found": f"{len(found.copies):,}",
        "load_dataset": f"{loading:.2f} s",
        "load_survey": f"{reading:.2f} s",
        "audit": f"{auditing:.2f} s",
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function and the seconds that it took."""
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def draw_images(size: int, folder: Path) -> float:
    """Write `size` different JPEGs into one folder for each class; return the seconds."""
    started = time.perf_counter()
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        starts = range(0, size, BATCH)
        list(pool.map(draw_batch, [folder] * len(starts), starts, [min(start + BATCH, size) for start in starts]))
    return time.perf_counter() - started


def draw_batch(folder: Path, start: int, stop: int) -> None:
    """Write the images with these numbers."""
    cv2.setNumThreads(1)
    for number in range(start, stop):
        is_duplicate = number % DUPLICATE_EVERY == DUPLICATE_EVERY - 1
        seed = number - is_duplicate
        pixels = draw(seed)
        if is_duplicate:
            pixels = cv2.add(pixels, np.full_like(pixels, 3))
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 70 if is_duplicate else 80])[1]
        (folder / CLASSES[seed % len(CLASSES)] / f"{number:06d}.jpg").write_bytes(data.tobytes())


def draw(seed: int) -> np.ndarray:
    """Draw cells in uneven light, RGB uint8 (SIDE, SIDE, 3); always the same for the same seed."""
    random = np.random.default_rng(seed)
    light = random.integers(170, 236, (4, 4, 3), dtype=np.uint8)
    pixels = cv2.resize(light, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    cells = 6 + 6 * (seed % len(CLASSES))
    places = random.integers(8, SIDE - 8, (cells, 2))
    radii = random.integers(3, 14, cells)
    colours = random.integers(40, 170, (cells, 3))
    for place, radius, colour in zip(places.tolist(), radii.tolist(), colours.tolist(), strict=True):
        cv2.circle(pixels, place, radius, colour, -1, cv2.LINE_AA)
    return cv2.add(pixels, random.integers(0, 10, pixels.shape, dtype=np.uint8))


def mean_size(images: Path) -> float:
    """Return the mean size of the first hundred images of a class in kilobytes."""
    files = sorted((images / CLASSES[0]).iterdir())[:100]
    return sum(file.stat().st_size for file in files) / len(files) / 1000


def rate(count: int, seconds: float) -> str:
    """Format seconds and the rate per second."""
    return f"{seconds:.2f} s ({count / seconds:,.0f}/s)"


def note(text: str) -> None:
    """Print progress to stderr, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def print_table(rows: list[dict[str, str]]) -> None:
    """Print a Markdown table with the headings of the first row."""
    headings = list(rows[0])
    for cells in (headings, ["---:"] * len(headings), *([row[heading] for heading in headings] for row in rows)):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
