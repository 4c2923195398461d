"""Where time went, counted by hand."""

from dataclasses import replace

import pytest

from cfu_core.evaluation.paper_tables import RunResult
from cfu_core.evaluation.timing import finding, phases

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
    spent = phases(PLAIN)
    assert (spent["Decode"], spent["Preprocess"], spent["Train"]) == (1.0, 0.5, 10.0)
    assert spent["Transfer"] == 0.0
    assert spent["Other"] == 1.0
    assert sum(spent.values()) == pytest.approx(SECONDS["total"])


def test_a_pair_says_what_preprocessing_cost():
    assert finding([PLAIN, TREATED]) == (
        "In the one pair of runs those on preprocessed images took 18.0 s and those on original ones 15.0 s, 1.20 "
        "times as long. The difference of +3.0 s: +2.0 s of decoding and preprocessing, +1.0 s of everything else."
    )


def test_several_pairs_are_added_up_and_reuse_is_told():
    other = [replace(result, architecture="resnet18", cache_reused=True) for result in (PLAIN, TREATED)]
    said = finding([PLAIN, *other, TREATED])
    assert said.startswith(
        "Over 2 pairs of runs those on preprocessed images took 36.0 s and those on original ones 30.0 s"
    )
    assert said.endswith("In 2 of the 4 runs the images had been prepared by an earlier run.")


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"architecture": "googlenet"}, {"seconds": {}}, {"recipe_kind": "custom"}]
)
def test_runs_that_are_no_pair_say_nothing(change):
    assert finding([PLAIN, replace(TREATED, **change)]) == ""
