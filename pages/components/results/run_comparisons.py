"""Pairwise comparisons of runs on the same test images."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd
import streamlit as st

from cfu_core.evaluation.paper_tables import comparison_table
from cfu_core.runs.comparison import compare_runs, preprocessing_pairs
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among, shared_training
from pages.components.downloads import with_download

MOST = 66  # comparisons; corrected for more of them, hardly any difference would be significant
IN_SENTENCES = 6  # comparisons; the verdicts of more of them are a column of the table
WAYS = ("Original against preprocessed", "All pairs")


def show_verdicts(shown: Sequence[Run]) -> None:
    """Show whether runs differ: those that differ only in the preprocessing, or all pairs."""
    if len(shown) < 2:
        return
    st.header("Do they differ?", anchor=False)
    pairs, which = preprocessing_pairs(shown), WAYS[1]
    if pairs:
        which = st.segmented_control(
            "Compare", WAYS, default=WAYS[0], required=True, key="comparing", label_visibility="collapsed"
        )
    pairs = pairs if which == WAYS[0] else list(combinations(shown, 2))
    if len(pairs) > MOST:
        st.info(f"That would be {len(pairs):,} comparisons. Choose fewer runs above: all pairs of 12 runs are {MOST}.")
        return
    table = _verdicts(tuple(names_among(shown, leave_out_shared=True).items()), which, shown, pairs)
    if table.empty:
        st.info("No two of these runs were tested on the same images, so they cannot be compared.")
        return
    few = len(table) <= IN_SENTENCES
    if few:
        lines = zip(table["First"], table["Second"], table["Verdict on the second"], strict=True)
        st.markdown("\n".join(f"- {second}, against {first}: {verdict}" for first, second, verdict in lines))
    in_words = pd.DataFrame(
        {
            "First": table["First"],
            "Second": table["Second"],
            "Only one right": [
                f"{first} : {second}"
                for first, second in zip(table["Only first right"], table["Only second right"], strict=True)
            ],
            "Difference": [
                f"{d:+.3f} ({low:+.3f} to {high:+.3f})"
                for d, low, high in zip(table["Difference"], table["Low"], table["High"], strict=True)
            ],
            table.columns[-1]: table[table.columns[-1]],
            **({} if few else {"Verdict on the second": table["Verdict on the second"]}),
        }
    )
    with_download(
        in_words,
        "comparisons",
        file=table,
        column_config={table.columns[-1]: st.column_config.NumberColumn(format="%.3g")},
    )
    together = f", adjusted for the {len(table)} comparisons shown together (Holm)"
    shared = shared_training(shown)
    st.caption(
        f"{f'All runs: {shared}. ' if shared else ''}Pairs of runs on the same test images. Only one right: images "
        "that only the first, and that only the second "
        "run got right. Difference: of the accuracies, with its 95 % interval (bootstrap). p: the probability that "
        f"chance alone separates the two at least as much (exact McNemar test){together * (len(table) > 1)}. "
        "Below 0.05 a difference is called unlikely to be chance."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _verdicts(
    names: tuple[tuple[str, str], ...],  # with the identifiers: the predictions of a finished run never change
    which: str,  # noqa: ARG001 - tells pairs apart
    _runs: Sequence[Run],
    _pairs: Sequence[tuple[Run, Run]],
) -> pd.DataFrame:
    return comparison_table(compare_runs(_runs, _pairs), dict(names))
