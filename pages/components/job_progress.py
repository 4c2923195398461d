"""Work in the background, seen from a page: progress that any tab shows alike, read from files."""

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
    """Jobs of a lane that run or wait, in order; a worker is started where some wait and none lives."""
    found = queue.active(lane)
    if found:
        ensure_worker(lane)
    return found


def state_badge(status: Status) -> None:
    """The state in words and colour."""
    color, icon = ICONS[status.state]
    st.badge(_word(status), color=color, icon=icon)  # type: ignore[arg-type]


def _word(status: Status) -> str:
    """What a running job is at: until its first epoch it is preparing."""
    if status.state is not State.RUNNING:
        return status.state.value
    return status.phase.lower() if status.phase in ("Training", "Testing") else "preparing"


def progress(status: Status) -> None:
    """A bar with what is going on."""
    st.progress(min(1.0, max(0.0, status.fraction)), text=describe(status))


def describe(status: Status) -> str:
    """What is going on, in one line."""
    d = status.details
    if status.state is State.QUEUED:
        return "Waiting for its turn"
    if "epoch" in d and status.state is not State.RUNNING:
        return f"Epoch {d['epoch']} of {d['epochs']} · batch {d['batch']} of {d['batches']}"
    if "epoch" in d:
        parts = [f"Epoch {d['epoch']} of {d['epochs']}", f"batch {d['batch']} of {d['batches']}"]
        parts.append(f"{d['images_per_second']:.0f} images/s")
        if d.get("seconds_left") is not None:
            parts.append(f"about {duration(d['seconds_left'])} left")
        if d.get("learning_rate"):
            parts.append(f"learning rate {d['learning_rate']:.2g}")
        if d.get("memory_bytes"):
            parts.append(f"{d['memory_bytes'] / 1e9:.1f} GB of memory")
        return " · ".join(parts)
    if "total" in d:
        return f"{status.phase} · {d['done']} of {d['total']}"
    return f"{status.phase}…"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def rough_duration(seconds: float) -> str:
    """Return an estimated time in words, no more exact than it is."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def log_tail(path: Path) -> str:
    """The end of a log file."""
    return path.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if path.exists() else ""
