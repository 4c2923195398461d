"""Tell whether a process that wrote something down is still alive."""

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
        In seconds since the computer started, so that setting the wall clock changes nothing; in seconds since 1970
        where the system does not tell the former.

    Raises
    ------
    psutil.NoSuchProcess
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return psutil.Process(pid).create_time()


def process_alive(pid: int, started: float) -> bool:
    """Return whether the process with this number is the one that started then, and is no zombie.

    Parameters
    ----------
    pid : int
    started : float
        From `process_started`. Another process may have been given the same number since.
    """
    try:
        same = abs(process_started(pid) - started) < 1
        return same and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
