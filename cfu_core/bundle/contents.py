"""What lies in a bundle, sealed, so that nothing of it changes unnoticed.

======================  ==============================================================================================
``README.md``           the model card, and how to use the network
``bundle.json``         classes, recipe, normalisation, what the network is and how well it did; a seal on each of them
``model.onnx``          the whole network: images in, probabilities out
``model.safetensors``   its weights, for torchvision's module
``use.py``              classifies images, and checks the bundle
``code/``               the preprocessing, as this program does it
``selftest/``           some images, and in ``selftest.json`` the probabilities that the dashboard gave them
``requirements.txt``    what ``use.py`` needs
======================  ==============================================================================================
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from cfu_core.errors import BundleError
from cfu_core.imaging.recipe import VERSION as RECIPE_VERSION
from cfu_core.imaging.recipe import Recipe

FORMAT = 1
MANIFEST, ONNX, WEIGHTS, SELFTEST, CODE = "bundle.json", "model.onnx", "model.safetensors", "selftest.json", "code"
#: Where an entry of ``bundle.json`` or a file is not what it was when the bundle was made.
GET_AGAIN = "Get the bundle again from whoever made it."


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle on disk.

    Parameters
    ----------
    folder : Path
    facts : mapping
        ``bundle.json``.
    """

    folder: Path
    facts: Mapping[str, Any]

    @property
    def classes(self) -> list[str]:
        """Names, in the order of the network's outputs."""
        return self.facts["classes"]

    @cached_property
    def recipe(self) -> Recipe:
        """How images are preprocessed."""
        return Recipe.from_dict(self.facts["recipe"])


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``bundle.json`` with a seal on each of `facts`, which are plain JSON values, and on each file of `folder`.

    The folder must be complete; it should not be seen by others yet.
    """
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    whole = {"format": FORMAT, **facts, "recipe_version": RECIPE_VERSION, "files": files}
    seals = {name: _seal(value) for name, value in whole.items()}
    text = json.dumps({**whole, "seals": seals}, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def open_bundle(folder: Path) -> Bundle:
    """A bundle whose ``bundle.json`` is as it was written; its files are another matter (`check_files`).

    Raises
    ------
    BundleError
        There is none, it was made for another version of this program, or one of its entries has been changed.
    """
    path = folder / MANIFEST
    try:
        facts = json.loads(path.read_bytes())
        seals = facts.pop("seals")
        changed = [name for name in {**seals, **facts} if seals.get(name) != _seal(facts.get(name))]
        made_as = facts.get("format"), facts.get("recipe_version")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"{folder} is not a bundle: {MANIFEST} cannot be read ({error}).",
            "A folder that this program exported is expected.",
            "Check the path, and that the bundle was unpacked whole.",
        ) from error
    if changed:
        raise BundleError(
            f"{MANIFEST} is not what it was when the bundle was made: {_told(changed)}.",
            "A network gives its own probabilities only with the recipe, classes and normalisation it was made with.",
            GET_AGAIN,
        )
    if made_as != (FORMAT, RECIPE_VERSION):
        raise BundleError(
            f"The bundle has format {made_as[0]} and recipes of version {made_as[1]}.",
            f"This program reads format {FORMAT} with recipes of version {RECIPE_VERSION}.",
            "Use the bundle's own use.py, or the version of the program that made it.",
        )
    return Bundle(folder=folder, facts=facts)


def check_files(bundle: Bundle) -> int:
    """Compare every file of a bundle with what it was when the bundle was made; gives how many they are.

    Raises
    ------
    BundleError
        One is missing or changed.
    """
    for name, promised in bundle.manifest["files"].items():
        path = member_path(bundle.folder, name)
        if not path.is_file():
            raise BundleError(f"{name} is missing from the bundle.", "", GET_AGAIN)
        found = _sha256(path)
        if found != promised:
            raise BundleError(
                f"{name} is damaged or was changed: its SHA-256 begins with {found[:12]}.",
                f"It began with {promised[:12]} when the bundle was made.",
                GET_AGAIN,
            )
    return len(bundle.manifest["files"])


def member_path(folder: Path, name: str) -> Path:
    """A file of a bundle by its name, which must not lead out of it.

    Raises
    ------
    BundleError
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise BundleError(f"The bundle names a file outside of it: {name!r}.", "", "Do not use it.")
    return folder.joinpath(*parts)


def _told(changed: list[str]) -> str:
    if len(changed) == 1:
        return f"the entry {changed[0]!r} differs from its seal"
    return f"the entries {', '.join(map(repr, changed))} differ from their seals"


def _seal(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
