"""One word may be a path or the name of a dataset; what is ambiguous is refused."""

import json
import shutil

import pytest

from cfu_core.cli import main
from cfu_core.cli.data_argument import import_data, read_data
from cfu_core.dataset.catalog import rename_dataset
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import DatasetError


@pytest.fixture
def twin(small_dataset, nine_shapes):  # noqa: ARG001 - two datasets of one name
    """Another dataset with the name of `small_dataset`."""
    return import_source(nine_shapes, name="shapes")


def test_a_folder_and_a_dataset_of_one_name_are_refused(small_dataset, nine_shapes, tmp_path, monkeypatch):
    shutil.copytree(nine_shapes, tmp_path / "here" / "shapes")
    monkeypatch.chdir(tmp_path / "here")
    for read in (read_data, import_data):
        with pytest.raises(DatasetError) as refused:
            read("shapes")
        assert str(refused.value) == (
            f"'shapes' is a folder here, and also the name of the dataset {small_dataset.id}. It must mean one of "
            f"them. Write ./shapes for the folder, or {small_dataset.id} for the dataset."
        )
    assert len(read_data("./shapes").images) == 9
    assert len(read_data(small_dataset.id).images) == 36


def test_an_identifier_is_always_a_dataset(small_dataset, nine_shapes, tmp_path, monkeypatch):
    shutil.copytree(nine_shapes, tmp_path / "here" / small_dataset.id)
    monkeypatch.chdir(tmp_path / "here")
    assert len(read_data(small_dataset.id).images) == 36
    assert len(read_data(f"./{small_dataset.id}").images) == 9


def test_a_dataset_may_have_the_name_of_a_file_that_does_not_exist(small_dataset):
    rename_dataset(small_dataset.id, "plate.csv")
    assert read_data("plate.csv").id == small_dataset.id
    with pytest.raises(DatasetError, match=r"other\.csv does not exist"):
        read_data("other.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["inspect", "shapes"], ["split", "shapes"], ["survey", "shapes"], ["edits", "shapes"], ["undo", "shapes"]),
        *(["exclude", "shapes", "ring/00.png"], ["relabel", "shapes", "oval", "ring/00.png"]),
        ["train", "shapes", "--model", "alexnet", "--images", "original", "--weights", "none"],
    ],
)
def test_a_name_of_two_datasets_is_refused_by_every_verb(small_dataset, twin, capsys, arguments):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("2 datasets are named 'shapes': ")
    assert small_dataset.id in err
    assert twin.id in err
    assert err.endswith("Write one of these identifiers instead of the name.\n")


def split_of_shell(capsys, data: object) -> dict:
    assert main(["split", str(data), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_split_applies_the_edits_of_a_dataset(small_dataset, capsys):
    before = split_of_shell(capsys, "shapes")
    edit_dataset(small_dataset.id, "exclude", {"ring/00.png": None})
    edit_dataset(small_dataset.id, "relabel", {"disc/00.png": "ring"})
    after = split_of_shell(capsys, "shapes")
    assert set(before["assignment"]) - set(after["assignment"]) == {"ring/00.png"}
    assert sum(after["counts"]["disc"].values()) == sum(before["counts"]["disc"].values()) - 1
    assert (before["version"], after["version"], after["dataset"]) == (0, 2, small_dataset.id)


@pytest.mark.usefixtures("cfu_home")
def test_split_of_a_folder_applies_the_edits_that_training_on_it_applies(nine_shapes, capsys):
    assert split_of_shell(capsys, nine_shapes)["dataset"] is None
    dataset = import_source(nine_shapes)
    edit_dataset(dataset.id, "exclude", {"ring/00.png": None})
    found = split_of_shell(capsys, nine_shapes)
    assert set(found["assignment"]) == set(import_data(str(nine_shapes)).images["path"])
    assert (found["dataset"], found["version"]) == (dataset.id, 1)
    main(["split", str(nine_shapes)])
    assert capsys.readouterr().out.endswith(f"with 1 edit of the dataset {dataset.id}\n")
