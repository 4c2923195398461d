import shutil

import cv2
import pytest

from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.splitting import split_of
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


def test_runs_on_other_datasets_are_compared_only_if_the_datasets_are_equal(small_dataset, drawn_shapes, tmp_path):
    one = write_run(small_dataset)
    same = write_run(import_source(drawn_shapes, name="again"), wrong=[0])
    shutil.copytree(drawn_shapes, tmp_path / "flipped")
    for path in (tmp_path / "flipped").glob("*/*.png"):
        cv2.imwrite(str(path), cv2.flip(cv2.imread(str(path)), 1))
    other = write_run(import_source(tmp_path / "flipped", name="flipped"), wrong=[0])
    assert other.predictions()["path"].tolist() == one.predictions()["path"].tolist()
    (found,) = compare_runs([one, same, other])
    assert (found.first, found.second) == (one.id, same.id)


def test_runs_on_different_versions_of_a_dataset_are_compared(small_dataset):
    one = write_run(small_dataset)
    trained = next(path for path, part in one.split().items() if part == "training")
    edited = edit_dataset(small_dataset.id, "exclude", {trained: None})
    assert len(compare_runs([one, write_run(edited, wrong=[0])])) == 1


@pytest.mark.usefixtures("cfu_home")
def test_runs_that_were_tested_on_one_image_are_not_compared(nine_shapes):
    dataset = import_source(nine_shapes, name="nine")
    tested = [path for path, partition in split_of(dataset).assignment.items() if partition == "test"]
    dataset = edit_dataset(dataset.id, "partition", dict.fromkeys(tested[1:], "training"))
    runs = [write_run(dataset), write_run(dataset, preprocessed=True, wrong=[0])]
    assert [len(run.predictions()) for run in runs] == [1, 1]
    assert compare_runs(runs) == []


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
