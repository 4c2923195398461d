"""Results: all runs in a sentence and a chart, one run in depth, then the paper's tables and comparisons."""

from collections.abc import Sequence

import streamlit as st

from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from pages.components import learning_curves, runs
from pages.components.address import in_url, url_choice
from pages.components.dataset_choice import chosen_dataset
from pages.components.page_layout import header
from pages.components.results.confusion_matrices import confusion_matrix, side_by_side
from pages.components.results.images_of_a_cell import choose_cell, chosen_cell
from pages.components.results.overview import at_a_glance, choose_compared
from pages.components.results.repeats import repeat_button, show_spread
from pages.components.results.reports import show_report
from pages.components.results.run_comparisons import show_verdicts
from pages.components.results.run_in_depth import show_run
from pages.components.results.settings_table import settings_and_results
from pages.components.results.tables import show_tables


def compare(picked: Sequence[Run]) -> None:
    """Show the paper's tables, whether runs differ, and their settings, curves and report."""
    show_tables(picked)
    oldest_first = list(reversed(picked))
    show_verdicts(oldest_first)
    show_spread(oldest_first)
    side_by_side(oldest_first)
    settings_and_results(oldest_first)
    learning_curves.overlay(oldest_first)
    show_report(oldest_first)


header("Results", "Measured values beside the published ones.")
every = list_runs()
if st.session_state.get("dataset") or not every:
    data = chosen_dataset()
    found = {run.id: run for run in runs.of_dataset(data.id)}
    if not found:
        st.info("No run on this dataset yet.", icon=":material/monitoring:")
    toggled = True
else:  # runs outlive the dataset they were trained on
    found, toggled = {}, False
with st.container(horizontal=True, vertical_alignment="center"):
    everything = not toggled
    if toggled:
        with in_url("all_runs", False, lambda value: isinstance(value, bool)):
            everything = st.toggle("Also runs on other datasets", key="all_runs")
    if everything:
        found = {run.id: run for run in every}
    picked = choose_compared({i: run for i, run in found.items() if run.evaluation()})
if not found:
    st.page_link("pages/model/train.py", label="Train a network", icon=":material/model_training:")
    st.stop()
with st.grid(2, min_column_width=430, gap="large") as glance:
    with glance.cell():
        if picked:
            at_a_glance(picked)
    with glance.cell():
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
st.header("One run in depth", anchor=False)
st.markdown(f"**{run.name}**")
with st.container(horizontal=True):
    runs.manage(run)
    if run.evaluation():
        repeat_button(run)
show_run(run)
if picked:
    st.header("All compared runs", anchor=False)
    compare(picked)
