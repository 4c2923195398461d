"""Compare a run that is killed and resumed repeatedly with an uninterrupted run, byte by byte.

``python -m benchmarks.exact_resume FOLDER [--network alexnet] [--kills 10]`` trains twice, through the queue as the
dashboard does. The process of the second run is killed (SIGKILL) at random times, and the run is resumed each time. The
benchmark compares the files of both runs byte by byte, and prints how much time the kills cost.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path

from cfu_core.dataset.importing.source import import_source
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State
from cfu_core.jobs.launch import resume, submit_runs
from cfu_core.models.registry import ARCHITECTURES, architecture
from cfu_core.runs.run import Run
from cfu_core.training.config import TrainingConfig

FILES = ("model.safetensors", "predictions.csv", "evaluation.json")


def main() -> None:
    """Train, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="images in a folder for each class")
    parser.add_argument("--network", choices=ARCHITECTURES, default="alexnet")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="seed of the times of the kills")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["CFU_HOME"] = home
        data = import_source(arguments.folder)
        recipe = Recipe.original(architecture(arguments.network).input_size)
        config = TrainingConfig(dataset=data.id, architecture=arguments.network, recipe=recipe, weights="none")
        (whole,) = submit_runs([config], data)
        wait_until_finished(whole)
        (killed,) = submit_runs([config], data)
        seconds = whole.timing()["seconds"]["total"]
        kill_and_resume(killed, arguments.kills, seconds, random.Random(arguments.seed))
        wait_until_finished(killed)
        timing = killed.timing()
        print(f"uninterrupted: {seconds:.0f} s")
        print(f"killed: {timing['seconds']['total']:.0f} s in {timing['sittings']} sessions that wrote a checkpoint")
        for name in FILES:
            same = (whole.folder / name).read_bytes() == (killed.folder / name).read_bytes()
            print(f"{name}: {'the same' if same else 'DIFFERENT'}")


def kill_and_resume(run: Run, kills: int, seconds: float, rng: random.Random) -> None:
    """Kill the process at a random time within a third of the seconds of a whole run, and resume the run."""
    for number in range(1, kills + 1):
        while run.status().state is State.QUEUED:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, seconds / 3))
        status = run.status()
        if status.state is not State.RUNNING:
            raise SystemExit(f"The run had ended before kill {number}: {status.state}")
        os.kill(status.pid, signal.SIGKILL)
        while not (status := run.status()).state.ended:
            time.sleep(0.05)
        at = f"epoch {status.details['epoch']}, batch {status.details['batch']}" if "epoch" in status.details else ""
        print(f"kill {number}: {status.phase} {at}", flush=True)
        resume(run)


def wait_until_finished(run: Run) -> None:
    """Wait for the end of a run; exit with its message if it did not finish."""
    while not run.status().state.ended:
        time.sleep(0.2)
    if run.status().state is not State.FINISHED:
        raise SystemExit(run.status().message)


if __name__ == "__main__":
    main()
