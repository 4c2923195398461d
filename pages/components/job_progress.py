"""State and progress of background jobs, read from files, so that all browser tabs show the same."""

from pathlib import Path

import streamlit as st

from cfu_core.job import Job, State, Status
from cfu_core.jobs import queue
from cfu_core.jobs.launch import ensure_worker

ICONS = {
    State.QUEUED: ("blue", ":material/schedule:"),
    State.RUNNING: ("green", ":material/play_circle:"),
    State.PAUSED: ("blue", ":material/pause_circle:"),
    State.FINISHED: ("gray", ":material/check_circle:"),
    State.STOPPED: ("orange", ":material/stop_circle:"),
    State.FAILED: ("red", ":material/error:"),
    State.INTERRUPTED: ("red", ":material/power_off:"),
}
LOG_TAIL = 4000  # characters


def active(lane: str) -> list[Job]:
    """Return the running and waiting jobs of a lane in order, and start a worker if there are jobs but no worker."""
    found = queue.active(lane)
    if found:
        ensure_worker(lane)
    return found


def state_badge(status: Status) -> None:
    """Show the state of a job as a badge."""
    color, icon = ICONS[status.state]
    st.badge(_state_name(status), color=color, icon=icon)  # type: ignore[arg-type]


def _state_name(status: Status) -> str:
    """Return the name of the state; a run before its first epoch is preparing."""
    if status.state is not State.RUNNING:
        return status.state.value
    return status.phase.lower() if status.phase in ("Training", "Testing") else "preparing"


def progress(status: Status) -> None:
    """Show a progress bar with a description."""
    st.progress(min(1.0, max(0.0, status.fraction)), text=describe(status))


def describe(status: Status) -> str:
    """Return one line about the progress of a job."""
    details = status.details
    if status.state is State.QUEUED:
        return "Waiting for its turn"
    if "epoch" in details and status.state is not State.RUNNING:
        return f"Epoch {details['epoch']} of {details['epochs']} · batch {details['batch']} of {details['batches']}"
    if "epoch" in details:
        parts = [
            f"Epoch {details['epoch']} of {details['epochs']}",
            f"batch {details['batch']} of {details['batches']}",
        ]
        parts.append(f"{details['images_per_second']:.0f} images/s")
        if details.get("seconds_left") is not None:
            parts.append(f"about {duration(details['seconds_left'])} left")
        if details.get("learning_rate"):
            parts.append(f"learning rate {details['learning_rate']:.2g}")
        if details.get("memory_bytes"):
            parts.append(f"{details['memory_bytes'] / 1e9:.1f} GB of memory")
        return " · ".join(parts)
    if "total" in details:
        return f"{status.phase} · {details['done']} of {details['total']}"
    return f"{status.phase}…"


def duration(seconds: float) -> str:
    """Return a duration in words: ``2 min 05 s``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rough_duration(seconds: float) -> str:
    """Return an estimated duration in words, rounded to its precision."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def log_tail(path: Path) -> str:
    """Return the end of a log file; empty if there is none."""
    return path.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if path.exists() else ""
