"""All compared runs at a glance: which they are, the best accuracy, and every accuracy with its interval."""

from collections.abc import Mapping, Sequence

import streamlit as st

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.reporting.results_section import published_result
from cfu_core.reporting.summary_section import best_accuracy
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among, shared_training
from cfu_core.wording import plural
from pages.components import charts

AT_FIRST = 12  # runs, the newest, until others are chosen


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
