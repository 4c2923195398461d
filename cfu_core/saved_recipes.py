"""Named recipes: saved as one JSON file each in ``<home>/recipes``, downloaded and read again as JSON."""

import hashlib
import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

from cfu_core.errors import CfuError, RecipeError
from cfu_core.imaging.recipe import Recipe
from cfu_core.settings import validate_name
from cfu_core.storage import home, read_json, storage_errors, write_json

SAVED = "saved:"  # before the name of a saved recipe that is also the name of a file
_LONGEST_STEM = 235  # characters: systems allow 255, and the temporary file of `write_json` has 20 more


def save_recipe(name: str, recipe: Recipe) -> None:
    """Save a recipe under a name, replacing a recipe of the same name.

    Parameters
    ----------
    name : str
        1 to `cfu_core.settings.MAX_NAME_LENGTH` characters; white space around it is removed. A recipe whose name
        differs only in its Unicode normalization form is replaced, too.
    recipe : Recipe
        Recipe to save, with all its settings.

    Raises
    ------
    RecipeError
        The name is empty or longer than `cfu_core.settings.MAX_NAME_LENGTH`.
    StorageError
        The disk is full, or the home folder is not writable.
    """
    write_json(_file(_checked_name(name)), json.loads(recipe_json(name, recipe)))


def saved_recipes() -> dict[str, Recipe]:
    """Read all saved recipes.

    Returns
    -------
    dict of str to Recipe
        Recipe by name, sorted by name. Files that cannot be read or do not contain a valid recipe are skipped.

    Raises
    ------
    StorageError
        The user may not list the folder.
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
    """Return a saved recipe by its name, or the recipe in a JSON file.

    Parameters
    ----------
    reference : str
        Name of a saved recipe, without white space around it, also after `SAVED`; or path of a file with the text from
        `recipe_json`. The name in the file has no effect.

    Raises
    ------
    RecipeError
        There is no saved recipe and no file `reference`, or there are both; or the file does not contain a valid
        recipe.
    StorageError
        The user may not read the file, or list the folder of saved recipes.
    """
    found = saved_recipes()
    path = Path(reference)
    is_file = os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises if the name is too long
    if reference in found:
        if is_file:
            file = path.absolute() if reference.startswith(("/", "./")) else f"./{reference}"
            raise RecipeError(
                f"{reference!r} is a saved recipe, and the file {path.absolute()}.",
                "The name must mean one of them.",
                f"Write {SAVED + reference!r} for the saved recipe, or {str(file)!r} for the file.",
            )
        return found[reference]
    name = reference.removeprefix(SAVED)
    if name in found and not is_file:
        return found[name]
    if is_file:
        with storage_errors(path):
            return recipe_from_json(path.read_bytes())[1]
    names = ", ".join(found) or "none yet"
    raise RecipeError(
        f"There is no recipe {reference!r}.",
        f"Saved recipes: {names}.",
        "Use one of these names, or the path of a JSON file that was downloaded on the Preprocess page.",
    )


def delete_recipe(name: str) -> None:
    """Delete a saved recipe; do nothing if there is none of this name.

    Runs that used the recipe are not affected, because they have their own copy. The name must be the one under which
    the recipe is listed by `saved_recipes`, without white space around it.

    Raises
    ------
    StorageError
        The user may not delete the file.
    """
    file = _file(name)
    with storage_errors(file):
        file.unlink(missing_ok=True)


def recipe_json(name: str, recipe: Recipe) -> str:
    """Return a recipe with its name as JSON text: an object with ``name`` and ``recipe``, for a download.

    White space around the name is removed.

    Raises
    ------
    RecipeError
        The name is empty or longer than `cfu_core.settings.MAX_NAME_LENGTH`.
    """
    return json.dumps({"name": _checked_name(name), "recipe": recipe.to_dict()}, indent=2, ensure_ascii=False)


def recipe_from_json(text: str | bytes) -> tuple[str, Recipe]:
    """Read a name and a recipe from the JSON text that `recipe_json` returns.

    Parameters
    ----------
    text : str or bytes
        JSON; bytes in UTF-8.

    Returns
    -------
    name : str
        Name without white space around it.
    recipe : Recipe
        The recipe, also if an earlier version of this program wrote it.

    Raises
    ------
    RecipeError
        The text is not JSON, has no name or recipe, or the name or a setting of the recipe is not valid.
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
    stem = re.sub(r"[^A-Za-z0-9 _-]", lambda m: f"%{ord(m.group()):x}", plain)
    if len(stem) > _LONGEST_STEM:
        stem = "~" + hashlib.sha256(stem.encode()).hexdigest()
    return _folder() / f"{stem}.json"
