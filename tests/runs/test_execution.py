import os
import shutil
import subprocess

import numpy as np
import pytest

from cfu_core.errors import CfuError, RunError, StopRequested, StorageError, WeightsError
from cfu_core.imaging.reading import read
from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.execution import execute_run, load_model, predict, save_model
from cfu_core.runs.observer import Observer
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.store import Run
from cfu_core.training.config import TrainingConfig


class Silent(Observer):
    """An observer that wants the end after some reports."""

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


def test_a_model_predicts_for_files_what_it_predicted_in_the_test(finished_run, drawn_shapes):
    table = finished_run.predictions()
    images = [read(drawn_shapes / path) for path in table["path"]]
    expected = table[[f"probability_{name}" for name in finished_run.classes]].to_numpy()
    np.testing.assert_allclose(predict(finished_run, images), expected, atol=1e-5)
    np.testing.assert_allclose(predict(finished_run, images[::-1]), expected[::-1], atol=1e-5)


def test_a_model_takes_images_of_any_size(finished_run):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((20, 500), (700, 90), (5, 5))]
    probabilities = predict(finished_run, images)
    assert probabilities.shape == (3, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_no_images_are_refused(finished_run):
    with pytest.raises(CfuError, match="No images were given"):
        predict(finished_run, [])


def test_a_run_that_never_finished_an_epoch_has_no_model(copied):
    (copied.folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match="has no trained model"):
        load_model(copied)


def test_a_damaged_model_is_told(copied):
    path = copied.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        load_model(copied)


def test_a_full_disk_is_told_and_the_last_model_stays(copied, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        shutil.copy(copied.folder / "spec.json", disk)
        (disk / "model.safetensors").write_bytes(b"the last one")
        with pytest.raises(StorageError, match="The disk is full"):
            save_model(Run(disk), load_model(copied), {})
        assert (disk / "model.safetensors").read_bytes() == b"the last one"
        assert sorted(path.name for path in disk.iterdir()) == ["model.safetensors", "spec.json"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_dataset_that_has_changed_is_refused(copied):
    copied.spec["dataset"]["digest"] = "0" * 64
    with pytest.raises(RunError, match="dataset has changed"):
        execute_run(copied, Silent())


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


def test_a_run_keeps_to_the_split_it_was_planned_with(finished_run):
    planned = finished_run.split()
    tested = finished_run.predictions()["path"].tolist()
    assert sorted(tested) == sorted(path for path, partition in planned.items() if partition == "test")
