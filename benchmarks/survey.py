"""Time of a survey and of its phases, compared with CleanVision on the same images.

    python -m benchmarks.survey FOLDER [--copies 10] [--rounds 1] [--cleanvision PYTHON] [--keep HOME]

Each image of FOLDER is encoded again several times, with another JPEG quality each time, under other names. The images
are imported and surveyed in a temporary home folder; the import is not timed. PYTHON is an interpreter in whose
environment CleanVision is installed (for example a virtual environment of its own); it looks for all of its default
issues in the same files. Both run alternately, each in a process of its own. CleanVision draws no map, finds no colony
and stores no thumbnails. With --keep, the last home folder is kept as HOME.
"""

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from cfu_core.dataset.importing.file_names import is_image
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.reading import read

QUALITIES = (95, 70)  # of the first and of the last copy
CLEANVISION = """
import sys, time
from cleanvision import Imagelab
if __name__ == "__main__":
    started = time.perf_counter()
    Imagelab(data_path=sys.argv[1]).find_issues()
    print("seconds", time.perf_counter() - started)
"""


def main() -> None:
    """Write the images, measure each round, and print a Markdown table of the best rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=10, help="files made of each image")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cleanvision", help="Python interpreter with CleanVision")
    parser.add_argument("--keep", type=Path, help="keep the home folder of the last round here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cfu-survey-") as work:
        images = Path(work) / "images"
        count = write_images(options.folder, images, options.copies)
        rounds = []
        for number in range(options.rounds):
            home = Path(work) / f"home-{number}"
            times = in_new_process(survey_times, images, home)
            if options.cleanvision:
                times["CleanVision"] = cleanvision_time(options.cleanvision, images)
            print(f"round {number + 1}: {times}", file=sys.stderr, flush=True)
            rounds.append(times)
        print(f"{count:,} images, {os.cpu_count()} processors, best of {options.rounds}\n\n| step | s | images/s |")
        print("| --- | ---: | ---: |")
        for step in rounds[0]:
            seconds = min(times[step] for times in rounds)
            print(f"| {step} | {seconds:.1f} | {count / seconds:,.0f} |")
        if options.keep:
            shutil.move(home, options.keep)


def write_images(folder: Path, images: Path, copies: int) -> int:
    """Write the copies of all images of a folder, and return their number."""
    files = sorted(path for path in folder.rglob("*") if is_image(path.name))
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_copies, files, [images] * len(files), range(len(files)), [copies] * len(files)))
    return len(files) * copies


def write_copies(file: Path, images: Path, number: int, copies: int) -> None:
    """Write the copies of one image, in the folder of its class."""
    cv2.setNumThreads(1)
    image = read(file)
    target = images / file.parent.name
    target.mkdir(parents=True, exist_ok=True)
    for copy, quality in enumerate(np.linspace(*QUALITIES, copies).round().astype(int).tolist()):
        (target / f"{number:05d} {copy:02d}.jpg").write_bytes(encode_jpeg(image, quality))


def in_new_process(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """Return the result of a function in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def cleanvision_time(python: str, images: Path) -> float:
    """Return the seconds that CleanVision takes to find its default issues."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "cleanvision_process.py"
        script.write_text(CLEANVISION, encoding="utf-8")
        found = subprocess.run([python, script, images], check=True, capture_output=True, text=True)
    return float(next(line for line in found.stdout.splitlines() if line.startswith("seconds")).split()[1])


def survey_times(images: Path, home: Path) -> dict[str, float]:
    """Import a folder and survey it in this process; return the seconds of each phase, and of all."""
    from cfu_core.dataset.importing.source import import_source
    from cfu_core.dataset.survey.survey import survey

    os.environ["CFU_HOME"] = str(home)
    dataset = import_source(images, name="survey")
    started: list[tuple[str, float]] = []

    def progress(phase: str) -> Callable[[int, int], None]:
        started.append((phase, time.perf_counter()))
        return lambda _done, _total: None

    begin = time.perf_counter()
    survey(dataset, progress=progress)
    end = time.perf_counter()
    ends = [moment for _, moment in started[1:]] + [end]
    times = {phase: after - moment for (phase, moment), after in zip(started, ends, strict=True)}
    return times | {"Survey in all": end - begin}


if __name__ == "__main__":
    main()
