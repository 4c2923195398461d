"""Datasets that were deleted, or that a link names but that do not exist."""

import re

import pytest

from cfu_core.dataset.bin import list_deleted
from cfu_core.dataset.catalog import delete_dataset, discard_dataset, list_datasets, load_dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.job import State
from tests.pages.written import write_run

PAGES = ("data/explore", "data/preprocess", "model/train", "model/results")


def texts(app) -> str:
    return "\n".join(re.sub(r"[\\*]", "", element.value) for element in (*app.header, *app.markdown, *app.caption))


def test_the_dialog_names_what_depends_on_the_dataset(visit, small_dataset):
    write_run(small_dataset, State.PAUSED)
    write_run(small_dataset)
    edit_dataset(small_dataset.id, "exclude", {small_dataset.images["path"].iat[0]: None})
    app = visit()
    app.button(key=f"delete-{small_dataset.id}").click().run()
    assert not app.exception
    assert "2 runs use this dataset: 1 paused, 1 finished." in texts(app)
    assert "1 manual edit" in texts(app)
    app.button(key="delete_go").click().run()
    assert not app.exception
    assert [deleted.id for deleted in list_deleted()] == [small_dataset.id]
    assert "shapes was deleted" in app.success[0].value
    assert "Deleted datasets (1)" in [expander.label for expander in app.expander]


def test_the_dialog_does_not_delete_a_dataset_with_a_waiting_run(visit, small_dataset):
    write_run(small_dataset, State.QUEUED)
    app = visit()
    app.button(key=f"delete-{small_dataset.id}").click().run()
    assert app.button(key="delete_go").disabled
    assert "1 run uses this dataset: 1 waiting." in texts(app)


def test_a_deleted_dataset_is_restored_or_removed_on_the_overview(visit, small_dataset, drawn_dataset):
    discard_dataset(small_dataset.id, who="Ada")
    other = discard_dataset(drawn_dataset.id)
    app = visit()
    entry = next(deleted.entry for deleted in list_deleted() if deleted.id == small_dataset.id)
    assert "by Ada" in texts(app)
    app.button(key=f"restore-{entry}").click().run()
    assert not app.exception
    assert app.sidebar.selectbox(key="dataset").value == small_dataset.id
    app.button(key=f"remove-{other.entry}").click().run()
    assert not app.exception
    assert list_deleted() == []
    assert [summary.id for summary in list_datasets()] == [small_dataset.id]


@pytest.mark.parametrize("path", PAGES)
def test_a_link_to_a_deleted_dataset_offers_to_restore_it(visit, small_dataset, drawn_dataset, path):
    discard_dataset(small_dataset.id, who="Ada")
    app = visit(path, dataset=small_dataset.id)
    assert [header.value for header in app.header] == ["This dataset was deleted"]
    assert "shapes was deleted on" in texts(app)
    assert "by Ada" in texts(app)
    assert not app.sidebar.selectbox
    assert app.button(key=f"open-{drawn_dataset.id}").label == "drawn shapes"
    app.run()
    assert [header.value for header in app.header] == ["This dataset was deleted"]
    app.button(key="restore_missing").click().run()
    assert not app.exception
    assert app.sidebar.selectbox(key="dataset").value == small_dataset.id
    assert load_dataset(small_dataset.id).counts == small_dataset.counts


def test_another_dataset_is_shown_only_when_it_is_chosen(visit, small_dataset, drawn_dataset):
    app = visit("data/explore", dataset="nobody-00000000")
    assert "There is no dataset with the identifier nobody-00000000" in texts(app)
    app.button(key=f"open-{drawn_dataset.id}").click().run()
    assert not app.exception
    assert app.sidebar.selectbox(key="dataset").value == drawn_dataset.id
    assert app.query_params["dataset"] in (drawn_dataset.id, [drawn_dataset.id])
    assert small_dataset.name not in [header.value for header in app.header]


def test_a_deletion_by_another_person_is_reported(visit, small_dataset, drawn_dataset):  # noqa: ARG001
    app = visit("data/explore", dataset=small_dataset.id)
    delete_dataset(small_dataset.id)
    app.run()
    assert not app.exception
    assert f"There is no dataset with the identifier {small_dataset.id}" in texts(app)
    assert not app.sidebar.selectbox


def test_results_of_a_deleted_dataset_are_shown_with_a_note(visit, small_dataset, drawn_dataset):
    run = write_run(small_dataset)
    write_run(drawn_dataset)
    discard_dataset(small_dataset.id)
    app = visit("model/results", dataset=small_dataset.id)
    assert "shapes was deleted on" in texts(app)
    assert app.selectbox(key="run").value == run.id


def test_a_page_without_datasets_mentions_those_that_can_be_restored(visit, small_dataset):
    discard_dataset(small_dataset.id)
    app = visit("data/explore")
    assert "1 deleted dataset can be restored on the Overview page." in texts(app)


def test_the_overview_says_which_dataset_of_a_link_is_gone(visit, small_dataset):
    discard_dataset(small_dataset.id)
    app = visit(dataset=small_dataset.id)
    assert "This dataset was deleted" in [header.value for header in app.header]
    app.button(key="restore_missing").click().run()
    assert not app.exception
    assert [summary.id for summary in list_datasets()] == [small_dataset.id]
    assert "This dataset was deleted" not in [header.value for header in app.header]


def test_a_run_says_that_its_dataset_is_in_the_bin(visit, small_dataset, drawn_dataset):
    run = write_run(small_dataset, State.PAUSED)
    query = {"dataset": drawn_dataset.id, "all_runs": "True", "run": run.id}
    assert not any("was deleted on" in info.value for info in visit("model/results", **query).info)
    discard_dataset(small_dataset.id)
    app = visit("model/results", **query)
    assert any("The dataset of this run: **shapes** was deleted on" in info.value for info in app.info)
