"""The reference of a run: computed at the end of the training, or once afterwards, and stored."""

import hashlib
import shutil

import numpy as np
import pytest
from filelock import FileLock

from cfu_core.dataset.catalog import delete_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import DatasetError, RunError, StopRequested
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State, Status
from cfu_core.processes import process_started
from cfu_core.runs.execution import execute_run
from cfu_core.runs.model_files import build_run_network, save_model
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.prediction import predict_files
from cfu_core.runs.run import Run
from cfu_core.runs.training_reference import ComparedFeatures, fit_reference, training_reference
from cfu_core.runs.training_reference_store import RECORD, REFERENCE, read_record, read_reference
from cfu_core.training.config import TrainingConfig
from tests.runs.test_execution import Silent


@pytest.fixture
def copied(finished_run, tmp_path) -> Run:
    """A copy of the finished run that a test may change."""
    return Run(shutil.copytree(finished_run.folder, tmp_path / finished_run.id))


@pytest.fixture
def earlier(copied) -> Run:
    """A run of an earlier version, which has no reference."""
    for name in (REFERENCE, RECORD):
        (copied.folder / name).unlink()
    return copied


def test_the_end_of_a_training_stores_the_reference_and_its_origin(finished_run, drawn_shapes):
    reference, record = read_reference(finished_run), read_record(finished_run)
    split = list(finished_run.split().values())
    assert len(reference.features) == record.training_images == record.all_training_images == split.count("training")
    assert len(reference.validation) == record.validation_images == split.count("validation")
    assert record.threshold == reference.threshold == reference.validation[-1]
    assert record.false_alarms == reference.false_alarms()
    model = (finished_run.folder / "model.safetensors").read_bytes()
    assert record.model_sha256 == hashlib.sha256(model).hexdigest()
    files = [drawn_shapes / path for path in finished_run.predictions()["path"]]
    found = [each.comparison for each in predict_files(finished_run, files, reference)]
    assert record.test_images == len(found)
    assert record.unlike_test_images == sum(each.unlike for each in found)


def test_training_and_validation_images_are_not_unlike_the_training_images(finished_run, drawn_shapes):
    reference = read_reference(finished_run)
    for partition, count in (("training", 4), ("validation", 6)):
        paths = [path for path, part in finished_run.split().items() if part == partition][:count]
        found = list(predict_files(finished_run, [drawn_shapes / path for path in paths], reference))
        assert not any(each.comparison.unlike for each in found)
        if partition == "training":  # each is its own nearest training image
            assert {each.comparison.percentile for each in found} == {0}


def test_the_answers_are_the_same_bits_with_and_without_the_reference(finished_run, drawn_shapes):
    files = sorted(drawn_shapes.glob("*/0[0-3].png"))
    with_reference = predict_files(finished_run, files, read_reference(finished_run))
    for one, other in zip(with_reference, predict_files(finished_run, files), strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)
        assert one.comparison is not None
        assert other.comparison is None


def test_a_run_of_an_earlier_version_gets_its_reference_once(earlier, finished_run, monkeypatch):
    assert read_reference(earlier) is None
    found, expected = training_reference(earlier, Silent()), read_reference(finished_run)
    np.testing.assert_allclose(found.features, expected.features, atol=2e-3)
    np.testing.assert_allclose(found.validation, expected.validation, atol=1e-3)
    assert read_record(earlier).model_sha256 == read_record(finished_run).model_sha256
    monkeypatch.setattr("cfu_core.runs.training_reference.load_model", None)
    again = training_reference(earlier, Silent())
    assert np.array_equal(again.features, found.features)
    assert np.array_equal(again.validation, found.validation)


def test_a_damaged_reference_is_not_used(copied):
    path = copied.folder / REFERENCE
    path.write_bytes(path.read_bytes()[:100])
    assert read_reference(copied) is None
    shutil.copy(copied.folder / "model.json", copied.folder / RECORD)  # JSON of another form
    assert read_record(copied) is None
    assert read_reference(copied) is None


def test_a_reference_of_other_weights_or_pixels_is_not_used(copied, monkeypatch):
    assert read_reference(copied) is not None
    with monkeypatch.context() as patch:
        patch.setattr("cfu_core.imaging.recipe.VERSION", 99)
        assert read_reference(copied) is None
    save_model(copied, build_run_network(copied).state_dict(), {})
    assert read_reference(copied) is None
    (copied.folder / "model.safetensors").unlink()
    assert read_reference(copied) is None


def test_a_run_whose_images_are_gone_has_no_reference(nine_shapes, cfu_home):  # noqa: ARG001
    dataset = import_source(nine_shapes)
    config = TrainingConfig(
        dataset=dataset.id, architecture="squeezenet1_1", recipe=Recipe.original(224), weights="none", batch_size=3
    )
    (run,) = plan_runs([config], dataset)
    save_model(run, build_run_network(run).state_dict(), {})
    delete_dataset(dataset.id)
    with pytest.raises(DatasetError, match="There is no dataset"):
        training_reference(run, Silent())
    assert not (run.folder / RECORD).exists()


def test_a_run_that_is_training_gets_no_reference(earlier):
    earlier.write_status(Status(state=State.RUNNING, pid=1, pid_started=process_started(1)))
    with pytest.raises(RunError, match="is still training"):
        training_reference(earlier, Silent())


def test_another_process_that_computes_the_reference_is_waited_for(earlier):
    with FileLock((earlier.folder / REFERENCE).with_suffix(".lock")), pytest.raises(StopRequested):
        training_reference(earlier, Silent(reports=0))


def test_features_that_are_not_finite_give_no_reference(earlier):
    finite = np.ones((1, 2))
    features = ComparedFeatures(training=finite, validation=[finite, np.array([[1.0, np.nan]])], test=finite)
    with pytest.raises(RunError, match="features that are not finite"):
        fit_reference(earlier, None, None, features, arithmetic="", started=0.0)
    assert not (earlier.folder / REFERENCE).exists()


def test_a_probe_of_a_fold_stores_its_reference_too(nine_shapes, cfu_home):  # noqa: ARG001
    dataset = import_source(nine_shapes)
    config = TrainingConfig(
        dataset=dataset.id,
        architecture="squeezenet1_1",
        recipe=Recipe.original(224),
        weights="none",
        mode="probe",
        batch_size=6,
        folds=3,
        fold=2,
    )
    (run,) = plan_runs([config], dataset)
    execute_run(run, Silent())
    record, split = read_record(run), run.split()
    assert record.validation_images == list(split.values()).count("validation") == 3
    assert record.test_images == run.evaluation().n_images == 3
    files = [nine_shapes / path for path, part in split.items() if part == "training"]
    found = list(predict_files(run, files, read_reference(run)))
    assert len(found) == 3
    assert {each.comparison.percentile for each in found} == {0}
