"""Repeats of a run with other seeds and folds."""

import json
from dataclasses import replace
from statistics import stdev

import pytest

from cfu_core.dataset.catalog import load_dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.errors import TrainingError
from cfu_core.job import State, Status
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.repeats import families, in_folds, plan_repeats, with_seeds
from cfu_core.storage import write_json
from tests.pages.written import write_run


def test_seeds_and_folds_change_nothing_else(small_dataset):
    run = write_run(small_dataset)
    seeds, folds = with_seeds(run), in_folds(run, 4)
    assert [config.seed for config in seeds] == [0, 1, 2, 3, 4]
    assert [(config.folds, config.fold) for config in folds] == [(4, 0), (4, 1), (4, 2), (4, 3)]
    assert {replace(config, seed=0) for config in seeds} == {replace(config, folds=0, fold=0) for config in folds}


@pytest.mark.parametrize("folds", [-3, 0, 1, 2, 21])
def test_an_impossible_number_of_folds_is_refused(small_dataset, folds):
    with pytest.raises(TrainingError):
        in_folds(write_run(small_dataset), folds)


def test_existing_runs_are_not_trained_again(small_dataset):
    run = write_run(small_dataset)
    write_run(small_dataset, preprocessed=True)
    configs = with_seeds(run)
    new, existing = plan_repeats(run, configs)
    assert [each.config.seed for each in new] == [1, 2, 3, 4]
    assert existing == [run]
    new[1].request_pause()
    new[2].request_stop()
    new[3].write_status(Status(state=State.FAILED))
    again = plan_repeats(run, configs)
    assert sorted(each.config.seed for each in again.existing) == [0, 1, 2]  # finished, waits, is paused
    assert [each.config.seed for each in again.new] == [3, 4]
    assert plan_repeats(run, []) == ([], [])


def test_a_run_on_other_images_is_not_a_repeat(small_dataset):
    run = write_run(small_dataset)
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    plan_runs([run.config], load_dataset(small_dataset.id))
    later = plan_repeats(run, with_seeds(run, [0]))
    assert [each.id for each in later.existing] == [run.id]


def test_repeats_are_on_the_dataset_as_it_was(small_dataset):
    run = write_run(small_dataset)
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    new = plan_repeats(run, in_folds(run, 5)).new
    assert all(each.plan.dataset == run.plan.dataset for each in new)
    tested = [path for each in new for path, part in each.split().items() if part == "test"]
    assert sorted(tested) == sorted(small_dataset.images["path"])


def seeded(dataset, seed, wrong):
    run = write_run(dataset, wrong=wrong)
    spec = json.loads((run.folder / "spec.json").read_text())
    spec["config"]["seed"] = seed
    write_json(run.folder / "spec.json", spec)
    return type(run)(run.folder)


def test_families_have_mean_and_standard_deviation(small_dataset):
    members = [seeded(small_dataset, seed, range(wrong)) for seed, wrong in ((2, 1), (0, 0), (1, 3))]
    alone = write_run(small_dataset, key="googlenet")
    (family,) = families([*members, alone])
    assert family.varied == "seeds"
    assert [run.config.seed for run in family.runs] == [0, 1, 2]
    of = family.n_images // 3
    shares = [1.0, (of - 3) / of, (of - 1) / of]
    assert family.accuracies == pytest.approx(shares)
    assert family.mean == pytest.approx(sum(shares) / 3)
    assert family.deviation == pytest.approx(stdev(shares))
    assert family.correct == family.n_images - 4
    assert family.name == "AlexNet, original, random weights, fine-tuned"


def test_runs_that_differ_in_more_than_the_seed_are_not_a_family(small_dataset):
    assert families([write_run(small_dataset), write_run(small_dataset, preprocessed=True)]) == []
    assert families([write_run(small_dataset), write_run(small_dataset)]) == [], "the same seed twice"
