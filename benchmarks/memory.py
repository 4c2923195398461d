"""Memory of a training for small and large datasets.

``python -m benchmarks.memory [--sizes 728 20000] [--network alexnet]`` draws these numbers of small JPEGs, imports
them, and trains from the command line with an empty cache. The largest dataset is trained for one epoch, the others for
so many epochs that the network sees about as many images, and all runs write about as many checkpoints. The memory of
the training process and its children is measured every tenth of a second. Their own memory must not grow with the
dataset. Pages of the cache that are mapped into the process are listed separately, as the system can take them back.
Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.scale import draw_images
from cfu_core.models.registry import ARCHITECTURES

MEGABYTE = 2**20


def main() -> None:
    """Measure each size and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[728, 20_000])
    parser.add_argument("--network", choices=ARCHITECTURES, default="alexnet")
    arguments = parser.parse_args()
    print("| images | epochs | own memory, maximum | mapped from files, maximum | cache on disk | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(row(size, max(arguments.sizes) // size, arguments.network, Path(folder)), flush=True)


def row(size: int, epochs: int, network: str, folder: Path) -> str:
    """Measure one size and return a row of the table."""
    draw_images(size, folder / "images")
    home = folder / "home"
    shell = [sys.executable, "-m", "cfu_core"]
    environment = os.environ | {"CFU_HOME": str(home)}
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*shell, "inspect", str(folder / "images")], check=True, **quiet)  # type: ignore[call-overload]
    started = time.perf_counter()
    run = [*shell, "train", str(folder / "images"), "--model", network, "--images", "preprocessed"]
    training = subprocess.Popen([*run, "--weights", "none", "--epochs", str(epochs)], **quiet)  # type: ignore[call-overload]
    own = mapped = 0
    while training.poll() is None:
        own_now, mapped_now = memory_of(psutil.Process(training.pid))
        own, mapped = max(own, own_now), max(mapped, mapped_now)
        time.sleep(0.1)
    if training.returncode:
        raise SystemExit(f"the training ended with {training.returncode}")
    cache = sum(path.stat().st_size for path in (home / "cache").rglob("*") if path.is_file())
    seconds = time.perf_counter() - started
    sizes = " | ".join(f"{memory / MEGABYTE:,.0f} MB" for memory in (own, mapped, cache))
    return f"| {size:,} | {epochs} | {sizes} | {seconds:.0f} |"


def memory_of(process: psutil.Process) -> tuple[int, int]:
    """Return the own memory of a process and its children, and the largest memory mapped from files, in bytes."""
    own = mapped = 0
    for one in (process, *process.children(recursive=True)):
        try:
            text = Path(f"/proc/{one.pid}/status").read_text(encoding="ascii")
        except OSError:
            continue  # the process has ended
        kilobytes = {
            name: int(rest.split()[0])
            for name, _, rest in (line.partition(":") for line in text.splitlines())
            if name in ("RssAnon", "RssFile", "RssShmem")
        }
        own += 1024 * kilobytes.get("RssAnon", 0)
        mapped = max(mapped, 1024 * (kilobytes.get("RssFile", 0) + kilobytes.get("RssShmem", 0)))
    return own, mapped


if __name__ == "__main__":
    main()
