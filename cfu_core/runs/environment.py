"""Versions of the software with which a run is computed: this program, Python and libraries."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from cfu_core import PROJECT, __version__

PACKAGES = ("torch", "torchvision", "opencv-python-headless", "numpy", "scikit-learn")


def environment() -> dict[str, str]:
    """Return the versions of the software on which the result of a run depends.

    Returns
    -------
    dict of str to str
        Version by name: ``cfu_core``, ``commit``, ``python``, ``platform`` and the libraries in `PACKAGES`. ``commit``
        is the full hash, followed by ``-dirty`` if tracked files differ from the commit; empty if the program is not in
        a git checkout, or if git is not installed or fails.
    """
    return {
        "cfu_core": __version__,
        "commit": _commit(PROJECT),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in PACKAGES},
    }


def _commit(checkout: Path) -> str:
    """Return the commit of a git checkout, with ``-dirty`` if files differ from it."""
    if not (checkout / ".git").exists():
        return ""  # a folder above may be another project's checkout
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
