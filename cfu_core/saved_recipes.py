"""Named recipes, saved as one JSON file each in ``<home>/recipes``, and their exchange as JSON."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

from cfu_core.errors import CfuError, RecipeError
from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import validate_name
from cfu_core.storage import home, read_json, storage_errors, write_json


def save_recipe(name: str, recipe: Recipe) -> None:
    """Save a recipe under a name, replacing a recipe of the same name.

    Parameters
    ----------
    name : str
        1 to `cfu_core.settings.MAX_NAME_LENGTH` characters; spaces around it are removed.
    recipe : Recipe

    Raises
    ------
    RecipeError
        The name is empty or too long.
    StorageError
        The disk is full, or the home folder is not writable.
    """
    write_json(_file(_checked_name(name)), json.loads(recipe_json(name, recipe)))


def saved_recipes() -> dict[str, Recipe]:
    """Read all saved recipes.

    Returns
    -------
    dict of str to Recipe
        By name, sorted. Damaged files are skipped.

    Raises
    ------
    StorageError
        The home folder is not readable.
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


def find_recipe(reference: str) -> Recipe:
    """Return the recipe of a JSON file, or a saved recipe by its name.

    Raises
    ------
    RecipeError
        There is no such file or name, or the file holds no recipe.
    """
    found = saved_recipes()
    if reference in found:
        return found[reference]
    path = Path(reference)
    if path.is_file():
        with storage_errors(path):
            return recipe_from_json(path.read_bytes())[1]
    names = ", ".join(found) or "none yet"
    raise RecipeError(
        f"There is no recipe {reference!r}.",
        f"Saved recipes: {names}.",
        "Use one of these names, or the path of a JSON file that was downloaded on the Preprocess page.",
    )


def delete_recipe(name: str) -> None:
    """Delete a saved recipe; runs that used it have their own copy."""
    file = _file(name)
    with storage_errors(file):
        file.unlink(missing_ok=True)


def recipe_json(name: str, recipe: Recipe) -> str:
    """Return a recipe with its name as JSON text, for a download."""
    return json.dumps({"name": _checked_name(name), "recipe": recipe.to_dict()}, indent=2, ensure_ascii=False)


def recipe_from_json(text: str | bytes) -> tuple[str, Recipe]:
    """Read a name and a recipe from JSON, as `recipe_json` writes it.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    name : str
    recipe : Recipe

    Raises
    ------
    RecipeError
        The text is not JSON or not a recipe.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RecipeError(
            f"The file does not contain JSON ({error}).",
            'Expected {"name": ..., "recipe": {...}}.',
            "Choose a saved recipe.",
        ) from error
    return _from_value(value)


def _from_value(value: Any) -> tuple[str, Recipe]:
    recipe = value.get("recipe") if isinstance(value, dict) else None
    if not isinstance(recipe, dict) or not isinstance(value.get("name"), str):
        raise RecipeError("The file does not contain a recipe.", 'Expected {"name": ..., "recipe": {...}}.')
    return _checked_name(value["name"]), Recipe.from_dict(recipe)


def _checked_name(name: str) -> str:
    return validate_name(name, of="recipe", error=RecipeError)


def _folder() -> Path:
    return home() / "recipes"


def _file(name: str) -> Path:
    # different names need different files: other characters are encoded as their code point
    plain = unicodedata.normalize("NFC", name)
    return _folder() / (re.sub(r"[^A-Za-z0-9 _-]", lambda m: f"%{ord(m.group()):x}", plain) + ".json")
