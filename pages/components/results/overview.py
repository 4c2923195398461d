"""Overview of the compared runs: their choice, the best accuracy, and all accuracies with intervals."""

from collections.abc import Mapping, Sequence

import streamlit as st

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.reporting.results_section import published_result
from cfu_core.reporting.summary_section import best_accuracy
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among, shared_training
from cfu_core.wording import plural
from pages.components import charts
from pages.components.page_layout import escaped

MAX_INITIAL = 12  # runs compared before the user selects others: the newest


def accuracy_overview(compared: Sequence[Run]) -> None:
    """Show the best accuracy in a sentence, and the accuracy of each run with its interval."""
    evaluations = {run.id: evaluation for run in compared if (evaluation := run.evaluation())}
    names, shared = names_among(compared, leave_out_shared=True), shared_training(compared)
    escaped_names = {identifier: escaped(name) for identifier, name in names.items()}
    st.markdown(f"**{best_accuracy(compared, evaluations, escaped_names)}**")
    if shared:
        st.caption(f"{'All runs' if len(compared) > 1 else 'The run'}: {escaped(shared)}.")
    bounds = [wilson_interval(found.correct, found.n_images) for found in evaluations.values()]
    published = [published_result(run) for run in compared]
    figure = charts.intervals(
        [names[identifier] for identifier in evaluations],
        [found.accuracy for found in evaluations.values()],
        [low for low, _ in bounds],
        [high for _, high in bounds],
        [result.accuracy if result else None for result in published],
    )
    charts.show(
        figure,
        key="accuracies",
        alt="Accuracy of each run with its 95 % interval",
        height=130 + max(46, charts.label_height(names.values())) * len(names),
    )


def choose_compared(evaluated: Mapping[str, Run]) -> list[Run]:
    """Show the choice of the runs to compare, initially the newest ones, and return them."""
    if not evaluated:
        return []
    key = "table_runs"
    picked = [i for i in st.session_state.get(key, list(evaluated)[:MAX_INITIAL]) if i in evaluated]
    with st.popover(f"{len(picked)} of {plural(len(evaluated), 'run')} compared", icon=":material/checklist:"):
        picked = st.multiselect(
            "Runs to compare",
            list(evaluated),
            default=list(evaluated)[:MAX_INITIAL],
            format_func=names_among(list(evaluated.values())).__getitem__,
            key=key,
            placeholder="Choose runs",
        )
    return [evaluated[i] for i in picked]
