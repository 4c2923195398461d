"""Files of weights: where they are, and whether a file is intact, before anything is loaded from it.

A file name that ends as torchvision's do (``resnet18-5c106cde.pth``) contains the beginning of the file's SHA-256,
which is verified. A date at that position (``colonies-20260131.pth``) is not taken for a hash.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cfu_core.errors import WeightsError
from cfu_core.models.registry import architecture
from cfu_core.storage import home, storage_errors

IMAGENET = "imagenet"
NONE = "none"
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
#: Finds the beginning of the SHA-256 in a file name.
HASH_IN_NAME = re.compile(rf"-(?!{_DATE}\.)([0-9a-f]{{8,}})\.")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """Initial weights of a run, as they are stored with the run.

    Attributes
    ----------
    kind : {"imagenet", "none", "file"}
        ``imagenet``: torchvision's weights. ``file``: a file of the user. ``none``: random weights.
    name : str
        Name of the file without its folder; empty for random weights.
    sha256 : str
        SHA-256 of the file, 64 hexadecimal digits; empty for random weights.
    """

    kind: str
    name: str = ""
    sha256: str = ""

    @property
    def label(self) -> str:
        """Description for users: "random weights", "ImageNet weights", or "weights from" and the name of the file."""
        if self.kind == NONE:
            return "random weights"
        return "ImageNet weights" if self.kind == IMAGENET else f"weights from {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON values."""
        return asdict(self)


def weights_folder() -> Path:
    """Return the folder of downloaded weights.

    Returns
    -------
    Path
        ``<home>/weights``. It may not exist. Files that a user copies there under torchvision's name are used too.
    """
    return home() / "weights"


def local_weights(names: Sequence[str]) -> Path | None:
    """Find a file in the folder of weights, without downloading anything.

    Parameters
    ----------
    names : sequence of str
        Names of files without folder, the preferred one first.

    Returns
    -------
    Path or None
        The first of these files that exists in `weights_folder`; None if there is none. Its content is not checked.
    """
    return next((path for name in names if (path := weights_folder() / name).is_file()), None)


def check_imagenet_weights(key: str) -> None:
    """Check that torchvision provides ImageNet weights for a network.

    Parameters
    ----------
    key : str
        Name of the architecture.

    Raises
    ------
    WeightsError
        torchvision provides no ImageNet weights for this network.
    TrainingError
        No architecture has this name.
    """
    if not architecture(key).has_imagenet_weights:
        raise WeightsError(
            f"There are no ImageNet weights for {architecture(key).label} to download.",
            "",
            "Give a file of weights, or begin with random weights.",
        )


def verify_weights(path: Path) -> str:
    """Verify a weights file and return its SHA-256.

    Parameters
    ----------
    path : Path
        The SHA-256 is compared with the beginning that the name of the file contains, such as ``f37072fd`` in
        ``resnet18-f37072fd.pth``. A name without it is accepted.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    Raises
    ------
    WeightsError
        The file is missing, is a Git LFS pointer, or its SHA-256 does not begin as its name says.
    StorageError
        This user may not read the file.
    """
    try:
        with storage_errors(path):
            found = path.is_file()
    except OSError:  # the path is too long for the file system
        found = False
    if not found:
        raise WeightsError(
            f"There is no weights file at {path}.",
            "A .pth, .pt or .safetensors file is expected.",
            "Check the path.",
        )
    with storage_errors(path), path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if start == _LFS_POINTER:
        raise WeightsError(
            f"{path.name} is not a weights file but a Git LFS pointer of {path.stat().st_size} bytes.",
            "A weights file has many megabytes.",
            "Fetch it with `git lfs pull`, or download the file itself.",
        )
    expected = HASH_IN_NAME.search(path.name)
    if expected and not sha256.startswith(expected[1]):
        raise WeightsError(
            f"{path.name} is damaged or truncated: it has {path.stat().st_size:,} bytes and SHA-256 {sha256[:12]}….",
            f"According to its name, its SHA-256 begins with {expected[1]}.",
            "Download it again.",
        )
    return sha256
