"""Suspected label errors over the folds of runs with known predictions."""

import numpy as np
import pytest

from cfu_core.runs.label_errors_over_folds import suspected_label_errors
from cfu_core.runs.planning import plan_runs
from cfu_core.runs.repeats import families, in_folds
from tests.pages.written import write_run

EXCHANGED = ("disc/03.png", "ring/05.png")


def cross_validated(dataset, folds=5):
    """Runs over all folds, sure of every image's class but of two, which they call by the next class's name."""
    runs = plan_runs(in_folds(write_run(dataset), folds), dataset)
    for run in runs:
        tested = [path for path, part in run.split().items() if part == "test"]
        labels = [path.partition("/")[0] for path in tested]
        probabilities = np.full((len(tested), 3), 0.05)
        for row, (path, label) in enumerate(zip(tested, labels, strict=True)):
            probabilities[row, (run.classes.index(label) + (path in EXCHANGED)) % 3] = 0.9
        run.write_predictions("test", tested, labels, probabilities)
    return runs


def test_every_image_is_judged_once_over_all_folds(small_dataset):
    runs = cross_validated(small_dataset)
    (family,) = [family for family in families(runs) if family.varied == "folds"]
    found = suspected_label_errors(family.runs)
    assert sorted(found["path"]) == sorted(EXCHANGED)
    row = found.set_index("path").loc["ring/05.png"]
    assert (row["label"], row["seems"]) == ("ring", "square")
    assert (row["probability"], row["probability_label"]) == pytest.approx((0.9, 0.05))
    run = next(run for run in runs if run.id == row["run"])
    assert run.split()["ring/05.png"] == "test"


def test_there_is_no_result_before_all_folds_are_finished(small_dataset):
    assert suspected_label_errors(cross_validated(small_dataset)[:2]) is None
