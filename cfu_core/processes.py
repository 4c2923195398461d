"""Find out whether a process is still alive, by its number and its start time."""

import os
from pathlib import Path

import psutil


def process_started(pid: int) -> float:
    """Return when a process started.

    Parameters
    ----------
    pid : int

    Returns
    -------
    float
        In seconds since the computer started, which does not depend on the wall clock; in seconds since 1970 on
        systems without ``/proc``.

    Raises
    ------
    psutil.NoSuchProcess
        There is no process with this number.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return psutil.Process(pid).create_time()


def process_alive(pid: int, started: float) -> bool:
    """Return whether a process is alive and is not a zombie.

    Parameters
    ----------
    pid : int
    started : float
        From `process_started`. It distinguishes the process from a later one with the same number.
    """
    try:
        same = abs(process_started(pid) - started) < 1
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
