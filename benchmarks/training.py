"""Time of a training epoch, compared with the optimizer steps alone and with a common training loop.

``python -m benchmarks.training FOLDER`` compares these methods for AlexNet and ResNet-18, on the original images and on
the images enlarged to 2080 x 1544 JPEG. The methods alternate, and each runs in a process of its own:

limit    the same optimizer steps on one batch already in memory
ours     a run: the training part of each epoch but the first, including everything that a run does between steps
usual    ImageFolder, DataLoader with 0 and with 2 workers, Resize, RandomHorizontalFlip, RandomAffine; float32

"limit" and "ours" use the compute options that are the fastest on this computer, and keep freed memory. "limit-plain"
does neither.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2

from cfu_core.models.registry import ARCHITECTURES

LARGE = (2080, 1544)  # pixels; as from a microscope camera
BATCH = 15
NETWORKS = ("alexnet", "resnet18")
WAYS = ("ours", "limit", "limit-plain", "usual-0", "usual-2")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="images in a folder for each class")
    parser.add_argument("--rounds", type=int, default=2, help="repetitions of each method")
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=WAYS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--network", choices=ARCHITECTURES, action="append", help="AlexNet and ResNet-18 by default")
    parser.add_argument("--images", choices=("small", "large"), help="original or enlarged; both by default")
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(measure(arguments.way, arguments.network[0], arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        sets = {}
        if arguments.images != "large":
            sets["original"] = arguments.folder
        if arguments.images != "small":
            sets["2080 x 1544"] = enlarged(arguments.folder, Path(scratch) / "large")
        for title, folder in sets.items():
            home = Path(scratch) / "home" / title.replace(" ", "-")
            for network in arguments.network or NETWORKS:
                report(title, network, folder, home, arguments.rounds, arguments.ways)


def report(title: str, network: str, folder: Path, home: Path, rounds: int, ways: Sequence[str]) -> None:
    """Run all methods in alternation and print their times; those of the first run's preparation are separate."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    first: dict[str, float] = {}
    for number in range(rounds):
        for way in ways:
            result = in_a_process(way, network, folder, home)
            found[way] += result["epochs"]
            if way == "ours" and not number:
                first = result["first"]
    epochs = {way: median(seconds) for way, seconds in found.items()}
    print(f"\n{network}, images {title}: seconds per epoch, median (least to most)")
    for way, seconds in found.items():
        ratio = f"{epochs[way] / epochs['limit']:6.3f} x limit" if "limit" in epochs else ""
        print(f"  {way:12} {epochs[way]:7.2f}  ({min(seconds):.2f} to {max(seconds):.2f})  {ratio}")
    print("  once:        " + ", ".join(f"{name} {value:.1f} s" for name, value in first.items()), flush=True)


def in_a_process(way: str, network: str, folder: Path, home: Path) -> dict[str, Any]:
    """Measure one method in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", str(folder), "--way", way, "--network", network]
    done = subprocess.run(command, env=os.environ | {"CFU_HOME": str(home)}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(way: str, network: str, folder: Path) -> dict[str, Any]:
    """Return the seconds of each epoch that is counted."""
    if way == "ours":
        return ours(network, folder)
    name, _, detail = way.partition("-")
    steps = limit(network, folder, plainly=bool(detail)) if name == "limit" else usual(network, folder, int(detail))
    times = list(steps)
    return {"epochs": times}


def enlarged(folder: Path, target: Path) -> Path:
    """Write the same images as large JPEG files."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        image = cv2.imread(str(path))
        if image is not None:
            place = (target / path.relative_to(folder)).with_suffix(".jpg")
            place.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place), cv2.resize(image, LARGE, interpolation=cv2.INTER_CUBIC))
    return target


def planned(network: str, folder: Path) -> Any:
    """Plan a run of six epochs on resized images, which is long enough to measure the fastest compute options."""
    from cfu_core.dataset.importing.source import import_source
    from cfu_core.imaging.recipe import Recipe
    from cfu_core.models.registry import architecture
    from cfu_core.runs.planning import plan_runs
    from cfu_core.training.config import TrainingConfig

    dataset = import_source(folder, name=folder.name)
    recipe = Recipe.original(architecture(network).input_size)
    config = TrainingConfig(dataset=dataset.id, architecture=network, recipe=recipe, weights="none", epochs=6)
    return plan_runs([config], dataset)[0]


def ours(network: str, folder: Path) -> dict[str, Any]:
    """Execute a run as a worker does, with its files and checkpoints."""
    from cfu_core.jobs.tasks import JobObserver
    from cfu_core.runs.execution import execute_run

    run = planned(network, folder)
    execute_run(run, JobObserver(run))
    seconds = run.timing()["seconds"]
    return {
        "epochs": [epoch["train_seconds"] for epoch in run.history()[1:]],
        "first": {part: seconds[part] for part in ("decode", "preprocess", "tune")},
    }


def limit(network: str, folder: Path, *, plainly: bool) -> Iterator[float]:
    """Measure the optimizer steps alone."""
    import torch
    from torch.nn import functional

    from cfu_core.models.weights import initial_network
    from cfu_core.training.compute_options import default_options
    from cfu_core.training.devices import best_device
    from cfu_core.training.loop import make_optimizer
    from cfu_core.training.memory import keep_freed_memory
    from cfu_core.training.tuning import fastest_options

    if not plainly:
        keep_freed_memory()
    run = planned(network, folder)
    config = run.config
    device, side = best_device(), run.recipe.size
    model, _ = initial_network(network, "none", len(run.classes), seed=0)
    options = (
        default_options(device)
        if plainly
        else fastest_options(model, network, (BATCH, 3, side, side), device, steps=10**6)
    )
    options.prepare(model).train()
    optimizer = make_optimizer(model, config)
    batch = options.to_layout(torch.randn(BATCH, 3, side, side).to(device))
    labels = torch.arange(BATCH, device=device) % len(run.classes)
    steps = -(-sum(parts["training"] for parts in run.plan.split.counts.values()) // BATCH)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with options.autocast():
            logits = model(batch)
        loss = functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        loss.item()

    for _ in range(3):
        step()
    for _ in range(2):
        started = time.perf_counter()
        for _ in range(steps):
            step()
        yield time.perf_counter() - started


def usual(network: str, folder: Path, workers: int) -> Iterator[float]:
    """Measure a loop as in most tutorials: files are decoded, resized and augmented one by one, in every epoch."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
    from cfu_core.models.weights import initial_network

    run = planned(network, folder)
    side, split = run.recipe.size, run.split()
    steps = [
        transforms.Resize((side, side)),
        transforms.RandomHorizontalFlip(),
        transforms.RandomAffine(180, translate=(0.1, 0.1)),
        transforms.ToTensor(),
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
    images = ImageFolder(str(folder), transforms.Compose(steps))
    training = [i for i, (path, _) in enumerate(images.samples) if split[_key(path, folder)] == "training"]
    loader = DataLoader(
        Subset(images, training),
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    model, _ = initial_network(network, "none", len(images.classes), seed=0)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(2):
        started = time.perf_counter()
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
            loss.item()
        if epoch:
            yield time.perf_counter() - started


def _key(path: str, folder: Path) -> str:
    return Path(path).relative_to(folder).as_posix()


if __name__ == "__main__":
    main()
