"""Work that goes on beside the pages: measuring a dataset's images, preparing them; what is asked for of a run."""

from pathlib import Path

import streamlit as st

from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.survey.survey import Survey
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Recipe
from cfu_core.job import Job, State
from cfu_core.jobs.launch import submit
from cfu_core.jobs.queue import LANES, all_jobs
from pages.components import job_progress


def latest(kind: str, dataset: str) -> Job | None:
    """The newest job of a kind on a dataset."""
    found = [job for job in all_jobs() if job.kind == kind and job.spec["dataset"] == dataset]
    return found[-1] if found else None


def survey_progress(data: Dataset, survey: Survey) -> None:
    """See to it that the images get measured, and show how far it is. Nothing polls once it is done."""
    if survey.complete:
        return
    job = latest("survey", data.id)
    asked = st.session_state.setdefault("surveys_asked", set())
    # a killed one goes on, and one that ended before there was more to do; but never again and again
    if job is None or (job.status().state in (State.FINISHED, State.INTERRUPTED) and data.id not in asked):
        asked.add(data.id)
        job = submit("survey", {"dataset": data.id})
    status = job.status()
    if not status.state.ended:
        poll(str(job.folder), "Measuring the images once, in the background. You can go on meanwhile.")
        return
    with st.container(border=True):
        st.write(f"{survey.done} of {survey.total} images are measured. {status.message}")
        if st.button("Go on measuring", icon=":material/play_arrow:", key="survey_again"):
            submit("survey", {"dataset": data.id})
            st.rerun()


def prepare_for_all(data: Dataset, recipe: Recipe) -> None:
    """A button that makes the cache of prepared images for a whole dataset, with its progress and what it cost."""
    job = latest("prepare", data.id)
    if job and not job.status().state.ended:
        poll(str(job.folder), f"Preparing {len(data.images)} images: {Recipe.from_dict(job.spec['recipe']).summary}")
        return
    if st.button("Apply to all images", icon=":material/dynamic_feed:", key="prepare_go"):
        submit("prepare", {"dataset": data.id, "recipe": recipe.to_dict()})
        st.rerun()
    if not job:
        st.caption("Makes the images of the whole dataset now, so that training need not. It can be stopped.")
        return
    status = job.status()
    words = Recipe.from_dict(job.spec["recipe"]).summary
    if status.state is State.FINISHED:
        cost = status.details
        there = cost["reused"] == cost["images"]
        how = "was there already" if there else f"took {job_progress.duration(cost['seconds'])}"
        st.success(
            f"{words}: {cost['images']} images, {cost['bytes'] / 1e6:,.0f} MB on disk; it {how}.",
            icon=":material/check_circle:",
        )
    else:
        st.warning(f"{words}: {status.message} Apply again to go on.", icon=":material/warning:")


def ask_for(kind: str, run: str, *, label: str, icon: str, doing: str, help: str) -> None:
    """A button that asks for a job on a run; then its progress until it has ended, or why it failed.

    Parameters
    ----------
    kind : str
        Of the job.
    run : str
        Its identifier.
    label, icon, help : str
        Of the button.
    doing : str
        What is told while it is being done.
    """
    asked = [job for job in all_jobs() if job.kind == kind and job.spec["run"] == run]
    status = asked[-1].status() if asked else None
    if status and not status.state.ended:
        poll(str(asked[-1].folder), doing)
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
    """A job's progress and a button that stops it, until it has ended; then the page is drawn again."""
    job = Job(Path(folder))
    job_progress.active(LANES[job.kind])  # sees to it that a worker lives
    status = job.status()
    if status.state.ended:
        st.rerun()
    with st.container(border=True):
        st.caption(what)
        with st.container(horizontal=True, vertical_alignment="center"):
            job_progress.progress(status)
            if st.button("Stop", key=f"stop-{job.id}", icon=":material/stop:"):
                job.request_stop()
