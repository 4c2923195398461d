"""The shell trains with saved recipes, whole."""

import json

import pytest

from cfu_core.cli import main
from cfu_core.imaging.recipe import Recipe
from cfu_core.runs.run_store import list_runs
from cfu_core.saved_recipes import recipe_json, save_recipe
from tests.pages.written import write_run

ODD = Recipe(background="flatten", colour="neutral", crop=True, margin=0.65, contrast="gamma", gamma=0.7)


@pytest.fixture
def planned_only(monkeypatch):
    """Runs are planned, as always, but not trained."""
    monkeypatch.setattr("cfu_core.cli.training_verbs.run_job", lambda run, title: "finished")


@pytest.fixture
def refusal(capsys):
    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 2
        return capsys.readouterr().err

    return run


@pytest.mark.usefixtures("planned_only")
@pytest.mark.parametrize("by", ["name", "file"])
def test_train_takes_a_recipe_by_its_name_or_from_a_file(small_dataset, tmp_path, by):
    save_recipe("dim plates", ODD)
    file = tmp_path / "dim.json"
    file.write_text(recipe_json("dim plates", ODD), encoding="utf-8")
    reference = "dim plates" if by == "name" else str(file)
    arguments = ["train", small_dataset.id, "--model", "alexnet", "--weights", "none", "--recipe", reference]
    assert main(arguments) == 0
    (run,) = list_runs()
    assert run.recipe == ODD.at(224)


@pytest.mark.usefixtures("planned_only")
def test_reproduce_takes_the_recipe_as_preprocessed_and_says_where_it_departs(small_dataset, capsys):
    save_recipe("dim plates", ODD)
    assert main(["reproduce", small_dataset.id, "--weights", "none", "--recipe", "dim plates", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run.recipe.at(224) for run in list_runs()[::-1]] == [Recipe.original(), ODD] * 3
    assert found["departures"] == [
        "the light is evened out",
        "the background is made grey",
        "the margin is 65% of the colony, not thin",
        "the contrast step is not CLAHE",
    ]


@pytest.mark.usefixtures("planned_only")
def test_repeat_takes_another_recipe(small_dataset):
    run = write_run(small_dataset)
    save_recipe("dim plates", ODD)
    assert main(["repeat", run.id, "--seeds", "2", "--recipe", "dim plates", "--json"]) == 0
    new = [other for other in list_runs() if other.id != run.id]
    assert {other.recipe for other in new} == {ODD.at(224)}
    assert sorted(other.config.seed for other in new) == [0, 1]


@pytest.mark.usefixtures("cfu_home")
def test_a_recipe_that_is_not_there_or_holds_nothing_is_refused(small_dataset, refusal, tmp_path):
    common = ["train", small_dataset.id, "--model", "alexnet", "--recipe"]
    save_recipe("dim plates", ODD)
    assert "There is no recipe 'dim'. Saved recipes: dim plates." in refusal(*common, "dim")
    (tmp_path / "empty.json").write_text("{}")
    assert "The file" in refusal(*common, str(tmp_path / "empty.json"))
    assert "--clip-limit and --tiles were given with --recipe" in refusal(*common, "dim plates", "--tiles", "3")
    save_recipe("nothing", Recipe.original())
    assert "The recipe has no steps." in refusal("reproduce", small_dataset.id, "--recipe", "nothing")
    assert list_runs() == []
