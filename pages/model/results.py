"""The Results page: overview of the runs, details of one run, the paper's tables, and comparisons."""

from collections.abc import Sequence

import streamlit as st

from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from pages.components import learning_curves, runs
from pages.components.address import in_url, url_choice
from pages.components.dataset_choice import chosen_dataset
from pages.components.missing_dataset import deleted_notice, missing_dataset
from pages.components.page_layout import escaped, header
from pages.components.results.confusion_matrices import confusion_matrix, side_by_side
from pages.components.results.images_of_a_cell import choose_cell, chosen_cell
from pages.components.results.overview import accuracy_overview, choose_compared
from pages.components.results.repeats import repeat_button, show_variation
from pages.components.results.reports import show_report
from pages.components.results.run_comparisons import show_verdicts
from pages.components.results.run_in_depth import show_run
from pages.components.results.settings_table import settings_and_results
from pages.components.results.tables import show_tables


def compare(picked: Sequence[Run]) -> None:
    """Show the paper's tables, statistical comparisons, settings, learning curves and the report."""
    show_tables(picked)
    oldest_first = list(reversed(picked))
    show_verdicts(oldest_first)
    show_variation(oldest_first)
    side_by_side(oldest_first)
    settings_and_results(oldest_first)
    learning_curves.overlay(oldest_first)
    show_report(oldest_first)


header("Results", "Accuracy, errors and comparisons of trained networks, with the published values.")
all_runs = list_runs()
if st.session_state.get("dataset") or not all_runs:
    data = chosen_dataset()
    found = {run.id: run for run in runs.runs_on_dataset(data.id)}
    if not found:
        st.info("No run on this dataset yet.", icon=":material/monitoring:")
    can_filter = True
else:  # the datasets of the runs were deleted
    missing = missing_dataset()
    all_runs = (runs.runs_on_dataset(missing) if missing else []) or all_runs
    found, can_filter = {}, False
with st.container(horizontal=True, vertical_alignment="center"):
    everything = not can_filter
    if can_filter:
        with in_url("all_runs", False, lambda value: isinstance(value, bool)):
            everything = st.toggle("Include runs on other datasets", key="all_runs")
    if everything:
        found = {run.id: run for run in all_runs}
    picked = choose_compared({i: run for i, run in found.items() if run.evaluation()})
if not found:
    st.page_link("pages/model/train.py", label="Train a network", icon=":material/model_training:")
    st.stop()
with st.grid(2, min_column_width=430, gap="large") as overview:
    with overview.cell():
        if picked:
            accuracy_overview(picked)
    with overview.cell():
        chosen = url_choice(
            "Run",
            list(found),
            key="run",
            names=runs.labels(list(found.values())).__getitem__,
            default=next(iter(found)),
        )
        run = found[chosen or next(iter(found))]
        runs.ended_notice(run)
        if evaluation := run.evaluation():
            confusion_matrix(evaluation, chosen=chosen_cell(run), on_choose=choose_cell)
st.header("Details of one run", anchor=False)
st.markdown(f"**{escaped(run.name)}**")
deleted_notice(run.plan.dataset.id)
with st.container(horizontal=True):
    runs.run_actions(run)
    if run.evaluation():
        repeat_button(run)
show_run(run)
if picked:
    st.header("Comparison of runs", anchor=False)
    compare(picked)
