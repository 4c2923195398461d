"""What a run was computed with: versions of this program, of Python and of libraries."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from cfu_core import PROJECT, __version__

PACKAGES = ("torch", "torchvision", "opencv-python-headless", "numpy", "scikit-learn")


def environment() -> dict[str, str]:
    """Return the versions that decide whether a run can be repeated.

    Returns
    -------
    dict of str
        ``commit`` is empty where the program does not lie in a git checkout.
    """
    return {
        "cfu_core": __version__,
        "commit": _commit(PROJECT),
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in PACKAGES},
    }


def _commit(checkout: Path) -> str:
    """Return the commit of a git checkout, with ``-dirty`` where files differ from it."""
    if not (checkout / ".git").exists():
        return ""  # not the commit of some folder around it
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
