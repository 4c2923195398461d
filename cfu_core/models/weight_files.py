"""Files of weights, before anything is loaded from them: where they lie, and whether they are what they seem.

A file whose name ends as torchvision names its files (``resnet18-5c106cde.pth``) must have the hash that its name
promises. A date at that place (``colonies-20260131.pth``) promises nothing.
"""

import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cfu_core.errors import WeightsError
from cfu_core.models.registry import architecture
from cfu_core.storage import home, storage_errors

IMAGENET = "imagenet"
NONE = "none"
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
PROMISED_HASH = re.compile(rf"-(?!{_DATE}\.)([0-9a-f]{{8,}})\.")
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """Which weights a run began with; kept with the run and shown wherever it is.

    Parameters
    ----------
    kind : str
        ``imagenet``, ``none`` (random) or ``file``.
    name : str
        The file's name; empty for random weights.
    sha256 : str
        Of the file; empty for random weights.
    """

    kind: str
    name: str = ""
    sha256: str = ""

    @property
    def label(self) -> str:
        """In words, for people."""
        if self.kind == NONE:
            return "random weights"
        return "ImageNet weights" if self.kind == IMAGENET else f"weights from {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)


def weights_folder() -> Path:
    """Where downloaded weights are kept; a file put here by hand under torchvision's name is used as well."""
    return home() / "weights"


def check_offered(key: str) -> None:
    """Refuse ImageNet weights for a network that torchvision has none for.

    Raises
    ------
    WeightsError
    """
    if not architecture(key).imagenet:
        raise WeightsError(
            f"There are no ImageNet weights for {architecture(key).label} to download.",
            "",
            "Name a file of weights, or begin with random weights (none).",
        )


def check_file(path: Path) -> str:
    """The SHA-256 of a weights file, once it is seen to be no pointer and to keep what its name promises.

    Raises
    ------
    WeightsError
        The file is missing, a Git LFS pointer, or has another hash than its name says.
    """
    if not path.is_file():
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
            "The real file has many megabytes.",
            "Fetch it with `git lfs pull`, or download the file itself.",
        )
    promised = PROMISED_HASH.search(path.name)
    if promised and not sha256.startswith(promised[1]):
        raise WeightsError(
            f"{path.name} is damaged or truncated: it has {path.stat().st_size:,} bytes and SHA-256 {sha256[:12]}….",
            f"Its name promises a SHA-256 that begins with {promised[1]}.",
            "Download it again.",
        )
    return sha256
