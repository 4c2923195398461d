"""A finished run as a bundle: what a person needs to use its network elsewhere, proven before it is handed out."""

import json
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cfu_core.bundle.classification import SelfTest, self_test, verify
from cfu_core.bundle.contents import CODE, ONNX, SELFTEST, WEIGHTS, write_manifest
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import BundleError
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.exporting.bundled_code import copy_code
from cfu_core.exporting.model_card import model_card
from cfu_core.exporting.onnx_network import torch_network, write_onnx
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.observer import Observer
from cfu_core.runs.model_files import MODEL, load_model
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import PROBABILITY, Run
from cfu_core.storage import replacing, storage_errors

IMAGES = 20  # of the self-test
ALLOWED, ALLOWED_GPU = 1e-4, 2e-3  # difference of a probability; a GPU multiplies with fewer digits
NEEDS = ("numpy", "opencv-python-headless", "scikit-image", "tifffile", "imagecodecs", "onnxruntime")
TRAINING = ("epochs", "batch_size", "learning_rate", "optimizer", "schedule", "patience")
USE = '''"""Classify images, or check this folder: python use.py predict IMAGE ... | python use.py verify"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
folder = Path(__file__).resolve().parent
sys.path.insert(0, str(folder / "code"))

from cfu_core.bundle.command_line import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main(folder, sys.argv[1:]))
'''


def export_run(run: Run, folder: Path, observer: Observer) -> dict[str, SelfTest]:
    """Write a run's bundle into a new folder, and check it.

    Parameters
    ----------
    run : Run
        Finished, its dataset still there.
    folder : Path
        Does not exist yet, or is empty.
    observer : Observer

    Returns
    -------
    dict of str to SelfTest
        What `verify_bundle` found.

    Raises
    ------
    BundleError
        The run has not finished, the folder is taken, or the bundle does not give the dashboard's probabilities.
    CfuError
        The dataset is gone, or the disk is full. Nothing is left behind then.
    StopRequested
        The observer asked for the end.
    """
    evaluation = run.evaluation()
    if evaluation is None:
        raise BundleError(f"The run {run.id} has not finished.", "", "Export a run that has results.")
    with storage_errors(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BundleError(f"{folder} is there already.", "A new folder is wanted.", "Name another one.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
        draft.mkdir()
    try:
        with storage_errors(draft):
            _write(run, evaluation, draft, observer)
            found = verify_bundle(draft, observer)
            if folder.exists():
                folder.rmdir()
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


def export_zip(run: Run, path: Path, observer: Observer) -> None:
    """Write a run's bundle as a zip, whole or not at all; it holds one folder. Raises as `export_run`."""
    with storage_errors(path):
        room = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.room")
        room.mkdir(parents=True)
    try:
        export_run(run, room / f"bundle-{run.id}", observer)
        observer.report("Packing")
        # weights do not get smaller by compression
        with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(room.rglob("*")):
                if file.is_file():
                    observer.check()
                    archive.write(file, file.relative_to(room))
    finally:
        shutil.rmtree(room, ignore_errors=True)


def verify_bundle(folder: Path, observer: Observer | None = None) -> dict[str, SelfTest]:
    """Check every file of a bundle, and that both its networks give the dashboard's probabilities.

    Returns
    -------
    dict of str to SelfTest
        Of ``ONNX``, by ONNX Runtime, and of ``PyTorch``, from the weights; both on the processor.

    Raises
    ------
    BundleError, WeightsError
        What is wrong with it.
    """
    if observer:
        observer.report("Checking the bundle")
        observer.check()
    bundle, by_onnx = verify(folder)
    return {"ONNX": by_onnx, "PyTorch": self_test(bundle, torch_network(bundle))}


def _write(run: Run, evaluation: Evaluation, folder: Path, observer: Observer) -> None:
    observer.report("Loading the network")
    network, dataset = load_model(run), planned_dataset(run)
    observer.check()
    observer.report("Writing ONNX")
    write_onnx(network, run.config.architecture, folder / ONNX)
    observer.check()
    observer.report("Writing weights, images and code")
    shutil.copyfile(run.folder / MODEL, folder / WEIGHTS)
    images = _write_self_test(run, dataset, folder)
    facts = _facts(run, evaluation, images)
    copy_code(folder / CODE)
    (folder / "use.py").write_text(USE, encoding="utf-8")
    needed = "".join(f"{name}=={version(name)}\n" for name in NEEDS)
    (folder / "requirements.txt").write_text(needed, encoding="utf-8")
    (folder / "README.md").write_text(model_card(facts, evaluation), encoding="utf-8")
    write_manifest(folder, facts)


def _facts(run: Run, evaluation: Evaluation, images: int) -> dict[str, Any]:
    learns = run.mode != "probe"
    settings = {name.replace("_", " ").capitalize(): getattr(run.config, name) for name in TRAINING} if learns else {}
    return json.loads(
        json.dumps(
            {
                "name": run.name,
                "created": f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}",
                "run": run.id,
                "architecture": run.config.architecture,
                "architecture_label": run.plan.architecture_label,
                "classes": run.classes,
                "recipe": run.recipe.to_dict(),
                "recipe_words": run.recipe.summary,
                "normalisation": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
                "weights_label": run.plan.weights_label,
                "mode": run.mode,
                "training": {**settings, "Seed": run.config.seed, "Split": run.plan.split.nearness},
                "config": run.config.to_dict(),
                "dataset": asdict(run.plan.dataset),
                "results": evaluation.to_dict(),
                "selftest_images": images,
                "environment": run.plan.environment,
            }
        )
    )


def _chosen(run: Run) -> list[dict[str, Any]]:
    """Rows of predictions, of every class in turn."""
    rows: list[dict[str, Any]] = []
    for partition in ("test", "validation"):
        table = run.predictions(partition)
        if table is not None:
            turn = table.groupby("true").cumcount()
            rows += table.assign(turn=turn).sort_values(["turn", "true"], kind="stable").to_dict("records")
    return rows[:IMAGES]


def _write_self_test(run: Run, dataset: Dataset, folder: Path) -> int:
    """Images with the probabilities that the dashboard gave them: of the test, and where it has few, validation."""
    places = {path: place for place, path in enumerate(dataset.images["path"])}
    told: list[Mapping[str, Any]] = []
    (folder / "selftest").mkdir()
    for row in _chosen(run):
        place = places[row["path"]]
        name = f"selftest/{len(told) + 1:02d}{dataset.images['extension'].iat[place]}"
        (folder / name).write_bytes(dataset.read_bytes(place))
        box = dataset.box(place)
        told.append(
            {
                "file": name,
                "path": row["path"],
                "true": row["true"],
                "box": [box.left, box.top, box.right, box.bottom] if box else None,
                "probabilities": {label: row[PROBABILITY + label] for label in run.classes},
            }
        )
    on_cpu = str((run.timing() or {}).get("device", "")).startswith("CPU")
    whole = {"allowed": ALLOWED if on_cpu else ALLOWED_GPU, "images": told}
    (folder / SELFTEST).write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(told)
