"""Export of a finished run as a bundle: everything that is needed to use its network elsewhere, verified."""

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
from cfu_core.bundle.contents import CODE, ONNX, REFERENCE, SELFTEST, WEIGHTS, write_manifest
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import BundleError, CfuError
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.exporting.bundled_code import copy_code
from cfu_core.exporting.model_card import model_card
from cfu_core.exporting.onnx_network import torch_network, write_onnx
from cfu_core.models.registry import IMAGENET_MEAN, IMAGENET_STD
from cfu_core.observer import Observer
from cfu_core.runs.model_files import load_model
from cfu_core.runs.planning import planned_dataset
from cfu_core.runs.run import MODEL, PROBABILITY, Run
from cfu_core.runs.training_reference import training_reference
from cfu_core.runs.training_reference_store import read_record
from cfu_core.storage import replacing, storage_errors

SELF_TEST_IMAGES = 20
TOLERANCE, TOLERANCE_GPU = 1e-4, 2e-3  # difference of a probability; a GPU multiplies with lower precision
REQUIREMENTS = (
    *("numpy", "opencv-python-headless", "scikit-image", "tifffile", "imagecodecs", "simplejpeg"),
    "onnxruntime",
)
TRAINING_SETTINGS = ("epochs", "batch_size", "learning_rate", "optimizer", "schedule", "patience")
USE_SCRIPT = '''"""Classify images or verify this folder: python use.py predict IMAGE ... | python use.py verify."""

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
    """Write the bundle of a run into a new folder, and verify it.

    Parameters
    ----------
    run : Run
        Finished run, whose dataset has not been deleted.
    folder : Path
        New folder; it may exist if it is empty. `cfu_core.bundle.contents` lists the files.
    observer : Observer
        Receives the current phase; its requests to stop are checked between phases.

    Returns
    -------
    dict of str to SelfTest
        Result of the verification by ONNX Runtime (key ``ONNX``) and by PyTorch (key ``PyTorch``).

    Raises
    ------
    BundleError
        The run has not finished, `folder` is a file or not empty, or the probabilities of the bundle differ from those
        of the dashboard by more than is allowed (1e-4; 2e-3 for a run on a GPU).
    DatasetError, RunError
        The dataset has been deleted or is damaged (DatasetError), or it has changed since the run was planned
        (RunError).
    ImageError
        An image for the self-test is missing from the image store.
    WeightsError
        The model of the run is damaged or not readable.
    StorageError
        The disk is full, or the folder is not writable.
    StopRequested
        The observer requested a stop. As after any other error, no files are left.
    """
    evaluation = run.evaluation()
    if evaluation is None:
        raise BundleError(f"The run {run.id} has not finished.", "", "Export a finished run.")
    with storage_errors(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BundleError(
                f"{folder} exists already.", "A new or empty folder is expected.", "Choose another folder."
            )
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
    """Write the bundle of a run as a zip archive with one folder, ``bundle-<identifier of the run>``, and verify it.

    Parameters
    ----------
    run : Run
        Finished run, whose dataset has not been deleted.
    path : Path
        File to write, whose folder is created if missing; an existing file is replaced. On an error, it is unchanged
        and no partial file is left.
    observer : Observer
        Receives the current phase; its requests to stop are checked between phases and files.

    Raises
    ------
    BundleError
        The run has not finished, or the probabilities of the bundle differ from those of the dashboard by more than is
        allowed.
    DatasetError, RunError, ImageError, WeightsError, StorageError
        As from `export_run`.
    StopRequested
        The observer requested a stop.
    """
    with storage_errors(path):
        workspace = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.room")
        workspace.mkdir(parents=True)
    try:
        export_run(run, workspace / f"bundle-{run.id}", observer)
        observer.report("Packing")
        # compression does not make weights smaller
        with replacing(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(workspace.rglob("*")):
                if file.is_file():
                    observer.check()
                    archive.write(file, file.relative_to(workspace))
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def verify_bundle(folder: Path, observer: Observer | None = None) -> dict[str, SelfTest]:
    """Check the files of a bundle, and compare the probabilities of its two networks with those of the dashboard.

    Parameters
    ----------
    folder : Path
        Folder of the bundle.
    observer : Observer, optional
        Receives the current phase; its requests to stop are checked once, at the start.

    Returns
    -------
    dict of str to SelfTest
        ``ONNX``: probabilities computed from ``model.onnx`` by ONNX Runtime. ``PyTorch``: probabilities computed from
        ``model.safetensors``. Both on the CPU.

    Raises
    ------
    BundleError
        The folder is not a bundle or was exported for another version of this program, a file is missing or has been
        changed, or a probability differs from that of the dashboard by more than is allowed.
    WeightsError
        ``model.safetensors`` does not fit the architecture.
    TrainingError
        This program does not know the architecture.
    StopRequested
        The observer requested a stop.
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
    manifest = {**_manifest(run, evaluation, images), "reference": _write_reference(run, folder, observer)}
    copy_code(folder / CODE)
    (folder / "use.py").write_text(USE_SCRIPT, encoding="utf-8")
    needed = "".join(f"{name}=={version(name)}\n" for name in REQUIREMENTS)
    (folder / "requirements.txt").write_text(needed, encoding="utf-8")
    (folder / "README.md").write_text(model_card(manifest, evaluation), encoding="utf-8")
    write_manifest(folder, manifest)


def _write_reference(run: Run, folder: Path, observer: Observer) -> dict[str, Any]:
    """Write the features of training images, if they can be computed; return their record or the reason."""
    try:
        reference = training_reference(run, observer)
    except CfuError as error:
        return {"missing": str(error)}
    with (folder / REFERENCE).open("wb") as file:
        reference.save(file)
    record = read_record(run)
    assert record is not None  # written with the reference
    return json.loads(json.dumps(record.to_dict()))


def _manifest(run: Run, evaluation: Evaluation, images: int) -> dict[str, Any]:
    fine_tuned = run.mode != "probe"
    names = TRAINING_SETTINGS if fine_tuned else ()
    settings = {name.replace("_", " ").capitalize(): getattr(run.config, name) for name in names}
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


def _self_test_rows(run: Run) -> list[dict[str, Any]]:
    """Return rows of predictions, the classes in turn; test images first, then validation images."""
    rows: list[dict[str, Any]] = []
    for partition in ("test", "validation"):
        table = run.predictions(partition)
        if table is not None:
            rank = table.groupby("true").cumcount()  # within the class
            rows += table.assign(turn=rank).sort_values(["turn", "true"], kind="stable").to_dict("records")
    return rows[:SELF_TEST_IMAGES]


def _write_self_test(run: Run, dataset: Dataset, folder: Path) -> int:
    """Write the images of the self-test with the probabilities of the dashboard; return their number."""
    positions = {path: position for position, path in enumerate(dataset.images["path"])}
    entries: list[Mapping[str, Any]] = []
    (folder / "selftest").mkdir()
    for row in _self_test_rows(run):
        position = positions[row["path"]]
        name = f"selftest/{len(entries) + 1:02d}{dataset.images['extension'].iat[position]}"
        (folder / name).write_bytes(dataset.read_bytes(position))
        box = dataset.box(position)
        entries.append(
            {
                "file": name,
                "path": row["path"],
                "true": row["true"],
                "box": [box.left, box.top, box.right, box.bottom] if box else None,
                "samples": dataset.sample_range(position),
                "plane": dataset.plane(position),
                "probabilities": {label: row[PROBABILITY + label] for label in run.classes},
            }
        )
    on_cpu = str((run.timing() or {}).get("device", "")).startswith("CPU")
    content = {"allowed": TOLERANCE if on_cpu else TOLERANCE_GPU, "images": entries}
    (folder / SELFTEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(entries)
