import pytest

from cfu_core.errors import RunError
from cfu_core.job import State
from cfu_core.runs.comparison import compare_runs, preprocessing_pairs
from tests.pages.written import write_run


def test_runs_are_compared_image_by_image_whatever_their_order(small_dataset):
    right, wrong = write_run(small_dataset), write_run(small_dataset, key="googlenet", wrong=[0, 2])
    table = wrong.predictions()
    table.iloc[::-1].to_csv(wrong.folder / "predictions.csv", index=False)
    (found,) = compare_runs([right, wrong])
    assert (found.first, found.second, found.n_images) == (right.id, wrong.id, len(table))
    assert (found.paired.only_first, found.paired.only_second) == (2, 0)
    assert found.verdict == f"2 of {len(table)} fewer right than the first: not enough to rule out chance (p 0.5)."


def test_runs_on_other_images_are_not_compared(small_dataset):
    one, other, third = (write_run(small_dataset) for _ in range(3))
    other.predictions().iloc[1:].to_csv(other.folder / "predictions.csv", index=False)
    (found,) = compare_runs([one, other, third])
    assert (found.first, found.second) == (one.id, third.id)


def test_a_run_without_predictions_is_an_error(small_dataset):
    with pytest.raises(RunError, match="has no predictions"):
        compare_runs([write_run(small_dataset, State.STOPPED)])


def test_only_runs_that_differ_only_in_the_preprocessing_are_paired(small_dataset):
    treated, plain = write_run(small_dataset, preprocessed=True), write_run(small_dataset)
    other = write_run(small_dataset, key="googlenet", preprocessed=True)
    pairs = preprocessing_pairs([treated, other, plain])
    assert [(a.id, b.id) for a, b in pairs] == [(plain.id, treated.id)]
    (found,) = compare_runs([treated, other, plain], pairs)
    assert (found.first, found.second) == (plain.id, treated.id)
    assert found.p_adjusted == found.paired.p  # a single comparison needs no adjustment
