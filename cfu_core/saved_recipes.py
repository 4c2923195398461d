"""Recipes that have a name: one JSON file each in ``<home>/recipes``, for people to keep, send and load again."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from cfu_core.errors import CfuError, RecipeError
from cfu_core.imaging.recipe import Recipe
from cfu_core.storage import home, read_json, storage_errors, write_json

LONGEST_NAME = 60  # characters


def save_recipe(name: str, recipe: Recipe) -> None:
    """Keep a recipe under a name; one of the same name is replaced.

    Raises
    ------
    RecipeError
        The name is empty or too long.
    StorageError
        The disk is full, or the home folder may not be written.
    """
    write_json(_file(checked_name(name)), json.loads(recipe_json(name, recipe)))


def saved_recipes() -> dict[str, Recipe]:
    """Every saved recipe by its name, sorted; a damaged file is left out.

    Raises
    ------
    StorageError
        The home folder may not be read.
    """
    folder = _folder()
    with storage_errors(folder):
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    found = {}
    for file in files:
        try:
            name, recipe = _from_value(read_json(file))
        except (CfuError, FileNotFoundError):
            continue
        found[name] = recipe
    return dict(sorted(found.items()))


def delete_recipe(name: str) -> None:
    """Forget a saved recipe; runs that used it keep their own copy."""
    file = _file(name)
    with storage_errors(file):
        file.unlink(missing_ok=True)


def recipe_json(name: str, recipe: Recipe) -> str:
    """A recipe with its name as JSON text, for a download."""
    return json.dumps({"name": checked_name(name), "recipe": recipe.to_dict()}, indent=2, ensure_ascii=False)


def recipe_from_json(text: str | bytes) -> tuple[str, Recipe]:
    """Name and recipe from what `recipe_json` wrote.

    Raises
    ------
    RecipeError
        It is no JSON, or no recipe; says what is wrong.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecipeError(
            f"The file holds no JSON ({error}).", 'Expected {"name": ..., "recipe": {...}}.', "Choose a saved recipe."
        ) from error
    return _from_value(value)


def checked_name(name: str) -> str:
    """A name without blanks around it.

    Raises
    ------
    RecipeError
        It is empty or too long.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise RecipeError(
            f"The name of the recipe has {len(name)} characters.", f"It needs 1 to {LONGEST_NAME}.", "Choose another."
        )
    return name


def _from_value(value: Any) -> tuple[str, Recipe]:
    recipe = value.get("recipe") if isinstance(value, dict) else None
    if not isinstance(recipe, dict) or not isinstance(value.get("name"), str):
        raise RecipeError("The file holds no recipe.", 'Expected {"name": ..., "recipe": {...}}.')
    return checked_name(value["name"]), Recipe.from_dict(recipe)


def _folder() -> Path:
    return home() / "recipes"


def _file(name: str) -> Path:
    # names that differ must not share a file: what a file name cannot hold is written as its number
    plain = unicodedata.normalize("NFC", name)
    return _folder() / (re.sub(r"[^A-Za-z0-9 _-]", lambda m: f"%{ord(m.group()):x}", plain) + ".json")
