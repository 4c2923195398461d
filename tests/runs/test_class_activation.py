"""Class activation maps of a small, real run."""

import numpy as np
import pytest
import torch

from cfu_core.dataset.edits import edit_dataset
from cfu_core.errors import RunError, StopRequested, StorageError
from cfu_core.evaluation.activation_regions import peak_position
from cfu_core.imaging import recipe as recipes
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, create_job
from cfu_core.jobs.worker import run_in_foreground
from cfu_core.models.grad_cam import grad_cam
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.models.registry import architecture
from cfu_core.runs.class_activation import explain
from cfu_core.runs.class_activation_store import (
    MAPS,
    PEAK_COUNTS,
    PeakCounts,
    read_maps,
    read_peak_counts,
    write_activation_maps,
)
from cfu_core.runs.execution import execute_run
from cfu_core.runs.model_files import load_model
from cfu_core.runs.planning import plan_runs
from cfu_core.training.config import TrainingConfig
from tests.pages.written import write_run
from tests.runs.test_execution import Silent

LEFT_HALF = [0, 0, 32, 48]  # of images of 64 x 48 pixels


@pytest.fixture
def boxed(small_dataset):
    """A quick probe on images of which five test images have a box over their left half."""
    config = TrainingConfig(
        dataset=small_dataset.id,
        architecture="squeezenet1_1",
        recipe=Recipe.original(224),
        weights="none",
        mode="probe",
    )
    planned = plan_runs([config], small_dataset)[0].split()
    tested = [path for path, part in planned.items() if part == "test"]
    dataset = edit_dataset(small_dataset.id, "box", dict.fromkeys(tested[:5], LEFT_HALF))
    run = plan_runs([config], dataset)[0]
    execute_run(run, Silent())
    return run, dataset, tested


def test_maps_are_those_of_the_test_images_and_their_peaks_are_counted(boxed):
    run, dataset, tested = boxed
    assert read_maps(run, tested[0]) is None
    found = explain(run, Silent())
    assert read_peak_counts(run) == found
    network, layer = load_model(run), architecture("squeezenet1_1").cam_layer
    hits = 0
    for path in tested[:5]:
        row = int(np.flatnonzero(dataset.images["path"] == path)[0])
        seen = recipes.apply(run.recipe, dataset.read_image(row))
        maps = grad_cam(network, layer, normalise(to_floats(torch.from_numpy(seen[None]))))[0]
        np.testing.assert_allclose(read_maps(run, path), maps, atol=1e-4 * maps.max() + 1e-12)
        called = run.predictions().set_index("path").loc[path, "predicted"]
        point = peak_position(maps[run.classes.index(called)])
        hits += point is not None and point[0] < 0.5
    assert (found.images, found.trained, found.chance) == (5, hits, 2.5)
    assert 0 <= found.untrained <= 5
    assert read_maps(run, "no such image") is None


def test_the_job_writes_them_into_the_runs_folder(boxed):
    run, _, tested = boxed
    status = run_in_foreground(create_job("explain", {"run": run.id}))
    assert status.state is State.FINISHED, status.message
    assert read_maps(run, tested[0]).shape[0] == 3


def test_a_stopped_computation_writes_nothing(boxed):
    run, _, _ = boxed
    with pytest.raises(StopRequested):
        explain(run, Silent(reports=1))
    assert not (run.folder / MAPS).exists()
    assert not (run.folder / PEAK_COUNTS).exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:100],
        lambda whole: whole[::-1],
        lambda whole: whole[:80] + bytes(len(whole) - 160) + whole[-80:],
    ],
)
def test_damaged_maps_are_reported_and_missing_ones_can_be_computed_again(small_dataset, damage):
    run = write_run(small_dataset)
    maps = np.random.default_rng(0).random((1, 3, 7, 7))
    write_activation_maps(run, ["a.png"], maps, PeakCounts(images=0, trained=0, untrained=0, chance=0.0))
    np.testing.assert_allclose(read_maps(run, "a.png"), maps[0], atol=1e-6)
    file = run.folder / MAPS
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(StorageError, match=r"gradcam\.npz is damaged"):
        read_maps(run, "a.png")
    file.unlink()
    assert read_maps(run, "a.png") is None


def test_a_run_without_a_model_is_refused(small_dataset):
    config = TrainingConfig(
        dataset=small_dataset.id, architecture="squeezenet1_1", recipe=Recipe.original(224), weights="none"
    )
    with pytest.raises(RunError, match="no trained model"):
        explain(plan_runs([config], small_dataset)[0], Silent())
