import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from cfu_core.dataset.catalog import delete_dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.image_store import image_file
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.splitting import split_of
from cfu_core.errors import RunError, StopRequested, StorageError, WeightsError
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.weights import initial_network
from cfu_core.observer import Observer
from cfu_core.runs.execution import execute_run
from cfu_core.runs.model_files import load_model, save_model
from cfu_core.runs.planning import plan_again, plan_runs
from cfu_core.runs.prediction import predict_files
from cfu_core.runs.run import Run
from cfu_core.runs.run_result import result_of
from cfu_core.storage import read_json, write_json
from cfu_core.training.config import TrainingConfig


class Silent(Observer):
    """An observer that requests a stop after some reports."""

    def __init__(self, reports: int = 10**9) -> None:
        self.reports = reports
        self.phases: list[str] = []

    def report(self, phase: str, **_details: object) -> None:
        self.phases.append(phase)

    def stop_requested(self) -> bool:
        return len(self.phases) >= self.reports


@pytest.fixture
def copied(finished_run, tmp_path) -> Run:
    """A copy of the finished run that a test may damage."""
    folder = tmp_path / finished_run.id
    shutil.copytree(finished_run.folder, folder)
    return Run(folder)


def predicted(run: Run, files: list[Path]) -> np.ndarray:
    return np.array([each.probabilities for each in predict_files(run, files)])


def test_a_model_gives_the_same_predictions_for_files_as_in_the_test(finished_run, drawn_shapes):
    table = finished_run.predictions()
    files = [drawn_shapes / path for path in table["path"]]
    expected = table[[f"probability_{name}" for name in finished_run.classes]].to_numpy()
    np.testing.assert_allclose(predicted(finished_run, files), expected, atol=1e-5)
    np.testing.assert_allclose(predicted(finished_run, files[::-1]), expected[::-1], atol=1e-5)


def test_predictions_on_the_validation_images_are_saved_too(finished_run, drawn_shapes):
    table = pd.read_csv(finished_run.folder / "validation.csv")
    assert sorted(table["path"]) == sorted(p for p, part in finished_run.split().items() if part == "validation")
    true, probabilities = finished_run.probabilities("validation")
    assert [finished_run.classes[place] for place in true] == table["true"].tolist()
    files = [drawn_shapes / path for path in table["path"]]
    np.testing.assert_allclose(predicted(finished_run, files), probabilities, atol=1e-5)
    best = max(finished_run.history(), key=lambda epoch: epoch["best"])
    assert (probabilities.argmax(1) == true).mean() == pytest.approx(best["validation_accuracy"])


def test_a_model_takes_images_of_any_size(finished_run, tmp_path):
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file, size in zip(files, ((20, 500), (700, 90), (5, 5)), strict=True):
        cv2.imwrite(str(file), rng.integers(0, 256, (*size, 3), np.uint8))
    probabilities = predicted(finished_run, files)
    assert probabilities.shape == (3, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_a_run_has_no_model_before_its_training_ends(copied):
    (copied.folder / "model.safetensors").unlink()
    assert copied.history()  # it has finished an epoch
    with pytest.raises(RunError, match=r"has no trained model\. It is written when the training ends"):
        load_model(copied)


def test_a_damaged_model_is_an_error(copied):
    path = copied.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        load_model(copied)


def test_a_full_disk_is_reported_and_the_last_model_stays(copied, mounted):
    disk = mounted("size=1m")
    shutil.copy(copied.folder / "spec.json", disk)
    (disk / "model.safetensors").write_bytes(b"the last one")
    with pytest.raises(StorageError, match="The disk is full"):
        save_model(Run(disk), load_model(copied).state_dict(), {})
    assert (disk / "model.safetensors").read_bytes() == b"the last one"
    assert sorted(path.name for path in disk.iterdir()) == ["model.safetensors", "spec.json"]


def test_a_dataset_that_has_changed_is_refused(copied):
    spec = read_json(copied.folder / "spec.json")
    spec["dataset"]["digest"] = "0" * 64
    write_json(copied.folder / "spec.json", spec)
    with pytest.raises(RunError, match="dataset has changed"):
        execute_run(Run(copied.folder), Silent())


def test_a_stop_while_images_are_prepared_leaves_no_results(small_dataset):
    config = TrainingConfig(
        dataset=small_dataset.id, architecture="resnet18", recipe=Recipe.original(299), weights="none"
    )
    run = plan_runs([config], small_dataset)[0]
    observer = Silent(reports=10)
    with pytest.raises(StopRequested):
        execute_run(run, observer)
    assert observer.phases[-1] == "Decoding and preprocessing"
    assert run.history() == []
    assert run.evaluation() is None
    assert not (run.folder / "model.safetensors").exists()


def test_a_run_trains_on_the_dataset_as_it_was_when_planned(small_dataset):
    paths = small_dataset.images["path"].tolist()
    split = split_of(small_dataset, seed=1).assignment
    left_out = [path for path in paths if int(path[-6:-4]) > 2 and split[path] == "training"]
    edit_dataset(small_dataset.id, "exclude", dict.fromkeys(left_out))
    tested = [path for path in paths if split[path] == "test"]
    planned = edit_dataset(small_dataset.id, "relabel", {tested[0]: "square"})
    config = TrainingConfig(
        dataset=small_dataset.id,
        architecture="squeezenet1_1",
        recipe=Recipe.original(224),
        weights="none",
        epochs=1,
        batch_size=5,
        split_seed=1,
    )
    run = plan_runs([config], planned)[0]
    assert run.plan.dataset.version == run.plan.split.version == 2

    # edited while it waits in the queue
    edit_dataset(small_dataset.id, "exclude", dict.fromkeys(tested[1:3]))
    edit_dataset(small_dataset.id, "relabel", {tested[0]: "ring", tested[4]: "oval"})
    edit_dataset(small_dataset.id, "include", {left_out[0]: None})
    execute_run(run, Silent())
    predictions = run.predictions()
    assert predictions["path"].tolist() == tested
    true = planned.images.set_index("path")["label"]
    assert predictions["true"].tolist() == true[tested].tolist()
    assert predictions["true"].iat[0] == "square"
    (epoch,) = {batch["batches"] for batch in run.metrics().batches}
    assert epoch == math.ceil(sum(parts["training"] for parts in run.plan.split.counts.values()) / 5)
    # what the network saw of each image was that image, although excluded ones stand between them
    files = [small_dataset.image_file(paths.index(path)) for path in tested]
    expected = predictions[[f"probability_{name}" for name in run.classes]].to_numpy()
    np.testing.assert_allclose(predicted(run, files), expected, atol=1e-5)


def test_a_dataset_that_lost_its_edits_is_refused(small_dataset, drawn_shapes):
    planned = edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    config = TrainingConfig(dataset=planned.id, architecture="resnet18", recipe=Recipe.original(299), weights="none")
    run = plan_runs([config], planned)[0]
    delete_dataset(planned.id)
    assert import_source(drawn_shapes, name="shapes").id == planned.id
    with pytest.raises(RunError, match="dataset has changed"):
        execute_run(run, Silent())


def test_a_run_that_was_planned_before_there_were_versions_is_of_the_dataset_as_imported(small_dataset):
    config = TrainingConfig(
        dataset=small_dataset.id, architecture="resnet18", recipe=Recipe.original(299), weights="none"
    )
    run = plan_runs([config], small_dataset)[0]
    spec = read_json(run.folder / "spec.json")
    del spec["dataset"]["version"]
    write_json(run.folder / "spec.json", spec)
    run = Run(run.folder)
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    with pytest.raises(StopRequested):
        execute_run(run, Silent(reports=10))


def test_a_run_is_planned_again_on_the_dataset_as_it_was(small_dataset):
    config = TrainingConfig(
        dataset=small_dataset.id, architecture="resnet18", recipe=Recipe.original(299), weights="none", seed=7
    )
    run = plan_runs([config], small_dataset)[0]
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    again = plan_again(run)
    assert again.id != run.id
    assert again.config == run.config
    assert (again.plan.dataset, again.plan.split) == (run.plan.dataset, run.plan.split)
    assert again.split() == run.split()
    assert again.edits() == []
    edited = plan_again(run, edited=True)
    assert edited.config == run.config
    assert edited.plan.dataset.version == 1
    assert edited.plan.dataset.images == run.plan.dataset.images - 1
    assert [edit.kind for edit in edited.edits()] == ["exclude"]


def test_a_run_uses_the_split_it_was_planned_with(finished_run):
    planned = finished_run.split()
    tested = finished_run.predictions()["path"].tolist()
    assert sorted(tested) == sorted(path for path, partition in planned.items() if partition == "test")


# --- a probe


@pytest.fixture
def probed(small_dataset) -> Run:
    config = TrainingConfig(
        dataset=small_dataset.id,
        architecture="squeezenet1_1",
        recipe=Recipe.original(224),
        weights="none",
        mode="probe",
    )
    run = plan_runs([config], small_dataset)[0]
    execute_run(run, Silent())
    return run


def test_a_probe_fits_only_the_last_layer(probed, small_dataset):
    network = load_model(probed)
    fresh, _ = initial_network("squeezenet1_1", "none", 3, seed=0)
    same = {name: torch.equal(value, fresh.state_dict()[name]) for name, value in network.state_dict().items()}
    assert {name for name, equal in same.items() if not equal} == {"classifier.1.weight", "classifier.1.bias"}
    found = json.loads((probed.folder / "probe.json").read_text())
    assert found["strength"] in [trial["strength"] for trial in found["trials"]]
    assert probed.history() == []
    assert probed.evaluation().n_images == 5
    assert probed.name == "SqueezeNet 1.1, original, random weights, probe"

    # the model predicts for files what the features said
    table = probed.predictions()
    paths = small_dataset.images["path"].tolist()
    files = [small_dataset.image_file(paths.index(path)) for path in table["path"]]
    expected = table[[f"probability_{name}" for name in probed.classes]].to_numpy()
    np.testing.assert_allclose(predicted(probed, files), expected, atol=1e-4)


def test_a_second_probe_needs_no_image_and_gives_the_same(probed, monkeypatch):
    again = plan_again(probed)
    monkeypatch.setattr("cfu_core.training.frozen_features.prepare", None)
    observer = Silent()
    execute_run(again, observer)
    for name in ("model.safetensors", "predictions.csv", "probe.json"):
        assert (again.folder / name).read_bytes() == (probed.folder / name).read_bytes(), name
    assert again.timing()["cache_reused"]
    assert result_of(again).epochs is None
    assert result_of(again).mode == "probe"
    assert "Computing features" not in observer.phases


def test_imagenet_weights_of_a_network_that_has_none_are_refused(small_dataset):
    config = TrainingConfig(dataset=small_dataset.id, architecture="darknet19", recipe=Recipe.original(224))
    with pytest.raises(WeightsError, match="no ImageNet weights for DarkNet-19"):
        plan_runs([config], small_dataset)


@pytest.mark.parametrize("mode", ["fine-tune", "probe"])
def test_images_without_a_class_are_not_used_and_counted(finished_run, drawn_shapes, tmp_path, monkeypatch, mode):
    monkeypatch.setenv("CFU_HOME", str(tmp_path / "home"))  # not the home of the finished run
    folder = tmp_path / "half"
    shutil.copytree(drawn_shapes, folder)
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    rows = [f"{path},{path.partition('/')[0] if i % 4 else ''}" for i, path in enumerate(paths)]
    (folder / "manifest.csv").write_text("\n".join(["path,label", *rows]))
    data = import_source(folder)
    image_file(*data.images.loc[data.images["label"] == "", ["digest", "extension"]].iloc[0]).write_bytes(b"")
    (run,) = plan_runs([replace(finished_run.config, epochs=1, mode=mode)], data)
    assert (run.plan.dataset.images, run.plan.dataset.unlabelled) == (27, 9)
    labelled = set(data.images["path"][data.images["label"] != ""])
    assert set(run.split()) == labelled
    execute_run(run, Silent())
    assert sorted(run.predictions()["path"]) == sorted(p for p, part in run.split().items() if part == "test")
    assert run.evaluation().classes == ["disc", "ring", "square"]
