"""Tables 1 to 4, and one run in depth: confusion matrix, classes, curves."""

import streamlit as st

from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.runs.short_names import names_among
from pages.components import job_progress, learning_curves, runs
from pages.components.address import in_url, url_choice
from pages.components.dataset_choice import DRAWN, chosen_dataset
from pages.components.downloads import with_download
from pages.components.page_layout import header, in_tabs
from pages.components.results.bundles import show_bundle
from pages.components.results.confusion_matrices import confusion_matrix, side_by_side
from pages.components.results.images_of_a_cell import choose_cell, chosen_cell, edits_of, show_images
from pages.components.results.metrics import against_the_rest, all_figures, class_figures, confidence
from pages.components.results.repeats import repeat_button, show_spread
from pages.components.results.reports import figure_downloads, show_report
from pages.components.results.run_comparisons import show_verdicts
from pages.components.results.settings_table import settings_and_results
from pages.components.results.tables import show_tables

AT_FIRST = 12  # runs in the tables, the newest, until others are chosen


def learning(run: Run) -> None:
    """How it came to its weights."""
    learning_curves.curves_of(run, key="curves")
    learning_curves.probe_figure(run)


def show_run(run: Run) -> None:
    """One run in depth."""
    evaluation = run.evaluation()
    with st.container(horizontal=True, vertical_alignment="center"):
        job_progress.state_badge(run.status())
        st.badge(f"began with {run.plan.weights_label}", icon=":material/flag:", color="blue")
        st.badge(run.plan.dataset.name, icon=":material/database:", color="gray")
        if run.plan.dataset.drawn:
            st.badge(DRAWN, icon=":material/draw:", color="orange")
        length = "the last layer alone" if run.mode == "probe" else f"{run.config.epochs} epochs"
        edits_of(run)
        st.caption(f"{run.recipe.summary} · seed {run.config.seed} · {length}", width="stretch")
    runs.ended_notice(run)
    if evaluation:
        place = st.grid(2, min_column_width=430)
        with place.cell():
            confusion_matrix(evaluation, chosen=chosen_cell(run), on_choose=choose_cell)
        with place.cell():
            class_figures(evaluation)
            figure_downloads(run)
            with_download(
                run.predictions(), f"{run.id}-predictions", label="Predictions of every test image", show=False
            )
            show_bundle(run)
        show_images(run)
        views = {
            "Learning": learning,
            "All figures, with intervals": all_figures,
            "Each class against the rest": against_the_rest,
            "How sure it is": confidence,
        }
        in_tabs(views, run, key="depth")
    else:
        learning(run)
    runs.how_it_was_computed(run)
    st.caption(f":material/folder_open: `{run.folder}`")


@st.fragment  # choosing other runs leaves the one in depth as it is
def compare(evaluated: dict[str, Run]) -> None:
    """Finished runs beside each other."""
    picked = st.multiselect(
        "Runs in the tables",
        list(evaluated),
        default=list(evaluated)[:AT_FIRST],
        format_func=names_among(list(evaluated.values())).__getitem__,
        key="table_runs",
        placeholder="No finished run yet" if not evaluated else "Choose runs",
    )
    if picked:
        show_tables([evaluated[i] for i in picked])
        compared = [evaluated[i] for i in reversed(picked)]  # oldest first
        show_verdicts(compared)
        show_spread(compared)
        side_by_side(compared)
        settings_and_results(compared)
        learning_curves.overlay(compared)
        show_report(compared)


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
compare({i: run for i, run in found.items() if run.evaluation()})
st.header("One run in depth", anchor=False)
chosen = url_choice(
    "Run",
    list(found),
    key="run",
    names=runs.labels(list(found.values())).__getitem__,
    default=next(iter(found)),
)
if chosen:
    with st.container(horizontal=True):
        runs.manage(found[chosen])
        if found[chosen].evaluation():
            repeat_button(found[chosen])
    show_run(found[chosen])
