"""Training runs as pages show them: their progress, and how they are called."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.jobs.job import Job, State
from cfu_core.runs.store import Run, delete_run, list_runs
from pages.components import charts, jobs
from pages.components.state import DRAWN


def of_dataset(dataset_id: str) -> list[Run]:
    """Runs on one dataset, newest first."""
    return [run for run in list_runs() if run.spec["dataset"]["id"] == dataset_id]


def label(run: Run) -> str:
    """Name, dataset and time of a run, for a select box."""
    created = datetime.fromisoformat(run.spec["created"]).astimezone()
    return f"{run.name} · {run.spec['dataset']['name']} · {created:%Y-%m-%d %H:%M:%S}"


def live(queue: Sequence[Job]) -> None:
    """The run that trains, with its curves, and those that wait. Read from files: every tab sees the same."""
    for job in queue:
        run, status = Run(job.folder), job.status()
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{run.name}**", width="stretch")
                jobs.state_badge(status.state)
                waiting = status.state is State.QUEUED
                text, icon = ("Remove", ":material/close:") if waiting else ("Stop", ":material/stop:")
                asked = job.stop_requested()
                st.button(
                    "Stopping…" if asked else text,
                    icon=icon,
                    key=f"stop-{run.id}",
                    disabled=asked,
                    on_click=job.request_stop,
                )
            drawn = f" ({DRAWN})" if run.spec["dataset"]["drawn"] else ""
            st.caption(f"{run.spec['dataset']['name']}{drawn} · {run.recipe.summary}")
            if not waiting:
                jobs.progress(status)
                curves(run, key=f"live-{run.id}", at_once=True)


def curves(run: Run, *, key: str, title: str = "", at_once: bool = False) -> None:
    """The learning curves, from the first epoch on, or `at_once` from the first step."""
    history, batches = run.metrics()
    if history or (at_once and batches):
        if title:
            st.subheader(title, anchor=False)
        charts.curves(history, batches, run.config["epochs"], key=key)


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
    elif status.state is not State.FINISHED:
        st.error(status.message, icon=":material/error:")
        log = jobs.log_tail(Job(run.folder).log)
        if log:
            with st.expander("Log", icon=":material/description:"):
                st.code(log, language=None)


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
    """Name it, delete it."""
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
    """A finished run in a few lines, with its curves and the way to its results."""
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
