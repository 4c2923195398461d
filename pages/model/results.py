"""Tables 1 to 4, and one run in depth: confusion matrix, classes, curves."""

import pandas as pd
import streamlit as st

from cfu_core.evaluation.tables import table_2, table_3, table_4
from cfu_core.jobs.job import Job
from cfu_core.paper import REMARKS
from cfu_core.runs.store import Run, list_runs, result_of
from pages.components import cached, charts, jobs, runs
from pages.components.downloads import with_download
from pages.components.evaluation import class_figures, confusion_matrix
from pages.components.state import chosen_dataset, header, in_url, url_choice

HIDDEN = ("Dataset", "Run", "Epochs", "Seed")  # in the CSV, but not on the screen


def show_tables(shown: list[Run], classes: int) -> None:
    """Tables 1 to 4 of the paper: measured here, and as published."""
    results = [result_of(run) for run in shown]
    tabs = st.tabs(
        ["Table 4: precision, accuracy", "Table 3: time", "Table 2: images", "Table 1: networks"],
        key="table",
        on_change="rerun",
    )
    if tabs[0].open:
        with tabs[0]:
            table = table_4(results)
            fractions = [c for c in table.columns if c.startswith(("Precision", "Accuracy", "Published"))]
            with_download(
                table,
                "table_4",
                column_config={name: st.column_config.NumberColumn(format="%.4f") for name in fractions},
                column_order=[c for c in table.columns if c not in HIDDEN],
            )
            st.caption(
                f"Published: on the paper's own photographs; measured: on {shown[0].spec['dataset']['name']}. "
                "Macro: the mean of the classes' precision, each class counting the same. Micro: all correct over all "
                "predictions, which equals the accuracy. " + REMARKS[0]
            )
    if tabs[1].open:
        with tabs[1]:
            table = table_3(results)
            seconds = [c for c in table.columns if c.endswith("(s)")]
            with_download(
                table,
                "table_3",
                column_config={name: st.column_config.NumberColumn(format="%.1f") for name in seconds},
                column_order=[c for c in table.columns if c not in HIDDEN],
            )
            st.caption(
                "Seconds on this computer. “Prepared before”: an earlier run had decoded and preprocessed the images "
                "already, so this run spent no time on it. " + REMARKS[2]
            )
    if tabs[2].open:
        with tabs[2]:
            with_download(table_2(shown[0].spec["split"]["counts"]), "table_2")
            st.caption(shown[0].spec["split"]["nearness"])
    if tabs[3].open:
        with tabs[3]:
            with_download(pd.DataFrame(cached.networks(classes)["table_1"]), "table_1")
            st.caption(
                "Counted in the real modules. The paper's parameters are those of the original 1000-class networks."
            )


def show_run(run: Run) -> None:
    """One run in depth."""
    evaluation = run.evaluation()
    with st.container(horizontal=True, vertical_alignment="center"):
        jobs.state_badge(Job(run.folder).status().state)
        st.badge(f"began with {run.spec['weights_label']}", icon=":material/flag:", color="blue")
        st.caption(f"{run.recipe.summary} · seed {run.config['seed']} · {run.config['epochs']} epochs", width="stretch")
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
    if run.history():
        st.subheader("Learning curves", anchor=False)
        charts.curves(run.history(), run.batches(), run.config["epochs"], key="curves")
    st.caption(f":material/folder_open: `{run.folder}`")


header("Results", "What was measured, beside what was published.")
data = chosen_dataset()
found = {run.id: run for run in runs.of_dataset(data.id)}
if not found:
    st.info("No run on this dataset yet.", icon=":material/monitoring:")
with in_url("all_runs", False, lambda value: True):
    everything = st.toggle("Also runs on other datasets", key="all_runs")
if everything:
    found = {run.id: run for run in list_runs()}
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
    show_tables([found[i] for i in picked], len(data.classes))
st.subheader("One run in depth", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    chosen = url_choice(
        "Run", list(found), key="run", names=lambda i: runs.label(found[i]), default=next(iter(found)), width=560
    )
    if chosen:
        runs.manage(found[chosen])
if chosen:
    show_run(found[chosen])
