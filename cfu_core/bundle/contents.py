"""Files of a bundle, with checksums by which changes are detected.

======================  ==============================================================================================
``README.md``           model card and instructions
``bundle.json``         manifest: classes, recipe, normalisation, description and results; a checksum of each entry
``model.onnx``          the complete network, from images to probabilities and features
``reference.npz``       features of training images, by which images unlike all of them are found
``model.safetensors``   its weights, for torchvision's module
``use.py``              classifies images and checks the bundle
``code/``               the code of this program for preprocessing and classification
``selftest/``           test images; ``selftest.json`` contains the probabilities that the dashboard computed for them
``requirements.txt``    packages that ``use.py`` needs
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
from cfu_core.evaluation.training_comparison import TrainingReference
from cfu_core.imaging.recipe import VERSION as RECIPE_VERSION
from cfu_core.imaging.recipe import Recipe
from cfu_core.imaging.sample_range import SampleRange, ranges_from_json

FORMAT = 1
MANIFEST, ONNX, WEIGHTS, SELFTEST, CODE = "bundle.json", "model.onnx", "model.safetensors", "selftest.json", "code"
REFERENCE = "reference.npz"
_REQUIRED = ("files", "classes", "recipe", "architecture")  # entries of the manifest that this program uses
#: What to do if a file or an entry of the manifest has been changed.
GET_AGAIN = "Ask for a new copy of the bundle."


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle on disk.

    Attributes
    ----------
    folder : Path
        Folder that contains ``bundle.json``.
    manifest : mapping
        Content of ``bundle.json`` without the checksums of its entries. The entry ``files`` contains the SHA-256 of
        each file by its relative path.
    """

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def classes(self) -> list[str]:
        """The class names, in the order of the network's outputs."""
        return self.manifest["classes"]

    @property
    def sample_ranges(self) -> dict[str, SampleRange] | None:
        """Range of each kind of samples of more than 8 bits in the dataset of the network; None if not recorded."""
        return ranges_from_json(self.manifest.get("dataset", {}).get("sample_ranges"))

    @property
    def reference(self) -> TrainingReference | None:
        """The features of training images, read from disk; None if the bundle has none.

        Raises
        ------
        StorageError
            The file is missing, damaged or not readable.
        """
        return TrainingReference.load(self.folder / REFERENCE) if REFERENCE in self.manifest["files"] else None

    @property
    def not_checked(self) -> str:
        """Why `reference` is None: a sentence."""
        return self.manifest.get("reference", {}).get("missing") or "The bundle has no features of training images."

    @cached_property
    def recipe(self) -> Recipe:
        """The preprocessing of images that the network expects."""
        return Recipe.from_dict(self.manifest["recipe"])


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``bundle.json`` with checksums of its entries and of all files in the folder.

    Parameters
    ----------
    folder : Path
        Contains all other files of the bundle, but no ``bundle.json``. It should be a temporary folder, because the
        file is not written atomically.
    facts : mapping
        Entries of the manifest, as JSON values. `open_bundle` requires ``classes``, ``recipe`` and ``architecture``;
        this is not checked here. The entries ``format``, ``recipe_version``, ``files`` and ``seals`` (the checksums)
        are added.

    Raises
    ------
    OSError
        The disk is full, the folder is not writable, or a file in it is not readable.
    TypeError
        A value is not a JSON value.
    ValueError
        A value is NaN or infinite, which JSON does not allow.
    """
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    whole = {"format": FORMAT, **facts, "recipe_version": RECIPE_VERSION, "files": files}
    checksums = {name: _checksum(value) for name, value in whole.items()}
    text = json.dumps({**whole, "seals": checksums}, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def open_bundle(folder: Path) -> Bundle:
    """Open a bundle, and check the entries of its manifest.

    Its files are neither read nor checked; `check_files` does that.

    Parameters
    ----------
    folder : Path
        Folder that contains ``bundle.json``.

    Returns
    -------
    Bundle
        With the manifest in memory. An entry that this program does not use may be missing together with its checksum.

    Raises
    ------
    BundleError
        ``bundle.json`` is missing, cannot be read or is not the manifest of a bundle; one of its entries does not match
        its checksum; its format or the version of its recipe differs from that of this program; or the files, the
        classes, the recipe or the architecture is missing.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        checksums = manifest.pop("seals")
        changed = [name for name in {**checksums, **manifest} if checksums.get(name) != _checksum(manifest.get(name))]
        versions = manifest.get("format"), manifest.get("recipe_version")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"{folder} is not a bundle: {MANIFEST} cannot be read ({error}).",
            "It must be a folder that CFU Workbench has exported.",
            "Check the path, and that the bundle was unpacked completely.",
        ) from error
    if changed:
        raise BundleError(
            f"{MANIFEST} has been changed since the bundle was exported: {_mismatch(changed)}.",
            "The network is valid only with the recipe, classes and normalisation with which it was exported.",
            GET_AGAIN,
        )
    if versions != (FORMAT, RECIPE_VERSION):
        raise BundleError(
            f"The bundle has format {versions[0]} and recipes of version {versions[1]}.",
            f"This program reads format {FORMAT} with recipes of version {RECIPE_VERSION}.",
            "Use use.py in the bundle, or the version of the program that exported it.",
        )
    missing = [name for name in _REQUIRED if name not in manifest]
    if missing:
        raise BundleError(
            f"{MANIFEST} lacks the entry {missing[0]!r}.", f"It must have {', '.join(_REQUIRED)}.", GET_AGAIN
        )
    return Bundle(folder=folder, manifest=manifest)


def check_files(bundle: Bundle) -> int:
    """Compare the files of a bundle with their checksums.

    Parameters
    ----------
    bundle : Bundle
        From `open_bundle`, which has checked the list of checksums itself.

    Returns
    -------
    int
        Number of files in the manifest. Files that it does not list are ignored.

    Raises
    ------
    BundleError
        A file of the manifest is missing, cannot be read, has been changed, or would be outside of the folder.
    """
    for name, expected in bundle.manifest["files"].items():
        path = member_path(bundle.folder, name)
        try:
            if not path.is_file():
                raise BundleError(f"{name} is missing from the bundle.", "", GET_AGAIN)
            found = _sha256(path)
        except OSError as error:
            raise BundleError(
                f"{name} cannot be read: {error.strerror}.", "All files must be readable.", "Change its permissions."
            ) from error
        if found != expected:
            raise BundleError(
                f"{name} is damaged or has been changed: its SHA-256 begins with {found[:12]}.",
                f"It must begin with {expected[:12]}.",
                GET_AGAIN,
            )
    return len(bundle.manifest["files"])


def member_path(folder: Path, name: str) -> Path:
    """Return the path of a file of a bundle, if it is inside the bundle's folder.

    Parameters
    ----------
    folder : Path
        Folder of the bundle.
    name : str
        Path relative to `folder`, with forward slashes.

    Returns
    -------
    Path
        `folder` joined with `name`. The file need not exist.

    Raises
    ------
    BundleError
        `name` is empty, ``.`` or absolute, has a part ``..``, or contains a backslash or a colon.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise BundleError(f"The bundle refers to a file outside of its folder: {name!r}.", "", "Do not use the bundle.")
    return folder.joinpath(*parts)


def _mismatch(changed: list[str]) -> str:
    if len(changed) == 1:
        return f"the entry {changed[0]!r} does not match its checksum"
    return f"the entries {', '.join(map(repr, changed))} do not match their checksums"


def _checksum(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
