"""Tables 1 to 4 of the paper: measured values with the published ones."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.evaluation.paper_tables import (
    describe_shared_settings,
    display_columns,
    in_paper_order,
    nonempty_columns,
    table_2,
    table_3,
    table_4,
)
from cfu_core.evaluation.timing import preprocessing_cost, seconds_by_phase
from cfu_core.published.zamani_2023 import REMARKS
from cfu_core.runs.run import Run
from cfu_core.runs.run_result import result_of
from cfu_core.runs.short_names import names_among
from pages.components import cached, charts
from pages.components.downloads import with_download
from pages.components.page_layout import escaped, in_tabs
from pages.components.results import metric_charts

# short headings, so that all columns are visible; a download has the full names
TABLE_4 = {
    "Network": st.column_config.TextColumn(width=106),
    "Images": st.column_config.TextColumn(width=98),
    "Mode": st.column_config.TextColumn(width=70),
    "Began with": st.column_config.TextColumn(width=120),
    "Accuracy": st.column_config.NumberColumn(format="%.4f", width=72),
    "Published accuracy": st.column_config.NumberColumn("Published acc.", format="%.4f", width=100),
    "Difference of accuracy": st.column_config.NumberColumn("Δ", format="%+.4f", width=62),
    "Precision, macro": st.column_config.NumberColumn(format="%.4f", width=116),
    "Published precision": st.column_config.NumberColumn("Published prec.", format="%.4f", width=106),
    "Difference of precision, macro": st.column_config.NumberColumn("Δ macro", format="%+.4f", width=66),
    "Precision, micro": st.column_config.NumberColumn(format="%.4f", width=112),
    "Difference of precision, micro": st.column_config.NumberColumn("Δ micro", format="%+.4f", width=64),
}
TABLE_1 = {
    "Layers, published": st.column_config.NumberColumn("published"),
    "Layers, difference": st.column_config.NumberColumn("Δ", format="%+d"),
    "Parameters, 1000 classes": st.column_config.NumberColumn(format="localized"),
    "Parameters, published (millions)": st.column_config.NumberColumn("published, millions"),
    "Parameters, difference (millions)": st.column_config.NumberColumn("Δ, millions", format="%+.2f"),
    "Parameters, these classes": st.column_config.NumberColumn(format="localized"),
    "Multiply-adds per image": st.column_config.NumberColumn(format="compact"),
}
TABLE_3 = {"Total (s)": "Total", "Published total (s)": "Published", "Difference (s)": "Δ"}


def show_tables(shown: Sequence[Run]) -> None:
    """Show Tables 1 to 4 of the paper with measured and published values."""
    views = {
        "Table 1: networks": _networks,
        "Table 2: images": _images,
        "Table 3: time": _time,
        "Table 4: accuracy": _precision_and_accuracy,
    }
    in_tabs(views, shown, key="table", first="Table 4: accuracy")


def _precision_and_accuracy(shown: Sequence[Run]) -> None:
    """Show Table 4."""
    table = table_4([result_of(run) for run in shown])
    columns = [name for name in display_columns(table) if name not in ("Correct", "Test images")]
    with_download(table, "table_4", column_config=TABLE_4, column_order=columns)
    images = " to ".join(str(number) for number in sorted({table["Test images"].min(), table["Test images"].max()}))
    datasets = ", ".join(escaped(name) for name in table["Dataset"].unique())
    st.caption(
        f"{_shared(table)}Published: on the paper's own photographs. Measured: on {images} test images of {datasets}. "
        "Δ: measured minus published. Macro precision: the mean precision of the classes. Micro precision: correct "
        "predictions over all predictions, which equals the accuracy. " + REMARKS[0]
    )


def _time(shown: Sequence[Run]) -> None:
    """Show Table 3 and a chart of it."""
    results = in_paper_order([result_of(run) for run in shown])
    table = table_3(results)
    seconds = {name: TABLE_3.get(name, name.removesuffix(" (s)")) for name in table if name.endswith("(s)")}
    with_download(
        table,
        "table_3",
        column_config={name: st.column_config.NumberColumn(head, format="%.1f") for name, head in seconds.items()},
        column_order=display_columns(table),
    )
    timed = [result for result in results if result.seconds]
    if timed:
        spent = {result.run: seconds_by_phase(result.seconds) for result in timed}
        names = names_among(shown, leave_out_shared=True)  # the caption names the shared settings
        figure = metric_charts.time_spent(spent, names)
        charts.show(figure, key="time", alt="Seconds of each run by phase", height=120 + 34 * len(timed))
    if cost := preprocessing_cost(results):
        st.markdown(cost)
    st.caption(
        f"{_shared(table)}Seconds on this computer. Δ: measured minus published. “Prepared before”: the images had "
        "been decoded and preprocessed before the run. " + REMARKS[2]
    )


def _images(shown: Sequence[Run]) -> None:
    """Show Table 2 of each dataset and split."""
    for run in {(r.plan.dataset.digest, r.plan.split.seed): r for r in shown}.values():
        st.caption(f"{escaped(run.plan.dataset.name)}, split seed {run.plan.split.seed}")
        table = table_2(run.plan.split.counts)
        filled = nonempty_columns(table)
        with_download(table, f"table_2-{run.id}", column_order=filled)
        order = " Published and difference: training / validation / test."
        st.caption(run.plan.split.nearness + order * ("Published" in filled))


def _networks(shown: Sequence[Run]) -> None:
    """Show Table 1."""
    try:
        table = cached.networks(len(shown[0].classes))
    except CfuError as error:
        st.error(str(error), icon=":material/error:")
    else:
        with_download(table, "table_1", column_config=TABLE_1)
    st.caption(
        "Counted in the networks used here. The paper gives the parameters of the original 1000-class networks, in "
        "whole millions. Δ: counted minus published. " + REMARKS[1]
    )


def _shared(table: pd.DataFrame) -> str:
    """Return a sentence on the settings that are the same for all runs, which have no column."""
    shared = describe_shared_settings(table)
    if not shared:
        return ""
    return f"All runs: {escaped(shared)}. " if len(table) > 1 else f"{escaped(shared[0].upper() + shared[1:])}. "
