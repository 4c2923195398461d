"""Buttons that start jobs in the background, with their progress: survey, prepared images, jobs on a run."""

from pathlib import Path

import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.survey.survey import Survey
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from cfu_core.jobs.queue import LANES, all_jobs
from cfu_core.wording import plural
from pages.components import job_progress


def latest(kind: str, dataset: str) -> Job | None:
    """Return the newest job of a kind on a dataset, or None."""
    found = [job for job in all_jobs() if job.kind == kind and job.spec["dataset"] == dataset]
    return found[-1] if found else None


def survey_progress(data: Dataset, survey: Survey) -> None:
    """Start the survey of a dataset if it is incomplete, and show its progress."""
    if survey.complete:
        return
    job = latest("survey", data.id)
    submitted = st.session_state.setdefault("surveys_asked", set())
    # An interrupted survey is resumed, and a finished one is started again if another range or picture of a file was
    # chosen; but only once in a session for each state of the dataset.
    asked = (data.id, data.digest)
    if job is None or (job.status().state in (State.FINISHED, State.INTERRUPTED) and asked not in submitted):
        submitted.add(asked)
        job = submit("survey", {"dataset": data.id})
    status = job.status()
    if not status.state.ended:
        poll(str(job.folder), "Measuring the images in the background, each once. You can keep working.")
        return
    with st.container(border=True):
        st.write(f"{survey.done} of {plural(survey.total, 'image is', 'images are')} measured. {status.message}")
        if st.button("Continue measuring", icon=":material/play_arrow:", key="survey_again"):
            submit("survey", {"dataset": data.id})
            st.rerun()


def prepare_for_all(data: Dataset, recipe: Recipe) -> None:
    """Show a button that prepares all images of a dataset in the background, its progress, and time and size."""
    job = latest("prepare", data.id)
    if job and not job.status().state.ended:
        poll(
            str(job.folder),
            f"Preparing {plural(len(data.images), 'image')}: {Recipe.from_dict(job.spec['recipe']).summary}",
        )
        return
    if st.button("Apply to all images", icon=":material/dynamic_feed:", key="prepare_go"):
        submit("prepare", {"dataset": data.id, "recipe": recipe.to_dict()})
        st.rerun()
    if not job:
        st.caption("Prepares all images of the dataset now, so that training need not wait for it. You can stop it.")
        return
    status = job.status()
    summary = Recipe.from_dict(job.spec["recipe"]).summary
    if status.state is State.FINISHED:
        cost = status.details
        reused = cost["reused"] == cost["images"]
        how = "already prepared" if reused else f"prepared in {job_progress.duration(cost['seconds'])}"
        st.success(
            f"{summary}: {plural(cost['images'], 'image')}, {cost['bytes'] / 1e6:,.0f} MB on disk, {how}.",
            icon=":material/check_circle:",
        )
    else:
        st.warning(f"{summary}: {status.message} Apply again to continue.", icon=":material/warning:")


def job_button(kind: str, run: str, *, label: str, icon: str, doing: str, help: str) -> None:
    """Show a button that submits a job on a run, its progress, and the error if it failed.

    Parameters
    ----------
    kind : str
        Kind of the job; also the key of the button.
    run : str
        Identifier of the run.
    label, icon, help : str
        For the button.
    doing : str
        Text shown while the job is running.
    """
    jobs = [job for job in all_jobs() if job.kind == kind and job.spec["run"] == run]
    status = jobs[-1].status() if jobs else None
    if status and not status.state.ended:
        poll(str(jobs[-1].folder), doing)
        return
    if status and status.state in (State.FAILED, State.INTERRUPTED):
        st.error(status.message, icon=":material/error:")
    if st.button(label, icon=icon, key=kind, help=help):
        try:
            submit(kind, {"run": run})
        except CfuError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.rerun()


@st.fragment(run_every=0.7)
def poll(folder: str, what: str) -> None:
    """Show the progress of a job and a button that stops it; rerun the page when it has ended."""
    job = Job(Path(folder))
    job_progress.active(LANES[job.kind])  # starts a worker if none is running
    status = job.status()
    if status.state.ended:
        st.rerun()
    with st.container(border=True):
        st.caption(what)
        with st.container(horizontal=True, vertical_alignment="center"):
            job_progress.progress(status)
            if st.button("Stop", key=f"stop-{job.id}", icon=":material/stop:"):
                job.request_stop()
