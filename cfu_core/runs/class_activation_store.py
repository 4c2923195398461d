"""Class activation maps of a run on disk, and the number of maps whose maximum is inside the colony."""

import zlib
from dataclasses import asdict, dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cfu_core.errors import StorageError
from cfu_core.runs.run import Run
from cfu_core.storage import read_json, replacing, storage_errors, write_json

MAPS, PEAK_COUNTS = "gradcam.npz", "gradcam.json"


@dataclass(frozen=True, kw_only=True)
class PeakCounts:
    """Number of images in which the map of the predicted class has its maximum inside the colony's box.

    Attributes
    ----------
    images : int
        Number of test images with a known box.
    trained : int
        Number of these images in which the maximum is inside the box, for the network of the run.
    untrained : int
        Number of these images in which the maximum is inside the box, for the network before training.
    chance : float
        Expected number for random points: the sum, over these images, of the fraction of the network's input that the
        box covers.

    References
    ----------
    J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", Int. J. Computer Vision 126, pp. 1084-1102,
    2018. (The pointing game.)
    """

    images: int
    trained: int
    untrained: int
    chance: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def write_activation_maps(run: Run, paths: list[str], maps: np.ndarray, counts: PeakCounts) -> None:
    """Write the maps of the test images and the counts into the folder of a run.

    ``gradcam.npz`` holds the maps and ``gradcam.json`` the counts; the latter is written last. Existing files are
    replaced.

    Parameters
    ----------
    run : Run
        Run whose folder receives the files.
    paths : list of str
        Paths of the N test images, in the order of `maps`.
    maps : ndarray of float, shape (N, C, h, w)
        Non-negative map of each class, in the order of ``run.classes``; saved as float32.
    counts : PeakCounts
        Counts over the same test images.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    with replacing(run.folder / MAPS) as draft, draft.open("wb") as file:
        np.savez_compressed(file, paths=np.array(paths), maps=maps.astype(np.float32))
    write_json(run.folder / PEAK_COUNTS, counts.to_dict())


def read_maps(run: Run, path: str) -> np.ndarray | None:
    """Read the maps of a test image.

    Parameters
    ----------
    run : Run
        Run for which `cfu_core.runs.class_activation.explain` was called.
    path : str
        Path of the image in the dataset.

    Returns
    -------
    ndarray of float32, shape (C, h, w) or None
        Non-negative values at the resolution of the network's last convolutional layer, the classes in the order of
        ``run.classes``. None if the maps have not been computed, if one of their files is missing, or if the image is
        not a test image of the run.

    Raises
    ------
    StorageError
        ``gradcam.json`` or ``gradcam.npz`` is damaged, or the user may not read it.
    """
    file = run.folder / MAPS
    if read_peak_counts(run) is None or not file.exists():
        return None
    try:
        with storage_errors(file), file.open("rb") as content, np.load(content) as saved:
            positions = np.flatnonzero(saved["paths"] == path)
            return saved["maps"][positions[0]] if len(positions) else None
    except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise StorageError(
            f"{file} is damaged: {error}.",
            "It must contain class activation maps.",
            "Delete it, then compute them again.",
        ) from error


def read_peak_counts(run: Run) -> PeakCounts | None:
    """Read how often the maximum of a map is inside the colony; None if the maps have not been computed.

    Raises
    ------
    StorageError
        ``gradcam.json`` is damaged, or the user may not read it.
    """
    file = run.folder / PEAK_COUNTS
    return PeakCounts(**read_json(file)) if file.exists() else None
