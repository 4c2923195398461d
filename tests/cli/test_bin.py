"""The subcommands delete and bin."""

import json

import pytest

from cfu_core.cli import main
from cfu_core.dataset.catalog import list_datasets
from cfu_core.dataset.importing.source import import_source
from cfu_core.job import State
from tests.pages.written import write_run


@pytest.fixture
def shell(capsys):
    """Run a verb in this process: exit status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(arguments)
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_a_dataset_is_deleted_listed_and_restored(shell, small_dataset):
    write_run(small_dataset, State.PAUSED)
    status, out, err = shell("delete", "shapes", "--who", "Ada")
    assert (status, err) == (0, "")
    assert out.splitlines()[:2] == [
        "1 run uses this dataset: 1 paused.",
        "1 unfinished run cannot be resumed while the dataset is deleted.",
    ]
    assert f"bin --restore {small_dataset.id}" in out
    (deleted,) = json.loads(shell("bin", "--json")[1])
    assert (deleted["id"], deleted["name"], deleted["who"]) == (small_dataset.id, "shapes", "Ada")
    assert deleted["entry"] in shell("bin")[1]
    assert "is in the bin" in shell("edits", "shapes")[2]
    assert shell("bin", "--restore", "shapes")[:2] == (0, f"shapes ({small_dataset.id}) has been restored.\n")
    assert [summary.id for summary in list_datasets()] == [small_dataset.id]
    assert shell("bin")[1] == "The bin is empty.\n"


def test_deleting_says_what_used_the_dataset(shell, small_dataset):
    write_run(small_dataset)
    answer = json.loads(shell("delete", small_dataset.id, "--for-good", "--json")[1])
    expected = {"runs": {"finished": 1}, "edits": 0, "jobs": []}
    assert answer == {"dataset": small_dataset.id, "for_good": True, **expected}
    assert json.loads(shell("bin", "--json")[1]) == []


def test_a_dataset_of_a_queued_run_is_not_deleted(shell, small_dataset):
    write_run(small_dataset, State.QUEUED)
    status, out, err = shell("delete", "shapes")
    assert (status, out) == (2, "")
    assert "1 run on this dataset is queued or running" in err


def test_an_ambiguous_or_unknown_name_is_refused(shell, small_dataset, drawn_shapes):
    shell("delete", "shapes")
    assert import_source(drawn_shapes, name="shapes").id == small_dataset.id
    shell("delete", "shapes")
    status, _, err = shell("bin", "--delete", "shapes")
    assert status == 2
    entries = [deleted["entry"] for deleted in json.loads(shell("bin", "--json")[1])]
    assert all(entry in err for entry in entries)
    assert shell("bin", "--delete", entries[0])[0] == 0
    assert [deleted["entry"] for deleted in json.loads(shell("bin", "--json")[1])] == entries[1:]
    assert "The bin has no dataset 'plates'" in shell("bin", "--restore", "plates")[2]
