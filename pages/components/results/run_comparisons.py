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
from pages.components.page_layout import escaped

MAX_COMPARISONS = 66  # with more, few differences would remain significant after the correction
MAX_SENTENCES = 6  # comparisons; the verdicts of more are a column of the table
WAYS = ("Original against preprocessed", "All pairs")


def show_verdicts(shown: Sequence[Run]) -> None:
    """Show whether the accuracies differ, for pairs that differ only in the preprocessing or for all pairs."""
    if len(shown) < 2:
        return
    st.header("Do the runs differ?", anchor=False)
    pairs, which = preprocessing_pairs(shown), WAYS[1]
    if pairs:
        which = st.segmented_control(
            "Compare", WAYS, default=WAYS[0], required=True, key="comparing", label_visibility="collapsed"
        )
    pairs = pairs if which == WAYS[0] else list(combinations(shown, 2))
    if len(pairs) > MAX_COMPARISONS:
        st.info(
            f"These are {len(pairs):,} comparisons. At most {MAX_COMPARISONS} are shown, the pairs of 12 runs. "
            "Select fewer runs above."
        )
        return
    table = _verdicts(tuple(names_among(shown, leave_out_shared=True).items()), which, shown, pairs)
    if table.empty:
        st.info("No two of these runs were tested on the same images (at least two), so they cannot be compared.")
        return
    few = len(table) <= MAX_SENTENCES
    if few:
        lines = zip(table["First"], table["Second"], table["Verdict on the second"], strict=True)
        for first, second, verdict in lines:
            st.markdown(f"- “{escaped(second)}” compared with “{escaped(first)}”: {verdict}")
    shown_table = pd.DataFrame(
        {
            "First": table["First"],
            "Second": table["Second"],
            "Only first right": table["Only first right"],
            "Only second right": table["Only second right"],
            "Difference": [
                f"{d:+.3f} ({low:+.3f} to {high:+.3f})"
                for d, low, high in zip(table["Difference"], table["Low"], table["High"], strict=True)
            ],
            table.columns[-1]: table[table.columns[-1]],
            **({} if few else {"Verdict on the second": table["Verdict on the second"]}),
        }
    )
    with_download(
        shown_table,
        "comparisons",
        file=table,
        column_config={table.columns[-1]: st.column_config.NumberColumn(format="%.3g")},
    )
    adjusted = f", adjusted for the {len(table)} comparisons shown (Holm)"
    shared = shared_training(shown)
    st.caption(
        f"{f'All runs: {escaped(shared)}. ' if shared else ''}Pairs of runs on the same test images. Only first right, "
        "only second right: the number of images that only this run classified correctly. Difference: of the "
        "accuracies, with its 95 % interval (bootstrap). p: the probability of a difference at least as large if the "
        f"runs were equally accurate (exact McNemar test){adjusted * (len(table) > 1)}. "
        "Below 0.05 a difference is called unlikely to be chance."
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _verdicts(
    names: tuple[tuple[str, str], ...],  # with identifiers, since the predictions of a finished run never change
    which: str,  # noqa: ARG001 - part of the cache key
    _runs: Sequence[Run],
    _pairs: Sequence[tuple[Run, Run]],
) -> pd.DataFrame:
    """Return the table of the comparisons."""
    return comparison_table(compare_runs(_runs, _pairs), dict(names))
