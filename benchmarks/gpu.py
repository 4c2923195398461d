"""Measurements on a CUDA GPU, prepared for a computer that is available for a few minutes only.

``benchmarks/gpu.sh`` starts this program; see ``docs/gpu.md``. Every part runs in a process of its own, which is ended
when its time is up. The JSON file is rewritten after each part.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu_results import NEEDS_CUDA, NO_TIME, Deadline, Part, Recorder, read_rows, slug, table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
LIMIT = 470.0  # seconds in all; removing the temporary files takes some more
PART_SHARE = 0.9  # of its time after which a part begins nothing more; it is ended after the whole time
MACHINE_SECONDS = 60.0  # for the description of the GPU
NETWORKS = ("alexnet", "googlenet", "resnet18")
DRY_NETWORKS = ("resnet18",)

#: Packages by the name of their module: for the bare step; for all other parts; and those that only the bundle needs.
STEP_PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "psutil": "psutil",
}
RUN_PACKAGES = STEP_PACKAGES | {
    "filelock": "filelock",
    "jinja2": "Jinja2",
    "pandas": "pandas",
    "platformdirs": "platformdirs",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "tifffile": "tifffile",
}
BUNDLE_PACKAGES = RUN_PACKAGES | {
    "imagecodecs": "imagecodecs",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "onnxscript": "onnxscript",
    "skimage": "scikit-image",
}
PACKAGES = {
    "steps": STEP_PACKAGES,
    "compiled": STEP_PACKAGES,
    "demo": RUN_PACKAGES,
    "training": RUN_PACKAGES,
    "protocol": RUN_PACKAGES,
    "checks": RUN_PACKAGES,
}
MODULES = {
    "demo": "gpu_protocol",
    "protocol": "gpu_protocol",
    "steps": "gpu_steps",
    "compiled": "gpu_steps",
    "training": "gpu_runs",
    "checks": "gpu_runs",
}
CUDA_ONLY = ("compiled",)
NEED_DEMO = ("training", "protocol", "checks")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write the JSON file and print the table; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/gpu.sh", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="try every part on a processor, in a tiny form")
    parser.add_argument("--out", type=Path, help="JSON file; by default benchmarks/results/gpu-NAME-OF-THE-CARD.json")
    parser.add_argument("--seconds", type=float, default=LIMIT, help=f"time for all parts ({LIMIT:g} by default)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="only print the table of an earlier JSON file")
    parser.add_argument("--missing", action="store_true", help="only print the packages that are not installed")
    # for gpu.sh: the seconds that it took before; for the process of a part: what it has to do
    parser.add_argument("--spent", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.table:
        print(table(json.loads(arguments.table.read_text(encoding="utf-8"))))
        return 0
    if arguments.missing:
        print("\n".join(missing(BUNDLE_PACKAGES)))
        return 0
    if arguments.part:
        execute_part(arguments.part[0], tuple(arguments.part[1:]), arguments)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the process of a part is ended as well
    return measure_all(arguments)


def measure_all(arguments: argparse.Namespace) -> int:
    """Run all parts; write and print the results."""
    deadline = Deadline(arguments.seconds - arguments.spent)
    with tempfile.TemporaryDirectory(prefix="gpu-benchmark-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        machine = (dry_machine() if arguments.dry else gpu_machine(scratch)) | describe_machine()
        if "device" not in machine:
            print(machine["left_out"], "Use --dry to try the script on a processor.", file=sys.stderr)
            return 2
        out = arguments.out or (None if arguments.dry else RESULTS / f"gpu-{slug(machine['device'])}.json")
        results: dict[str, Any] = {"dry": arguments.dry, "machine": machine, "limit_seconds": arguments.seconds}
        results |= {"seconds": 0.0, "parts": []}
        parts = plan(dry=arguments.dry)
        for number, part in enumerate(parts):
            results["parts"] += run_part(part, parts[number + 1 :], deadline, scratch, results["parts"], arguments.dry)
            results["seconds"] = round(arguments.seconds - deadline.left, 1)
            if out:
                write(out, results)
    print(table(results))
    if out:
        print(f"\nWritten to {out}")
    return 0


def plan(*, dry: bool) -> list[Part]:
    """Return the parts in the order of their importance, except that those which take long to compile come last."""
    if dry:
        return [
            Part(name="demo", limit=LIMIT),
            Part(name="steps", networks=NETWORKS, limit=LIMIT),
            Part(name="training", networks=DRY_NETWORKS, limit=LIMIT),
            Part(name="protocol", networks=DRY_NETWORKS, limit=LIMIT),
            Part(name="checks", networks=DRY_NETWORKS, limit=LIMIT),
            Part(name="compiled", networks=NETWORKS, limit=LIMIT),
        ]
    return [
        Part(name="demo", minimum=15, limit=60),
        *(Part(name="steps", networks=(key,), minimum=15, limit=40) for key in NETWORKS),
        *(Part(name="training", networks=(key,), minimum=20, limit=50) for key in NETWORKS),
        Part(name="protocol", networks=NETWORKS, minimum=90, limit=200),
        Part(name="checks", networks=NETWORKS, minimum=45, limit=90),
        *(Part(name="compiled", networks=(key,), minimum=25, limit=75) for key in NETWORKS),
    ]


def run_part(
    part: Part, later: Sequence[Part], deadline: Deadline, scratch: Path, rows: Sequence[Mapping[str, Any]], dry: bool
) -> list[dict[str, Any]]:
    """Run a part in a process of its own and return its rows; one row with the reason if it is left out."""
    if dry and part.name in CUDA_ONLY:
        return [left_out(part, NEEDS_CUDA)]
    lacking = missing(PACKAGES[part.name])
    if lacking:
        return [left_out(part, f"not installed: {', '.join(lacking)}")]
    if part.name in NEED_DEMO and not any(row["name"] == "demo" and "numbers" in row for row in rows):
        return [left_out(part, "needs the demo")]
    seconds = deadline.grant(part, later)
    if not seconds:
        return [left_out(part, NO_TIME)]
    began = time.monotonic()
    reason = start(["--part", part.name, *part.networks], seconds, scratch, dry)
    found = read_rows(rows_file(scratch))
    rows_file(scratch).unlink(missing_ok=True)
    if reason or not found:
        found.append({**left_out(part, reason or "the part recorded nothing"), "seconds": time.monotonic() - began})
    return found


def start(options: Sequence[str], seconds: float, scratch: Path, dry: bool) -> str:
    """Run this module with options in a process of its own; return why it ended early, or an empty string."""
    until = time.time() + PART_SHARE * seconds
    command = [sys.executable, "-m", "benchmarks.gpu", *options, "--scratch", str(scratch), "--until", str(until)]
    environment = os.environ | {
        "CFU_HOME": str(home(scratch)),
        "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor"),
        "TRITON_CACHE_DIR": str(scratch / "triton"),
        "CUDA_CACHE_PATH": str(scratch / "cuda"),
        "XDG_CACHE_HOME": str(scratch / "cache"),  # ONNX Runtime writes an identifier there
    }
    if dry:
        environment["CUDA_VISIBLE_DEVICES"] = ""  # also a computer with a GPU then computes on the processor
    log = scratch / "log.txt"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, "--dry"] if dry else command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"ended after {seconds:.0f} s, when its time was up"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            end_processes(scratch)
    if status == 0:
        return ""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return f"its process ended with status {status}: {lines[-1] if lines else 'no message'}"[:300]


def execute_part(name: str, networks: tuple[str, ...], arguments: argparse.Namespace) -> None:
    """Do the work of a part, in its own process."""
    deadline = Deadline(arguments.until - time.time())
    recorder = Recorder(rows_file(arguments.scratch), deadline)
    if name == "machine":
        recorder.add(machine_row(), 0.0)
        return
    module = import_module(f"benchmarks.{MODULES[name]}")  # late: only the process of a part may import torch
    getattr(module, name)(recorder, networks, dry=arguments.dry, scratch=arguments.scratch, deadline=deadline)


def describe_machine() -> dict[str, Any]:
    """Describe the computer apart from its GPU."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}",
    }


def dry_machine() -> dict[str, Any]:
    """Return what the dry mode says instead of describing a GPU; it does not import torch."""
    return {"device": "processor", "torch": "" if missing({"torch": "torch"}) else version("torch")}


def gpu_machine(scratch: Path) -> dict[str, Any]:
    """Describe the GPU, its driver and PyTorch, or say why there is none; a process of its own imports torch."""
    if missing({"torch": "torch"}):
        return {"left_out": "PyTorch is not installed."}
    reason = start(["--part", "machine"], MACHINE_SECONDS, scratch, dry=False)
    rows = read_rows(rows_file(scratch))
    rows_file(scratch).unlink(missing_ok=True)
    return rows[0]["numbers"] if rows else {"left_out": f"PyTorch could not be imported: {reason}."}


def machine_row() -> dict[str, Any]:
    """Return what PyTorch and the driver say about the computer."""
    import torch

    if not torch.cuda.is_available():
        return {"name": "machine", "settings": {}, "numbers": {"left_out": "PyTorch finds no CUDA GPU."}}
    properties = torch.cuda.get_device_properties(0)
    numbers = {
        "device": properties.name,
        "memory_gigabytes": round(properties.total_memory / 2**30, 1),
        "compute_capability": f"{properties.major}.{properties.minor}",
        "driver": driver_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }
    return {"name": "machine", "settings": {}, "numbers": numbers}


def driver_version() -> str:
    """Return the version of the NVIDIA driver; empty if nvidia-smi does not say."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout.split() or [""])[0]


def cpu_name() -> str:
    """Return the model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def end_processes(scratch: Path) -> None:
    """End what the parts have started and left running, such as a worker that trains queued runs.

    Such processes are found by their environment, which names the scratch folder of this benchmark.
    """
    if not find_spec("psutil"):
        return
    import psutil

    for process in psutil.process_iter():
        try:
            ours = process.environ().get("TRITON_CACHE_DIR") == str(scratch / "triton")
            if ours and process.pid != os.getpid():
                process.kill()
                process.wait(5)
        except psutil.Error:
            continue  # it has ended, or belongs to another user


def missing(packages: Mapping[str, str]) -> list[str]:
    """Return those packages whose module cannot be found."""
    return sorted(package for module, package in packages.items() if find_spec(module) is None)


def left_out(part: Part, reason: str) -> dict[str, Any]:
    """Return a row that says why a part was left out."""
    return {"name": part.name, "settings": part.settings, "left_out": reason, "seconds": 0.0}


def rows_file(scratch: Path) -> Path:
    """Return the file in which the process of a part records its rows."""
    return scratch / "rows.jsonl"


def home(scratch: Path) -> Path:
    """Return the home folder (CFU_HOME) of the benchmark."""
    return scratch / "home"


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write the JSON file; it is never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
