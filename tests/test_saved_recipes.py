import json

import pytest

from cfu_core.errors import RecipeError
from cfu_core.imaging.recipe import Recipe
from cfu_core.saved_recipes import delete_recipe, recipe_from_json, recipe_json, save_recipe, saved_recipes

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


@pytest.mark.parametrize("name", ["../up", "a/b", "naïve ünï", "x" * 60, "CON", "a.b", ".", "🧫", "ä" * 20])
def test_any_name_is_kept_inside_the_folder(cfu_home, name):
    save_recipe(name, RECIPE)
    assert list(saved_recipes()) == [name]
    assert [path.parent for path in cfu_home.rglob("*.json")] == [cfu_home / "recipes"]


def test_names_that_differ_do_not_share_a_file(cfu_home):  # noqa: ARG001
    for name in ("a/b", "a_b", "a b", "a%2fb"):
        save_recipe(name, RECIPE)
    assert len(saved_recipes()) == 4


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
