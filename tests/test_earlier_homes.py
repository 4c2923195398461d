"""Datasets, runs and recipes that an earlier version wrote still open; results of an earlier crop are made again."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cfu_core.dataset.audit.filtering import Filter, saved_filters
from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.edits import edit_log, next_redo, redo_edit, undo_edit
from cfu_core.dataset.survey.survey import load_survey, survey
from cfu_core.dataset.survey.survey_store import VERSION
from cfu_core.errors import RunError
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import State
from cfu_core.jobs.queue import all_jobs
from cfu_core.jobs.worker import run_in_foreground
from cfu_core.reporting.report import report_html
from cfu_core.runs.class_activation_store import read_maps
from cfu_core.runs.run_store import list_runs, open_run
from cfu_core.saved_recipes import saved_recipes
from cfu_core.training.prepared_images import prepare

HOMES = Path(__file__).parent / "homes"
DATASET = "two-shapes-e9bc8ac7"
RECIPE = Recipe(
    background="flatten",
    colour="neutral",
    crop=True,
    margin=0.65,
    contrast="clahe",
    clip_limit=2.4,
    tiles=2,
)


@pytest.fixture(params=sorted(HOMES.glob("*.zip")), ids=lambda path: path.stem)
def earlier_home(request: pytest.FixtureRequest, cfu_home: Path) -> Path:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(cfu_home)
    return cfu_home


@pytest.mark.usefixtures("earlier_home")
def test_the_dataset_opens_with_its_edits_and_filter():
    dataset = load_dataset(DATASET)
    assert dataset.counts == {"disc": 7, "square": 9}
    assert dataset.version == 4
    marked = dataset.images[dataset.images["path"] == "disc/00.png"].iloc[0]
    assert [marked[f"box_{edge}"] for edge in ("left", "top", "right", "bottom")] == [10, 8, 40, 38]
    assert [(edit.kind, edit.who, edit.why) for edit in edit_log(DATASET)] == [
        ("relabel", "Ada", "a square"),
        ("exclude", "Ada", "blurred"),
        ("undo", "Ada", ""),
        ("box", "Ada", ""),
    ]
    assert saved_filters(DATASET) == {"discs": Filter(classes=("disc",))}


@pytest.mark.usefixtures("earlier_home")
def test_the_dataset_can_be_edited_further():
    assert next_redo(load_dataset(DATASET).edits) is None  # the box that came after ended it
    assert undo_edit(DATASET).version == 5
    assert redo_edit(DATASET).version == 6


@pytest.mark.usefixtures("earlier_home")
def test_the_finished_run_has_its_results():
    run = open_run("The run before")
    assert run.recipe == RECIPE.at(224)
    evaluation = run.evaluation()
    assert evaluation is not None
    assert evaluation.confusion == [[0, 1], [0, 1]]
    assert [epoch["epoch"] for epoch in run.metrics().epochs] == [1, 2]
    assert "The run before" in report_html([run])
    maps = read_maps(run, "square/07.png")
    assert maps is not None
    assert len(maps) == 2


@pytest.mark.usefixtures("earlier_home")
def test_the_network_of_the_finished_run_still_gives_its_predictions():
    from cfu_core.runs.prediction import predict_files
    from cfu_core.runs.training_reference import training_reference
    from tests.runs.test_execution import Silent

    run = open_run("The run before")
    dataset = load_dataset(DATASET)
    table = run.predictions()
    assert table is not None
    path = "square/07.png"  # without a box of its own
    row = int(np.flatnonzero(dataset.images["path"] == path)[0])
    reference = training_reference(run, Silent())  # computed now: that version did not store any
    (given,) = predict_files(run, [dataset.image_file(row)], reference)
    assert given.comparison is not None
    written = table[table["path"] == path][["probability_disc", "probability_square"]].to_numpy()[0]
    np.testing.assert_allclose(given.probabilities, written, atol=2e-3)


def test_measures_and_prepared_images_of_an_earlier_version_are_not_used_again(earlier_home):
    dataset = load_dataset(DATASET)
    assert load_survey(dataset).done == 0  # measures of two versions are never mixed
    survey(dataset)
    found = load_survey(dataset)
    assert found.complete
    assert found.table["edge_width"].notna().all()
    assert {path.parent.name for path in earlier_home.glob("datasets/*/survey/*/part-*")} == {f"v{VERSION}"}
    assert prepare(dataset, RECIPE.at(224)).computed == len(dataset.images)
    assert prepare(dataset, RECIPE.at(224)).computed == 0


@pytest.mark.usefixtures("earlier_home")
def test_the_saved_recipe_is_whole():
    assert saved_recipes() == {"Even and neutral": RECIPE}


@pytest.mark.usefixtures("earlier_home")
def test_jobs_are_listed_and_a_paused_run_can_be_removed():
    states = {job.kind: job.status().state for job in all_jobs()}
    assert states == {"train": State.PAUSED, "explain": State.FINISHED}
    paused = next(job for job in all_jobs() if job.status().state is State.PAUSED)
    paused.request_stop()
    assert paused.status().state is State.STOPPED
    assert len(list_runs()) == 2
    assert run_in_foreground(paused).state is State.STOPPED


@pytest.mark.usefixtures("earlier_home")
def test_a_run_with_an_earlier_crop_does_not_go_on_with_the_present_one():
    from cfu_core.observer import Observer
    from cfu_core.runs.execution import execute_run

    cropped = open_run("The run before")
    original = next(run for run in list_runs() if run.status().state is State.PAUSED)
    assert (cropped.recipe.crop, cropped.plan.earlier_crop) == (True, True)
    assert (original.recipe.crop, original.plan.earlier_crop) == (False, False)
    with pytest.raises(RunError, match="was planned with an earlier version of the automatic crop"):
        execute_run(cropped, Observer())
    new = replace(cropped.plan, recipe_digest="")
    assert (new.earlier_crop, new.to_dict()["recipe_digest"]) == (False, cropped.recipe.digest)
