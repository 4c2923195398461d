"""Tables 1 to 4 of the paper on the page: measured here, beside what was published."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.evaluation.tables import screen_columns, table_2, table_3, table_4
from cfu_core.evaluation.timing import finding, phases
from cfu_core.paper import REMARKS
from cfu_core.runs.naming import names_among
from cfu_core.runs.store import Run, result_of
from pages.components import cached, charts
from pages.components.downloads import with_download


def show_tables(shown: Sequence[Run]) -> None:
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
            formats = {"Precision": "%.4f", "Accuracy": "%.4f", "Published": "%.4f", "Difference": "%+.4f"}
            with_download(
                table,
                "table_4",
                column_config={
                    name: st.column_config.NumberColumn(format=form)
                    for name in table.columns
                    for start, form in formats.items()
                    if name.startswith(start)
                },
                column_order=screen_columns(table),
            )
            datasets = ", ".join(dict.fromkeys(table["Dataset"]))
            st.caption(
                f"Published: on the paper's own photographs. Measured: on {datasets}. Difference: measured minus "
                "published. Macro: the mean of the classes' "
                "precision, each class counting the same. Micro: all correct over all predictions, which equals the "
                "accuracy. " + REMARKS[0]
            )
    if tabs[1].open:
        with tabs[1]:
            table = table_3(results)
            seconds = [c for c in table.columns if c.endswith("(s)")]
            with_download(
                table,
                "table_3",
                column_config={name: st.column_config.NumberColumn(format="%.1f") for name in seconds},
                column_order=screen_columns(table),
            )
            timed = [result for result in results if result.seconds]
            if timed:
                figure = charts.time_spent({result.run: phases(result) for result in timed}, names_among(shown))
                charts.show(figure, key="time", alt="Seconds of each run by phase", height=120 + 34 * len(timed))
            if said := finding(results):
                st.markdown(said)
            st.caption(
                "Seconds on this computer. “Prepared before”: an earlier run had decoded and preprocessed the images "
                "already, so this run spent no time on it. " + REMARKS[2]
            )
    if tabs[2].open:
        with tabs[2]:
            for run in {(r.spec["dataset"]["digest"], r.spec["split"]["seed"]): r for r in shown}.values():
                st.caption(f"{run.spec['dataset']['name']}, split seed {run.spec['split']['seed']}")
                with_download(table_2(run.spec["split"]["counts"]), f"table_2-{run.id}")
                st.caption(run.spec["split"]["nearness"])
    if tabs[3].open:
        with tabs[3]:
            try:
                with_download(pd.DataFrame(cached.networks(len(shown[0].classes))["table_1"]), "table_1")
            except CfuError as error:
                st.error(str(error), icon=":material/error:")
            st.caption(
                "Counted in the real modules. The paper's parameters are those of the original 1000-class networks. "
                + REMARKS[1]
            )
