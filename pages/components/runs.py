"""Training runs as pages show them: their progress, and how they are called."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.jobs.job import Job, State
from cfu_core.jobs.launch import resume, run_again
from cfu_core.jobs.worker import move
from cfu_core.runs.short_names import names_among
from cfu_core.runs.store import METRICS, Run, delete_run, list_runs
from cfu_core.runs.training_log import MetricsReader
from cfu_core.storage import read_json
from pages.components import charts, job_progress
from pages.components.state import DRAWN


def of_dataset(dataset_id: str) -> list[Run]:
    """Runs on one dataset, newest first."""
    return [run for run in list_runs() if run.spec["dataset"]["id"] == dataset_id]


def labels(shown: Sequence[Run]) -> dict[str, str]:
    """Name, dataset and time of each run, for a select box; no two alike."""
    texts = {}
    for run in shown:
        created = datetime.fromisoformat(run.spec["created"]).astimezone()
        texts[run.id] = f"{run.name} · {run.spec['dataset']['name']} · {created:%Y-%m-%d %H:%M:%S}"
    often = Counter(texts.values())
    return {key: text if often[text] == 1 else f"{text} · {key[-4:]}" for key, text in texts.items()}


def live(queue: Sequence[Job]) -> None:
    """The run that trains, with its curves, and those that wait, in order. Read from files: every tab sees the same."""
    waiting = [job for job in queue if job.status().state is State.QUEUED]
    for job in queue:
        run, status = Run(job.folder), job.status()
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{run.name}**", width="stretch")
                job_progress.state_badge(status)
            drawn = f" ({DRAWN})" if run.spec["dataset"]["drawn"] else ""
            st.caption(f"{run.spec['dataset']['name']}{drawn} · {run.recipe.summary}")
            shown = st.container()  # filled last: the buttons stay in their place when curves appear
            with st.container(horizontal=True, vertical_alignment="center"):
                _steering(job, status.state)
                if job in waiting and len(waiting) > 1:
                    _place(job, waiting.index(job) + 1, len(waiting))
            if status.state is not State.QUEUED:
                with shown:
                    job_progress.progress(status)
                    curves(run, key=f"live-{run.id}", at_once=True)


def _place(job: Job, place: int, of: int) -> None:
    """Where it stands among those that wait, and the way to the front or back."""
    for word, places, possible in (("up", -1, place > 1), ("down", 1, place < of)):
        st.button(
            "",
            icon=f":material/arrow_{word}ward:",
            # with the place: a click that is handled twice still says the same
            key=f"{word}-{job.id}-{place}",
            help=f"Move {word} in the queue",
            disabled=not possible,
            on_click=move,
            args=(job, place - 1 + places),
        )
    st.caption(f"{place} of {of} in the queue", width="content")


def _steering(job: Job, state: State) -> None:
    """Pause and stop for what trains; put aside and remove for what waits."""
    waits = state is State.QUEUED
    pausing, stopping = job.pause_requested(), job.stop_requested()
    st.button(
        "Pausing…" if pausing else ("Put aside" if waits else "Pause"),
        icon=":material/pause:",
        key=f"pause-{job.id}",
        disabled=pausing or stopping,
        on_click=job.request_pause,
        help="It can be resumed where it was.",
    )
    st.button(
        "Stopping…" if stopping else ("Remove" if waits else "Stop"),
        icon=":material/close:" if waits else ":material/stop:",
        key=f"stop-{job.id}",
        disabled=stopping,
        on_click=job.request_stop,
    )


def put_down(runs: Sequence[Run]) -> None:
    """Those of some runs that were paused, or ended by an accident: why, and a button that resumes each."""
    for run in runs:
        job = Job(run.folder)
        status = job.status()
        if status.state not in (State.PAUSED, State.INTERRUPTED, State.FAILED):
            continue
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{run.name}**", width="stretch")
                job_progress.state_badge(status)
                resume_button(job)
            st.caption(status.message)
            if status.details:
                job_progress.progress(status)
            if status.state is not State.PAUSED:
                _log(job)


def _log(job: Job) -> None:
    log = job_progress.log_tail(job.log)
    if log:
        with st.expander("Log", icon=":material/description:"):
            st.code(log, language=None)


def resume_button(job: Job) -> None:
    """Go on from the last checkpoint."""
    if st.button("Resume", icon=":material/play_arrow:", key=f"resume-{job.id}", help="Goes on where it was put down."):
        try:
            resume(job)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()


def curves(run: Run, *, key: str, at_once: bool = False) -> None:
    """The learning curves, from the first epoch on, or `at_once` from the first step."""
    history, batches = _reader(str(run.folder)).read()
    if history or (at_once and batches):
        charts.curves(history, batches, run.config["epochs"], key=key)


@st.cache_resource(show_spinner=False, max_entries=64)
def _reader(folder: str) -> MetricsReader:
    """Every visitor's look at a run reads on where the last one ended."""
    return MetricsReader(Path(folder) / METRICS)


def overlay(chosen: Sequence[Run]) -> None:
    """Several runs' validation curves in one figure each; a probe has none."""
    opened = st.expander(
        "Learning curves, one over the other", icon=":material/stacked_line_chart:", key="overlay", on_change="rerun"
    )
    if not opened.open:
        return
    names = names_among(chosen)
    found = {names[run.id]: _reader(str(run.folder)).read().epochs for run in chosen}
    histories = {name: epochs for name, epochs in found.items() if epochs}
    with opened:
        if len(histories) < 2:
            st.caption("Only networks that were fine-tuned have learning curves; fewer than two of these runs were.")
            return
        place = st.grid(2, min_column_width=380)
        for what in ("accuracy", "loss"):
            with place.cell():
                alt = f"Validation {what} of {len(histories)} runs"
                charts.show(charts.overlaid(histories, what), key=f"overlay-{what}", alt=alt, height=420)


def probe_figure(run: Run) -> None:
    """How a probe's penalty was chosen."""
    path = run.folder / "probe.json"
    if path.exists():
        found = read_json(path)
        figure = charts.probe_trials(found["trials"], found["strength"])
        charts.show(figure, key="probe", alt="Accuracy of the probe by the strength of its penalty")


def how_it_was_computed(run: Run) -> None:
    """On what, in which way, for how long; and accidents that it went on from."""
    timing = run.timing()
    if not timing:
        return
    parts = [timing.get("arithmetic") or timing.get("device")]
    epochs = _reader(str(run.folder)).read().epochs
    if epochs:
        parts.append(f"{median(epoch['images_per_second'] for epoch in epochs):.0f} images/s")
        memory = max(epoch.get("memory_bytes", 0) for epoch in epochs)
        parts.append(f"{memory / 1e9:.1f} GB of memory" if memory else None)
    parts.append(job_progress.duration(timing["seconds"]["total"]))
    if timing.get("sittings", 1) > 1:
        parts.append(f"in {timing['sittings']} sittings")
    st.caption(":material/memory: " + " · ".join(part for part in parts if part))
    for remark in timing.get("remarks", []):
        st.caption(f":material/warning: {remark}")


def ended_notice(run: Run) -> None:
    """Why a run has no results."""
    status = Job(run.folder).status()
    if status.state in (State.QUEUED, State.RUNNING):
        st.info(
            f"This run is {status.state}. Its results appear here when it has finished.", icon=":material/schedule:"
        )
        st.page_link("pages/model/train.py", label="Watch it on the Train page", icon=":material/model_training:")
    elif status.state is State.STOPPED:
        st.warning(f"{status.message} The test images were not looked at.", icon=":material/stop_circle:")
    elif status.state is State.PAUSED:
        st.info(f"{status.message} The test images were not looked at.", icon=":material/pause_circle:")
    elif status.state is not State.FINISHED:
        st.error(status.message, icon=":material/error:")
        _log(Job(run.folder))
    if status.state.resumable:
        resume_button(Job(run.folder))


@st.dialog("Delete this run?")
def confirm_delete(run: Run) -> None:
    st.write(f"**{run.name}**, its weights and its results will be removed. This cannot be undone.")
    if st.button("Delete", type="primary", icon=":material/delete:"):
        try:
            delete_run(run)
        except CfuError as error:
            st.error(str(error))
            return
        st.rerun()


def manage(run: Run) -> None:
    """Run it again, name it, delete it."""
    if st.button("Run again", icon=":material/replay:", help="The same settings, seed and images, as a new run."):
        try:
            run_again(run)
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.switch_page("pages/model/train.py")
    with st.popover("Rename", icon=":material/edit:"):
        name = st.text_input("Name", run.name, key=f"name-{run.id}")
        if st.button("Save", key="save_name"):
            try:
                run.rename(name)
            except CfuError as error:
                st.error(str(error), icon=":material/error:")
            else:
                st.rerun()
    active = not Job(run.folder).status().state.ended
    if st.button("Delete", icon=":material/delete:", disabled=active, help="Stop it first." if active else None):
        confirm_delete(run)


def summary(run: Run) -> None:
    """A run that has ended in a few lines, with its curves and the way to its results."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Latest run: **{run.name}**", width="stretch")
        job_progress.state_badge(Job(run.folder).status())
    ended_notice(run)
    evaluation = run.evaluation()
    if evaluation:
        of = f"{evaluation.correct} of {evaluation.images} images"
        st.metric("Accuracy on the test images", f"{evaluation.accuracy:.1%}", help=of)
    curves(run, key=f"summary-{run.id}")
    if evaluation:
        st.page_link(
            "pages/model/results.py",
            label="See the results",
            icon=":material/monitoring:",
            query_params={"run": run.id},
        )
