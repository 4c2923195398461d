import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, precision_score

from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.splitting import split_of
from cfu_core.errors import RunError, StorageError, TrainingError, WeightsError
from cfu_core.evaluation.metrics import evaluate
from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.phase_timer import PHASES
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.run import Run
from cfu_core.runs.run_result import result_of
from cfu_core.runs.run_store import delete_run, list_runs, open_run, runs_folder
from cfu_core.training.config import TrainingConfig


@pytest.fixture
def config(small_dataset) -> TrainingConfig:
    return TrainingConfig(
        dataset=small_dataset.id, architecture="resnet18", recipe=Recipe.original(299), weights="none", epochs=2
    )


@pytest.fixture
def run(config, small_dataset) -> Run:
    return plan_runs([config], small_dataset)[0]


# --- planning


def test_a_planned_run_has_the_requested_configuration(run, config, small_dataset):
    assert run.config == config
    assert run.recipe == config.recipe
    assert run.classes == ["disc", "ring", "square"]
    assert run.plan.dataset.id == small_dataset.id
    assert run.plan.dataset.digest == small_dataset.digest
    assert run.plan.dataset.version == run.plan.split.version == 0
    assert run.plan.split.counts == split_of(small_dataset).counts
    assert {"torch", "python", "cfu_core"} <= set(run.plan.environment)
    assert run.name == run.default_name == "ResNet-18, original, random weights, fine-tuned"


def test_the_split_is_written_as_a_table(run, small_dataset):
    table = pd.read_csv(run.folder / "split.csv")
    assert table.columns.tolist() == ["path", "label", "partition"]
    assert dict(zip(table["path"], table["partition"], strict=True)) == split_of(small_dataset).assignment


def test_a_run_on_an_edited_dataset_has_its_version_and_the_number_of_manual_assignments(config, small_dataset):
    paths = small_dataset.images["path"]
    edit_dataset(small_dataset.id, "exclude", {paths[0]: None})
    edited = edit_dataset(small_dataset.id, "partition", {paths[1]: "test", paths[2]: "test"})
    spec = plan_runs([config], edited)[0].spec
    assert (spec["dataset"]["version"], spec["dataset"]["images"]) == (2, 35)
    assert spec["dataset"]["digest"] == edited.digest
    assert (spec["split"]["version"], spec["split"]["moved"]) == (2, 2)
    assert spec["split"]["nearness"].startswith("2 images were assigned manually")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch_size": 30}, TrainingError, "batch size is 30, .* only 25 images"),
        ({"weights": "/nowhere/w.pth"}, WeightsError, "no weights file"),
    ],
)
def test_an_invalid_configuration_creates_no_run(config, small_dataset, change, error, message):
    from dataclasses import replace

    with pytest.raises(error, match=message):
        plan_runs([replace(config, **change)], small_dataset)
    assert list_runs() == []
    assert not runs_folder().exists() or list(runs_folder().iterdir()) == []


# --- finding, naming, deleting


def test_a_run_is_found_by_its_identifier_and_by_its_name(run):
    assert open_run(run.id) == run
    run.rename("  mine  ")
    assert run.name == "mine"
    assert open_run("mine") == run
    run.rename(" ")
    assert run.name == run.default_name


@pytest.mark.parametrize("content", ["[]", '"text"', "{}", '{"name": 5}', "{", "\xff"])
def test_a_damaged_name_counts_as_none_and_other_runs_are_found(config, small_dataset, content):
    damaged, named = plan_runs([config], small_dataset)[0], plan_runs([config], small_dataset)[0]
    (damaged.folder / "name.json").write_bytes(content.encode("latin-1"))
    named.rename("mine")
    assert damaged.name == damaged.default_name
    assert open_run("mine") == named
    damaged.rename("repaired")
    assert damaged.name == "repaired"


@pytest.mark.parametrize("name", ["mine", ""])
def test_a_deleted_run_cannot_be_renamed(run, name):
    delete_run(run)
    with pytest.raises(RunError, match="does not exist any more"):
        run.rename(name)
    assert list(runs_folder().iterdir()) == []


@pytest.mark.parametrize("name", ["other", ""])
def test_renaming_in_a_read_only_folder_is_reported(run, monkeypatch, name):
    run.rename("mine")

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        for method in ("unlink", "write_bytes"):
            patch.setattr(Path, method, refuse)
        with pytest.raises(StorageError, match="No permission"):
            run.rename(name)
    assert run.name == "mine"


def test_runs_are_listed_newest_first(config, small_dataset):
    from dataclasses import replace

    networks = [("resnet18", 299), ("alexnet", 224), ("googlenet", 299), ("alexnet", 224), ("resnet18", 299)]
    made = [
        plan_runs([replace(config, architecture=key, recipe=Recipe.original(size))], small_dataset)[0]
        for key, size in networks
    ]
    assert list_runs() == made[::-1]


def test_a_name_of_several_runs_is_an_error(config, small_dataset):
    runs = [plan_runs([config], small_dataset)[0] for _ in range(2)]
    with pytest.raises(RunError, match=rf"2 runs are named .*: {runs[1].id}, {runs[0].id}\..*identifier"):
        open_run(runs[0].name)


@pytest.mark.parametrize("reference", ["nothing", "", "../../etc", "..", ".", "/etc", "a/b", "x\0y", "a" * 300, "💥"])
def test_the_error_for_an_unknown_run_lists_existing_runs(run, reference):
    with pytest.raises(RunError, match=f"There is no run .*{run.id}"):
        open_run(reference)


def test_a_reference_never_leads_out_of_the_folder(run, cfu_home):
    shutil.copytree(run.folder, cfu_home / "outside")
    for reference in ("../outside", str(cfu_home / "outside"), "../runs/" + run.id, "./" + run.id):
        with pytest.raises(RunError):
            open_run(reference)


@pytest.mark.usefixtures("cfu_home")
def test_without_runs_the_error_for_an_unknown_run_says_so():
    with pytest.raises(RunError, match="none yet"):
        open_run("mine")
    assert list_runs() == []


def test_a_deleted_run_is_gone(config, small_dataset):
    first, second = plan_runs([config], small_dataset)[0], plan_runs([config], small_dataset)[0]
    delete_run(first)
    assert list_runs() == [second]
    assert [path.name for path in runs_folder().iterdir()] == [second.id]


def test_an_incomplete_run_is_not_listed(run):
    (runs_folder() / ".20200101-000000-x.part").mkdir()
    shutil.copy(run.folder / "spec.json", runs_folder() / ".20200101-000000-x.part")
    assert list_runs() == [run]


# --- what is written as it goes


def test_metrics_come_back_by_kind_and_in_order(run):
    run.append_metrics("batch", {"epoch": 1, "batch": 1})
    run.append_metrics("epoch", {"epoch": 1, "validation_loss": 0.5})
    run.append_metrics("batch", {"epoch": 2, "batch": 1})
    assert run.metrics().batches == [{"epoch": 1, "batch": 1}, {"epoch": 2, "batch": 1}]
    assert run.history() == [{"epoch": 1, "validation_loss": 0.5}]


def test_every_line_of_the_metrics_is_strict_json(run):
    run.append_metrics("epoch", {"epoch": 1, "validation_loss": float("nan")})
    (line,) = (run.folder / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["validation_loss"] is None
    assert run.history() == [{"epoch": 1, "validation_loss": None}]


def test_an_incomplete_last_line_is_left_out(run):
    run.append_metrics("epoch", {"epoch": 1})
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "epoch", "epo')
    assert run.history() == [{"epoch": 1}]


def test_a_run_without_results_has_none(run):
    assert run.history() == run.metrics().batches == []
    assert run.predictions() is run.evaluation() is run.timing() is None
    result = result_of(run)
    assert result.evaluation is None
    assert result.seconds == {}
    assert (result.architecture, result.recipe_kind, result.epochs) == ("resnet18", "original", 2)


def test_predictions_and_evaluation_are_written_from_probabilities(run):
    true = ["disc", "ring", "ring", "square"]
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])
    run.write_predictions("test", ["a.png", "b, c.png", "NA", "ü.png"], true, probabilities)
    table = run.predictions()
    assert table["path"].tolist() == ["a.png", "b, c.png", "NA", "ü.png"]
    assert table["predicted"].tolist() == ["disc", "ring", "disc", "ring"]
    np.testing.assert_array_equal(table.filter(like="probability_").to_numpy(), probabilities)
    assert table.columns.tolist()[3:] == ["probability_disc", "probability_ring", "probability_square"]
    # rows true, columns predicted
    assert run.evaluation().confusion == [[1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert run.evaluation() == evaluate(true, table["predicted"].tolist(), run.classes)


@pytest.mark.parametrize("partition", ["test", "validation"])
def test_probabilities_that_are_not_numbers_can_be_read_again(run, partition):
    probabilities = np.array([[0.7, 0.2, 0.1], [np.nan, np.nan, np.nan]])
    run.write_predictions(partition, ["a.png", "b.png"], ["disc", "ring"], probabilities)
    true, found = run.probabilities(partition)
    assert true.tolist() == [0, 1]
    np.testing.assert_array_equal(found, probabilities)


# --- a real run


def test_the_evaluation_of_a_real_run_follows_from_its_predictions(finished_run):
    table, evaluation = finished_run.predictions(), finished_run.evaluation()
    classes = finished_run.classes
    assert evaluation.confusion == confusion_matrix(table["true"], table["predicted"], labels=classes).tolist()
    assert evaluation.accuracy == pytest.approx((table["true"] == table["predicted"]).mean())
    assert evaluation.precision_macro == pytest.approx(
        precision_score(table["true"], table["predicted"], average="macro", labels=classes, zero_division=0)
    )
    probabilities = table[[f"probability_{name}" for name in classes]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert [classes[i] for i in probabilities.argmax(axis=1)] == table["predicted"].tolist()


def test_a_real_run_is_tested_on_the_test_partition_alone(finished_run):
    split = pd.read_csv(finished_run.folder / "split.csv")
    test = split[split["partition"] == "test"]
    predictions = finished_run.predictions()
    assert predictions["path"].tolist() == test["path"].tolist()
    assert predictions["true"].tolist() == test["label"].tolist()


def test_a_real_run_has_its_history_and_its_time_by_phase(finished_run):
    (epoch,) = finished_run.history()
    assert epoch["epoch"] == 1
    assert epoch["best"]
    assert [step["batch"] for step in finished_run.metrics().batches] == [1, 2]  # 25 training images in batches of 15
    seconds = finished_run.timing()["seconds"]
    assert set(seconds) == {*PHASES, "total"}
    assert all(value > 0 for value in seconds.values())
    assert sum(seconds[part] for part in PHASES) == pytest.approx(seconds["total"], rel=0.03)
    assert result_of(finished_run).seconds == seconds


def test_model_json_has_what_is_needed_to_use_the_model(finished_run):
    facts = json.loads((finished_run.folder / "model.json").read_text())
    assert facts["architecture"] == "squeezenet1_1"
    assert facts["classes"] == finished_run.classes
    assert Recipe.from_dict(facts["recipe"]) == finished_run.recipe
    assert facts["normalisation"] == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert facts["weights_at_start"]["kind"] == "none"
    assert facts["best_epoch"] == 1
