"""Training runs on pages: labels, notices, and the buttons that resume, repeat, rename and delete them."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

import streamlit as st

from cfu_core.job import State
from cfu_core.jobs.launch import resume, run_again
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import delete_run, list_runs
from cfu_core.wording import plural
from pages.components import job_progress, learning_curves
from pages.components.page_layout import escaped, succeeded


def runs_on_dataset(dataset_id: str) -> list[Run]:
    """Return the runs on one dataset, newest first."""
    return [run for run in list_runs() if run.plan.dataset.id == dataset_id]


def labels(shown: Sequence[Run]) -> dict[str, str]:
    """Return a unique label of each run for a select box: name, time, and the dataset if there are several."""
    texts = {}
    several = len({run.plan.dataset.id for run in shown}) > 1
    for run in shown:
        created = run.created.astimezone()
        dataset = f" · {run.plan.dataset.name}" if several else ""
        texts[run.id] = f"{run.name}{dataset} · {created:%Y-%m-%d %H:%M}"
    frequency = Counter(texts.values())
    return {key: text if frequency[text] == 1 else f"{text} · {key[-4:]}" for key, text in texts.items()}


def show_log(run: Run) -> None:
    """Show the end of the log of a run."""
    log = job_progress.log_tail(run.log)
    if log:
        with st.expander("Log", icon=":material/description:"):
            st.code(log, language=None)


def resume_button(run: Run) -> None:
    """Show a button that continues a run from its last checkpoint."""
    pressed = st.button(
        "Resume", icon=":material/play_arrow:", key=f"resume-{run.id}", help="Continues from the last checkpoint."
    )
    if pressed and succeeded(resume, run):
        st.rerun()


def computation_details(run: Run) -> None:
    """Show device, speed, memory and duration of a run, and the problems it recovered from."""
    timing = run.timing()
    if not timing:
        return
    parts = [timing.get("arithmetic") or timing.get("device")]
    epochs = learning_curves.metrics_reader(str(run.folder)).read().epochs
    if epochs:
        parts.append(f"{median(epoch['images_per_second'] for epoch in epochs):.0f} images/s")
        memory = max(epoch.get("memory_bytes", 0) for epoch in epochs)
        parts.append(f"{memory / 1e9:.1f} GB of memory" if memory else None)
    parts.append(job_progress.duration(timing["seconds"]["total"]))
    if timing.get("sittings", 1) > 1:
        parts.append(f"in {timing['sittings']} sessions")
    st.caption(":material/memory: " + " · ".join(part for part in parts if part))
    for remark in timing.get("remarks", []):
        st.caption(f":material/warning: {remark}")


def ended_notice(run: Run) -> None:
    """Show why a run has no results."""
    status = run.status()
    if status.state in (State.QUEUED, State.RUNNING):
        st.info(
            f"This run is {status.state}. Its results appear here when it has finished.", icon=":material/schedule:"
        )
        st.page_link("pages/model/train.py", label="Watch it on the Train page", icon=":material/model_training:")
    elif status.state is State.STOPPED:
        st.warning(f"{status.message} The test images were not used.", icon=":material/stop_circle:")
    elif status.state is State.PAUSED:
        st.info(f"{status.message} The test images were not used.", icon=":material/pause_circle:")
    elif status.state is not State.FINISHED:
        st.error(status.message, icon=":material/error:")
        show_log(run)
    if status.state.resumable:
        resume_button(run)


@st.dialog("Delete this run?")
def confirm_delete(run: Run) -> None:
    """Ask whether to delete a run."""
    st.write(f"**{escaped(run.name)}**, its weights and its results will be deleted. This cannot be undone.")
    if st.button("Delete", type="primary", icon=":material/delete:") and succeeded(delete_run, run):
        st.rerun()


def run_actions(run: Run) -> None:
    """Show the buttons that repeat, rename and delete a run."""
    again = st.button("Run again", icon=":material/replay:", help="Starts a new run with the same settings and images.")
    if again and succeeded(run_again, run):
        st.switch_page("pages/model/train.py")
    with st.popover("Rename", icon=":material/edit:"):
        name = st.text_input("Name", run.name, key=f"name-{run.id}")
        if st.button("Save", key="save_name") and succeeded(run.rename, name):
            st.rerun()
    active = not run.status().state.ended
    if st.button("Delete", icon=":material/delete:", disabled=active, help="Stop the run first." if active else None):
        confirm_delete(run)


def show_summary(run: Run) -> None:
    """Show the accuracy and learning curves of a run that has ended, and a link to its results."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"Latest run: **{escaped(run.name)}**", width="stretch")
        job_progress.state_badge(run.status())
    ended_notice(run)
    evaluation = run.evaluation()
    if evaluation:
        correct = f"{evaluation.correct} of {plural(evaluation.n_images, 'image')}"
        st.metric("Accuracy on the test images", f"{evaluation.accuracy:.1%}", help=correct)
    learning_curves.curves_of(run, key=f"summary-{run.id}")
    if evaluation:
        st.page_link(
            "pages/model/results.py",
            label="See the results",
            icon=":material/monitoring:",
            query_params={"run": run.id},
        )
