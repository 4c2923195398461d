import json

import pytest

from cfu_core.errors import RecipeError
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import (
    delete_recipe,
    find_recipe,
    recipe_from_json,
    recipe_json,
    save_recipe,
    saved_recipes,
)

RECIPE = Recipe(background="flatten", crop=True, contrast="gamma", gamma=0.5)


def test_a_saved_recipe_comes_back_by_its_name(cfu_home):
    save_recipe("  Dim plates ", RECIPE)
    save_recipe("A", Recipe.original())
    assert saved_recipes() == {"A": Recipe.original(), "Dim plates": RECIPE}
    assert cfu_home.exists()


def test_saving_again_replaces_and_deleting_removes(cfu_home):  # noqa: ARG001
    save_recipe("x", RECIPE)
    save_recipe("x", Recipe.original())
    assert saved_recipes() == {"x": Recipe.original()}
    delete_recipe("x")
    delete_recipe("never there")
    assert saved_recipes() == {}


@pytest.mark.parametrize(
    "name",
    ["../up", "a/b", "naïve ünï", "x" * 60, "CON", "a.b", ".", "🧫", "ä" * 20, "细" * 47, "细" * 48, "🧫" * 60],
    ids=lambda name: name[:9],
)
def test_any_name_is_kept_inside_the_folder(cfu_home, name):
    save_recipe(name, RECIPE)
    assert list(saved_recipes()) == [name]
    assert [path.parent for path in cfu_home.rglob("*.json")] == [cfu_home / "recipes"]
    delete_recipe(name)
    assert saved_recipes() == {}


def test_names_that_differ_do_not_share_a_file(cfu_home):  # noqa: ARG001
    for name in ("a/b", "a_b", "a b", "a%2fb", "细" * 60, "细" * 59 + "a"):
        save_recipe(name, RECIPE)
    assert len(saved_recipes()) == 6


def test_the_file_of_a_name_stays_the_same(cfu_home):  # that of an earlier version is found
    for name in ("Dim plates", "ä/b", "细" * 47):
        save_recipe(name, RECIPE)
    names = sorted(path.stem for path in (cfu_home / "recipes").iterdir())
    assert names == ["%7ec6" * 47, "%e4%2fb", "Dim plates"]


@pytest.mark.usefixtures("cfu_home")
@pytest.mark.parametrize("reference", ["nothing", "x" * 300, "x\0"], ids=["short", "long", "NUL"])
def test_a_recipe_that_does_not_exist_is_an_error_in_words(reference):
    with pytest.raises(RecipeError, match="There is no recipe"):
        find_recipe(reference)


@pytest.mark.usefixtures("cfu_home")
def test_a_name_of_a_recipe_and_of_a_file_is_refused_and_each_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_recipe("dim", RECIPE)
    assert find_recipe("dim") == find_recipe("saved:dim") == RECIPE
    (tmp_path / "dim").mkdir()  # a folder is not a recipe
    assert find_recipe("dim") == RECIPE
    (tmp_path / "dim").rmdir()
    (tmp_path / "dim").write_text(recipe_json("other", Recipe.original()))
    with pytest.raises(RecipeError, match=r"'dim' is a saved recipe, and the file /.*/dim\..*'saved:dim'.*'\./dim'"):
        find_recipe("dim")
    assert find_recipe("saved:dim") == RECIPE
    assert find_recipe("./dim") == find_recipe(str(tmp_path / "dim")) == Recipe.original()


@pytest.mark.usefixtures("cfu_home")
def test_a_recipe_whose_name_looks_like_a_path_can_be_distinguished_from_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_recipe("./dim", RECIPE)
    save_recipe("saved:x", RECIPE)
    (tmp_path / "dim").write_text(recipe_json("other", Recipe.original()))
    with pytest.raises(RecipeError, match=rf"'saved:\./dim'.*'{tmp_path}/dim'"):
        find_recipe("./dim")
    assert find_recipe("saved:./dim") == find_recipe("saved:x") == RECIPE


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_name_is_needed_and_bounded(cfu_home, name):  # noqa: ARG001
    with pytest.raises(RecipeError, match="1 to 60"):
        save_recipe(name, RECIPE)


def test_a_download_can_be_loaded_again():
    assert recipe_from_json(recipe_json("Dim plates", RECIPE).encode()) == ("Dim plates", RECIPE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe", "does not contain JSON"),
        ("{", "does not contain JSON"),
        ("[]", "does not contain a recipe"),
        ('{"recipe": {}}', "does not contain a recipe"),
        ('{"name": "x", "recipe": 3}', "does not contain a recipe"),
        ('{"name": "x", "recipe": {"zoom": 1}}', "unknown settings: zoom"),
        ('{"name": "x", "recipe": {"gamma": 99}}', r"Gamma is 99\. It must be a number from 0.2 to 5"),
        ('{"name": "", "recipe": {}}', "1 to 60"),
    ],
)
def test_invalid_recipes_are_refused_with_the_reason(text, said):
    with pytest.raises(RecipeError, match=said):
        recipe_from_json(text)


def test_a_damaged_file_hides_no_other(cfu_home):
    save_recipe("good", RECIPE)
    (cfu_home / "recipes" / "bad.json").write_text(json.dumps({"name": "bad", "recipe": {"tiles": 0}}))
    (cfu_home / "recipes" / "torn.json").write_text('{"na')
    assert list(saved_recipes()) == ["good"]
