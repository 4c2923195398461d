"""The reference of a run on disk, by which images unlike all training images are found, and where it comes from."""

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

from cfu_core.errors import StorageError
from cfu_core.evaluation.training_comparison import TrainingReference
from cfu_core.runs.run import MODEL, Run
from cfu_core.storage import read_json, replacing, storage_errors, write_json

REFERENCE, RECORD = "reference.npz", "reference.json"


@dataclass(frozen=True, kw_only=True)
class ReferenceRecord:
    """Origin of a reference, and what it says of the test images.

    Attributes
    ----------
    model_sha256 : str
        SHA-256 of ``model.safetensors``, whose features the reference contains.
    recipe_digest : str
        `Recipe.digest` of the recipe that was applied, which depends on its settings and its implementation.
    training_images, measured_images, all_training_images : int
        Number of training images whose features are in the reference, of those whose measures are compared, and of all
        training images of the run.
    validation_images : int
        Number of validation images on which the threshold rests.
    unlike_validation_images : int
        Number of validation images that are unlike all training images.
    threshold : float
        Distance of features beyond which an image counts as unlike all training images.
    false_alarms : tuple of (float, float)
        `TrainingReference.false_alarms`.
    test_images, unlike_test_images : int
        Number of test images, and of those that are unlike all training images.
    arithmetic : str
        Description of the compute options.
    seconds : float
        Wall time of the computation, which is not part of the time of the run.
    created : str
        Time of the computation in UTC, in ISO format.
    program : str
        Version of this program.
    """

    model_sha256: str
    recipe_digest: str
    training_images: int
    measured_images: int
    all_training_images: int
    validation_images: int
    unlike_validation_images: int
    threshold: float
    false_alarms: tuple[float, float]
    test_images: int
    unlike_test_images: int
    arithmetic: str
    seconds: float
    created: str
    program: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def write_reference(run: Run, reference: TrainingReference, record: ReferenceRecord) -> None:
    """Write the reference of a run and its record into the folder of the run, replacing earlier ones.

    ``reference.npz`` holds the reference and ``reference.json`` the record, which is written last.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    with replacing(run.folder / REFERENCE) as draft, draft.open("wb") as file:
        reference.save(file)
    write_json(run.folder / RECORD, record.to_dict())


def read_reference(run: Run) -> TrainingReference | None:
    """Read the reference of a run; None if it is missing, damaged or not that of the present weights and recipe.

    Raises
    ------
    StorageError
        The user may not read a file.
    """
    record = read_record(run)
    if record is None or (record.model_sha256, record.recipe_digest) != (model_checksum(run), run.recipe.digest):
        return None
    try:
        return TrainingReference.load(run.folder / REFERENCE)
    except StorageError:
        return None


def read_record(run: Run) -> ReferenceRecord | None:
    """Read the record of a run's reference; None if it is missing or damaged."""
    try:
        record = ReferenceRecord(**read_json(run.folder / RECORD))
        low, high = record.false_alarms  # a list in JSON
        return replace(record, false_alarms=(low, high))
    except (FileNotFoundError, StorageError, TypeError, ValueError):
        return None


def model_checksum(run: Run) -> str:
    """Return the SHA-256 of the model of a run; empty if there is no model.

    Raises
    ------
    StorageError
        The user may not read the file.
    """
    path = run.folder / MODEL
    try:
        with storage_errors(path), path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
