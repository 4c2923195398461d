"""Where time went, counted by hand."""

from dataclasses import replace

import pytest

from cfu_core.evaluation.paper_tables import RunResult
from cfu_core.evaluation.timing import preprocessing_cost, seconds_by_phase

SECONDS = {"decode": 1.0, "preprocess": 0.5, "train": 10.0, "validate": 2.0, "test": 0.5, "total": 15.0}
PLAIN = RunResult(
    run="1",
    name="one",
    architecture="alexnet",
    label="AlexNet",
    recipe_kind="original",
    weights="random weights",
    dataset="cells",
    epochs=3,
    seed=0,
    seconds=SECONDS,
)
TREATED = replace(PLAIN, run="2", recipe_kind="preprocessed", seconds=SECONDS | {"preprocess": 2.5, "total": 18.0})


def test_phases_add_up_to_the_whole():
    spent = seconds_by_phase(SECONDS)
    assert (spent["decode"], spent["preprocess"], spent["train"]) == (1.0, 0.5, 10.0)
    assert spent["transfer"] == 0.0
    assert spent["other"] == 1.0
    assert sum(spent.values()) == pytest.approx(SECONDS["total"])


def test_the_cost_of_preprocessing_of_one_pair():
    assert preprocessing_cost([PLAIN, TREATED]) == (
        "With preprocessing 1 run took 18.0 s; without, 1 run took 15.0 s. That is 1.20 times as long. Of the "
        "difference of +3.0 s, +2.0 s are decoding and preprocessing, and +1.0 s everything else."
    )


def test_several_pairs_are_added_up_and_reuse_is_reported():
    other = [replace(result, architecture="resnet18", cache_reused=True) for result in (PLAIN, TREATED)]
    said = preprocessing_cost([PLAIN, *other, TREATED])
    assert said.startswith(
        "With preprocessing 2 runs took 36.0 s; without, 2 runs took 30.0 s. That is 1.20 times as long."
    )
    assert said.endswith(" In 2 of these 4 runs the images had been prepared before.")


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"architecture": "googlenet"}, {"seconds": {}}, {"recipe_kind": "custom"}]
)
def test_runs_that_are_not_a_pair_give_no_text(change):
    assert preprocessing_cost([PLAIN, replace(TREATED, **change)]) == ""
