"""Results: all runs in a sentence and a chart, one run in depth, then the paper's tables and comparisons."""

from collections.abc import Mapping, Sequence

import streamlit as st

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.reporting.results_section import published_result
from cfu_core.reporting.summary_section import best_accuracy
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.runs.short_names import names_among, shared_training
from cfu_core.wording import plural
from pages.components import charts, job_progress, learning_curves, runs
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

AT_FIRST = 12  # runs, the newest, until others are chosen


def learning(run: Run) -> None:
    """Show the learning curves, or how a probe was regularised."""
    learning_curves.curves_of(run, key="curves")
    learning_curves.probe_figure(run)


def at_a_glance(compared: Sequence[Run]) -> None:
    """Show the best accuracy in a sentence, and the accuracy of each run with its interval."""
    evaluations = {run.id: evaluation for run in compared if (evaluation := run.evaluation())}
    names, shared = names_among(compared, leave_out_shared=True), shared_training(compared)
    st.markdown(f"**{best_accuracy(compared, evaluations, names)}**")
    if shared:
        st.caption(f"All runs: {shared}." if len(compared) > 1 else f"The run: {shared}.")
    bounds = [wilson_interval(found.correct, found.n_images) for found in evaluations.values()]
    printed = [published_result(run) for run in compared]
    figure = charts.intervals(
        [names[identifier] for identifier in evaluations],
        [found.accuracy for found in evaluations.values()],
        [low for low, _ in bounds],
        [high for _, high in bounds],
        [result.accuracy if result else None for result in printed],
    )
    charts.show(
        figure,
        key="accuracies",
        alt="Accuracy of each run with its 95 % interval",
        height=130 + max(46, charts.label_height(names.values())) * len(names),
    )


def show_run(run: Run) -> None:
    """Show one run in depth."""
    evaluation = run.evaluation()
    with st.container(horizontal=True, vertical_alignment="center"):
        job_progress.state_badge(run.status())
        st.badge(f"began with {run.plan.weights_label}", icon=":material/flag:", color="blue")
        st.badge(run.plan.dataset.name, icon=":material/database:", color="gray")
        if run.plan.dataset.drawn:
            st.badge(DRAWN, icon=":material/draw:", color="orange")
        length = "only the last layer" if run.mode == "probe" else plural(run.config.epochs, "epoch")
        edits_of(run)
        st.caption(f"{run.recipe.summary} · seed {run.config.seed} · {length}", width="stretch")
    if evaluation:
        place = st.grid(5, min_column_width=150)
        with place.cell(column_span=3):
            class_figures(evaluation)
        with place.cell(column_span=2):
            figure_downloads(run)
            with_download(
                run.predictions(), f"{run.id}-predictions", label="Predictions of every test image", show=False
            )
            show_bundle(run)
        show_images(run)
        views = {
            "Learning": learning,
            "All metrics, with intervals": all_figures,
            "Each class against the rest": against_the_rest,
            "Calibration": confidence,
        }
        in_tabs(views, run, key="depth")
    else:
        learning(run)
    runs.how_it_was_computed(run)
    st.caption(f":material/folder_open: `{run.folder}`")


def choose_compared(evaluated: Mapping[str, Run]) -> list[Run]:
    """Choose the runs that stand side by side; the newest ones at first."""
    if not evaluated:
        return []
    key = "table_runs"
    picked = [i for i in st.session_state.get(key, list(evaluated)[:AT_FIRST]) if i in evaluated]
    with st.popover(f"{len(picked)} of {plural(len(evaluated), 'run')} compared", icon=":material/checklist:"):
        picked = st.multiselect(
            "Runs to compare",
            list(evaluated),
            default=list(evaluated)[:AT_FIRST],
            format_func=names_among(list(evaluated.values())).__getitem__,
            key=key,
            placeholder="Choose runs",
        )
    return [evaluated[i] for i in picked]


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
