"""One word may be a path or the name of a dataset; what is ambiguous is refused."""

import argparse
import json
import shutil
from dataclasses import replace

import pytest

from cfu_core.cli import main
from cfu_core.cli.data_argument import add_data_argument, import_data, read_data
from cfu_core.dataset.catalog import delete_dataset, load_dataset, rename_dataset, save_dataset
from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.edits import edit_dataset
from cfu_core.dataset.importing.source import import_source
from cfu_core.errors import DatasetError
from cfu_core.storage import home


def given(data: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_data_argument(parser)
    return parser.parse_args([data])


@pytest.fixture
def twin(small_dataset, nine_shapes):  # noqa: ARG001 - two datasets of one name
    """Another dataset with the name of `small_dataset`."""
    return import_source(nine_shapes, name="shapes")


def test_a_folder_and_a_dataset_of_one_name_are_refused(small_dataset, nine_shapes, tmp_path, monkeypatch):
    shutil.copytree(nine_shapes, tmp_path / "here" / "shapes")
    monkeypatch.chdir(tmp_path / "here")
    for read in (read_data, import_data):
        with pytest.raises(DatasetError) as refused:
            read(given("shapes"))
        assert str(refused.value) == (
            f"'shapes' is a folder here, and also the name of the dataset {small_dataset.id}. It must mean one of "
            f"them. Write ./shapes for the folder, or {small_dataset.id} for the dataset."
        )
    assert len(read_data(given("./shapes")).images) == 9
    assert len(read_data(given(small_dataset.id)).images) == 36


def test_an_identifier_is_always_a_dataset(small_dataset, nine_shapes, tmp_path, monkeypatch):
    shutil.copytree(nine_shapes, tmp_path / "here" / small_dataset.id)
    monkeypatch.chdir(tmp_path / "here")
    assert len(read_data(given(small_dataset.id)).images) == 36
    assert len(read_data(given(f"./{small_dataset.id}")).images) == 9


def test_a_dataset_may_have_the_name_of_a_file_that_does_not_exist(small_dataset):
    rename_dataset(small_dataset.id, "plate.csv")
    assert read_data(given("plate.csv")).id == small_dataset.id
    with pytest.raises(DatasetError, match=r"other\.csv does not exist"):
        read_data(given("other.csv"))


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
    assert set(found["assignment"]) == set(import_data(given(str(nine_shapes))).images["path"])
    assert (found["dataset"], found["version"]) == (dataset.id, 1)
    main(["split", str(nine_shapes)])
    assert capsys.readouterr().out.endswith(f"with 1 edit of the dataset {dataset.id}\n")


def test_levels_of_folders_are_stated_in_the_shell(nine_shapes, tmp_path, capsys):
    root = tmp_path / "two"
    for top in ("x", "y"):
        shutil.copytree(nine_shapes, root / top)
    assert main(["inspect", str(root)]) == 2
    assert "Two levels of folders may be the class" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["inspect", str(root), "--layout", "donor/kind"])
    assert "'kind' in the layout 'donor/kind' is not a role of a level of folders." in capsys.readouterr().err
    for options, classes in (
        (["--class-level", "2"], {"disc": 6, "ring": 6, "square": 6}),
        (["--layout", "class/-", "--leave-out", "ring"], {"x": 6, "y": 6}),
    ):
        assert main(["inspect", str(root), *options, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["classes"] == classes
    assert main(["inspect", str(root), "--class-level", "0"]) == 2
    assert "--class-level is 0. Levels are counted from 1." in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["again", "repeat"])
def test_a_repeated_run_says_what_the_import_left_out_and_that_its_dataset_is_gone(
    finished_run, verb, capsys, monkeypatch, tmp_path
):
    shutil.copytree(home(), tmp_path / "copied")  # the home of the run is shared by tests
    monkeypatch.setenv("CFU_HOME", str(tmp_path / "copied"))
    shapes = load_dataset(finished_run.plan.dataset.id)
    issue = ImportIssue(path="disc/x.png", kind="truncated", detail="It ends early.", label="disc")
    save_dataset(replace(shapes, import_issues=(issue,)))
    for module in ("run_verbs", "training_verbs"):
        monkeypatch.setattr(f"cfu_core.cli.{module}.run_job", lambda *_: "finished")
    assert main([verb, finished_run.id]) == 0
    assert "1 file was left out at the import, of the class disc." in capsys.readouterr().err
    delete_dataset(shapes.id)
    assert main([verb, finished_run.id]) == 2
    assert shapes.id in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--class-level", "2"], ["--unlabelled"], ["--leave-out", "x"], ["--zip-names", "cp932"]]
)
def test_an_option_about_a_source_is_refused_for_an_imported_dataset(small_dataset, option, capsys):
    assert main(["inspect", small_dataset.id, *option]) == 2
    assert f"{option[0]} has no effect on the dataset" in capsys.readouterr().err
