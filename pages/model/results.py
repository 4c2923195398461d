"""Tables 1 to 4, and one run in depth: confusion matrix, classes, curves."""

import streamlit as st

from cfu_core.jobs.job import Job
from cfu_core.runs.store import Run, list_runs
from pages.components import jobs, runs
from pages.components.downloads import with_download
from pages.components.evaluation import class_figures, confusion_matrix
from pages.components.state import DRAWN, chosen_dataset, header, in_url, url_choice
from pages.components.tables import show_tables


def show_run(run: Run) -> None:
    """One run in depth."""
    evaluation = run.evaluation()
    with st.container(horizontal=True, vertical_alignment="center"):
        jobs.state_badge(Job(run.folder).status())
        st.badge(f"began with {run.spec['weights_label']}", icon=":material/flag:", color="blue")
        st.badge(run.spec["dataset"]["name"], icon=":material/database:", color="gray")
        if run.spec["dataset"]["drawn"]:
            st.badge(DRAWN, icon=":material/draw:", color="orange")
        length = "the last layer alone" if run.mode == "probe" else f"{run.config['epochs']} epochs"
        st.caption(f"{run.recipe.summary} · seed {run.config['seed']} · {length}", width="stretch")
    runs.ended_notice(run)
    if evaluation:
        place = st.grid(2, min_column_width=430, gap="large")
        with place.cell():
            confusion_matrix(evaluation)
        with place.cell():
            class_figures(evaluation)
            with_download(
                run.predictions(), f"{run.id}-predictions", label="Predictions of every test image", show=False
            )
    runs.curves(run, key="curves", title="Learning curves")
    runs.probe_figure(run)
    runs.how_it_was_computed(run)
    st.caption(f":material/folder_open: `{run.folder}`")


header("Results", "What was measured, beside what was published.")
every = list_runs()
if st.session_state.get("dataset") or not every:
    data = chosen_dataset()
    found = {run.id: run for run in runs.of_dataset(data.id)}
    if not found:
        st.info("No run on this dataset yet.", icon=":material/monitoring:")
    with in_url("all_runs", False, lambda value: True):
        everything = st.toggle("Also runs on other datasets", key="all_runs")
else:  # runs outlive the dataset they were trained on
    found, everything = {}, True
if everything:
    found = {run.id: run for run in every}
if not found:
    st.page_link("pages/model/train.py", label="Train a network", icon=":material/model_training:")
    st.stop()
evaluated = [identifier for identifier, run in found.items() if run.evaluation()]
picked = st.multiselect(
    "Runs in the tables",
    evaluated,
    default=evaluated,
    format_func=lambda i: runs.label(found[i]),
    key="table_runs",
    placeholder="No finished run yet" if not evaluated else "Choose runs",
)
if picked:
    show_tables([found[i] for i in picked])
    runs.overlay([found[i] for i in picked])
st.subheader("One run in depth", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = url_choice(
        "Run", list(found), key="run", names=lambda i: runs.label(found[i]), default=next(iter(found)), width=560
    )
    if chosen:
        runs.manage(found[chosen])
if chosen:
    show_run(found[chosen])
