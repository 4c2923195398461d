"""The drawn demo, and the paper's protocol on it; this module does not import torch."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.gpu_results import Deadline, Recorder
from cfu_core.dataset.demo.demo_dataset import PAPER_COUNTS, write_demo
from cfu_core.dataset.importing.source import import_source
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs

DEMO = "demo"  # name of the dataset, and of the folder of the drawn images in the scratch folder
DRAWING_SHARE = 0.6  # of the time for the demo that drawing may take; the rest is for the import
DRY_COUNTS = dict.fromkeys(PAPER_COUNTS, 8)
DRY_OPTIONS = ("--epochs", "1", "--batch-size", "8")
PHASES = ("decode", "preprocess", "tune", "load", "transfer", "train", "validate", "save", "test")


def demo(recorder: Recorder, _networks: tuple[str, ...], *, dry: bool, scratch: Path, deadline: Deadline) -> None:
    """Draw the demo with all cores, as many of its images as the time allows, and import it."""

    def draw() -> dict[str, Any]:
        counts = DRY_COUNTS if dry else affordable_counts(scratch, DRAWING_SHARE * deadline.left)
        began = time.perf_counter()
        write_demo(scratch / DEMO, counts=counts)
        drawn = time.perf_counter()
        dataset = import_source(scratch / DEMO, name=DEMO)
        return {
            "images": len(dataset.images),
            "draw_seconds": drawn - began,
            "import_seconds": time.perf_counter() - drawn,
        }

    recorder.measure("demo", {"images": "drawn"}, draw)


def affordable_counts(scratch: Path, seconds: float) -> dict[str, int]:
    """Draw a few images, and return the counts of the paper or, if they would take too long, the same share of each."""
    cores = os.cpu_count() or 1
    probe = dict.fromkeys(PAPER_COUNTS, cores)  # two images a core are enough to see the speed of all cores
    began = time.perf_counter()
    write_demo(scratch / "probe", counts=probe)
    per_image = (time.perf_counter() - began) / sum(probe.values())
    shutil.rmtree(scratch / "probe")
    return scaled_counts(seconds / per_image)


def scaled_counts(affordable: float) -> dict[str, int]:
    """Return the paper's counts, scaled down to about this total; each class keeps 12 images or more."""
    share = min(1.0, affordable / sum(PAPER_COUNTS.values()))
    return {label: max(12, int(share * count)) for label, count in PAPER_COUNTS.items()}


def protocol(recorder: Recorder, networks: tuple[str, ...], *, dry: bool, scratch: Path, deadline: Deadline) -> None:  # noqa: ARG001
    """Execute ``python -m cfu_core reproduce`` on the demo; record the total and every finished run."""
    command = [sys.executable, "-m", "cfu_core", "reproduce", DEMO, "--weights", "none", "--json"]
    command += ["--models", ",".join(networks), *(DRY_OPTIONS if dry else ())]
    earlier = {run.id for run in list_runs()}

    def reproduce() -> dict[str, Any]:
        began = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=deadline.left)
        except subprocess.TimeoutExpired as error:
            finished = f"{len(finished_runs(earlier))} of {2 * len(networks)} runs had finished"
            raise TimeoutError(f"{finished} when the time was up, after {error.timeout:.0f} s") from error
        total = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
        runs = finished_runs(earlier)
        split = {f"{part}_seconds": sum(run_seconds(run)[part] for run in runs) for part in PHASES}
        return {"runs": len(json.loads(done.stdout)["runs"]), "total_seconds": total, **split}

    recorder.measure("protocol", {"network": ", ".join(networks), "weights": "random"}, reproduce)
    for run in finished_runs(earlier):
        timing = run_seconds(run)
        settings = {"network": run.config.architecture, "images": run.recipe.kind, "epochs": run.config.epochs}
        evaluation = run.evaluation()
        numbers = {f"{part}_seconds": timing[part] for part in ("total", *PHASES)}
        numbers["accuracy"] = evaluation.accuracy if evaluation else None
        recorder.add({"name": "protocol run", "settings": settings, "numbers": numbers}, timing["total"])


def finished_runs(earlier: set[str]) -> list[Run]:
    """Return the runs that have results and are not among earlier ones, the oldest first."""
    return sorted((run for run in list_runs() if run.id not in earlier and run.evaluation()), key=lambda run: run.id)


def run_seconds(run: Run) -> Mapping[str, float]:
    """Return the seconds of a finished run, by phase."""
    return (run.timing() or {})["seconds"]
