"""Check whether a process is still alive, by its number and its start time."""

import os
from pathlib import Path

import psutil


def process_started(pid: int) -> float:
    """Return when a process started.

    Parameters
    ----------
    pid : int
        Number of the process.

    Returns
    -------
    float
        Start time in seconds since the computer started, which does not depend on the wall clock. On systems without
        ``/proc``, in seconds since 1970. Only for comparison with a later value on the same computer.

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
        Number of the process.
    started : float
        Start time of the process, from `process_started`. A process with the same number whose start time differs by a
        second or more is a later one, so that the process in question has ended.
    """
    try:
        same = abs(process_started(pid) - started) < 1
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
