"""Whether a run that is killed again and again ends with the bits of one that was left alone.

``python -m benchmarks.exact_resume FOLDER [--network alexnet] [--kills 10]`` trains twice, through the queue as the
dashboard does. The second run's process is killed (SIGKILL) at random times and resumed each time. Both runs' files
are compared byte by byte, and the time that the kills cost is told.
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
    parser.add_argument("--seed", type=int, default=0, help="of the times")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["CFU_HOME"] = home
        data = import_source(arguments.folder)
        recipe = Recipe.original(architecture(arguments.network).input_size)
        config = TrainingConfig(dataset=data.id, architecture=arguments.network, recipe=recipe, weights="none")
        (whole,) = submit_runs([config], data)
        finish(whole)
        (hurt,) = submit_runs([config], data)
        alone = whole.timing()["seconds"]["total"]
        killed(hurt, arguments.kills, alone, random.Random(arguments.seed))
        finish(hurt)
        timing = hurt.timing()
        counted = timing["seconds"]["total"]
        print(f"{timing['sittings']} sittings left a trace; {alone:.0f} s alone, {counted:.0f} s counted")
        for name in FILES:
            same = (whole.folder / name).read_bytes() == (hurt.folder / name).read_bytes()
            print(f"{name}: {'the same' if same else 'DIFFERENT'}")


def killed(run: Run, kills: int, alone: float, chance: random.Random) -> None:
    """Kill and resume; a kill comes at most a third of a whole run after the process began."""
    for number in range(1, kills + 1):
        while run.status().state is State.QUEUED:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, alone / 3))
        status = run.status()
        if status.state is not State.RUNNING:
            raise SystemExit(f"The run had ended before kill {number}: {status.state}")
        os.kill(status.pid, signal.SIGKILL)
        while not (status := run.status()).state.ended:
            time.sleep(0.05)
        at = f"epoch {status.details['epoch']}, batch {status.details['batch']}" if "epoch" in status.details else ""
        print(f"kill {number}: {status.phase} {at}", flush=True)
        resume(run)


def finish(run: Run) -> None:
    """Wait for its end."""
    while not run.status().state.ended:
        time.sleep(0.2)
    if run.status().state is not State.FINISHED:
        raise SystemExit(run.status().message)


if __name__ == "__main__":
    main()
