"""How much memory a training takes, for few and for many images.

``python -m benchmarks.memory [--sizes 728 20000] [--network alexnet]`` draws so many small JPEGs, imports them, and
trains from the shell, from a cold cache: the largest for one epoch, the others for as many as show the network about
as many images, so that all write checkpoints alike. Every tenth of a second the memory of the training process and its
children is looked at. What it holds itself must not grow with the dataset; the pages of the cache that are mapped into
it are told apart, since the system takes them back when it needs them. Linux only.
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
    print("| images | epochs | held itself, at most | mapped from files, at most | cache on disk | seconds |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(row(size, max(arguments.sizes) // size, arguments.network, Path(folder)), flush=True)


def row(size: int, epochs: int, network: str, folder: Path) -> str:
    """One size."""
    draw_images(size, folder / "images")
    home = folder / "home"
    shell = [sys.executable, "-m", "cfu_core"]
    environment = os.environ | {"CFU_HOME": str(home)}
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*shell, "inspect", str(folder / "images")], check=True, **quiet)  # type: ignore[call-overload]
    started = time.perf_counter()
    run = [*shell, "train", str(folder / "images"), "--model", network, "--images", "preprocessed"]
    training = subprocess.Popen([*run, "--weights", "none", "--epochs", str(epochs)], **quiet)  # type: ignore[call-overload]
    held = mapped = 0
    while training.poll() is None:
        own, files = memory_of(psutil.Process(training.pid))
        held, mapped = max(held, own), max(mapped, files)
        time.sleep(0.1)
    if training.returncode:
        raise SystemExit(f"the training ended with {training.returncode}")
    cache = sum(path.stat().st_size for path in (home / "cache").rglob("*") if path.is_file())
    seconds = time.perf_counter() - started
    told = " | ".join(f"{size / MEGABYTE:,.0f} MB" for size in (held, mapped, cache))
    return f"| {size:,} | {epochs} | {told} | {seconds:.0f} |"


def memory_of(process: psutil.Process) -> tuple[int, int]:
    """Bytes that a process and its children hold themselves, and those mapped from files, by the largest of them."""
    held = mapped = 0
    for one in (process, *process.children(recursive=True)):
        try:
            text = Path(f"/proc/{one.pid}/status").read_text(encoding="ascii")
        except OSError:
            continue  # it has ended
        kilobytes = {
            name: int(rest.split()[0])
            for name, _, rest in (line.partition(":") for line in text.splitlines())
            if name in ("RssAnon", "RssFile", "RssShmem")
        }
        held += 1024 * kilobytes.get("RssAnon", 0)
        mapped = max(mapped, 1024 * (kilobytes.get("RssFile", 0) + kilobytes.get("RssShmem", 0)))
    return held, mapped


if __name__ == "__main__":
    main()
