"""The report of runs, and all figures of one, to take along."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.reporting.pdf import PRINT_MANUALLY, find_browser, print_pdf
from cfu_core.runs.run import Run

MADE = "report_made"  # in the session: which runs under which names, and the files


def show_report(runs: Sequence[Run]) -> None:
    """A button that makes the report of these runs, all finished; then its files."""
    st.header("Report", anchor=False)
    st.caption(
        "Everything of the runs above in one file: figures, tables beside the paper, intervals, comparisons, the "
        "images and their edits, settings, versions, and the commands that repeat them."
    )
    asked = tuple((run.id, run.name) for run in runs)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Make the report", icon=":material/summarize:", key="make_report", disabled=not runs):
            _make(runs, asked)
        made = st.session_state.get(MADE)
        if made and made["asked"] == asked:
            _files(made)
    if find_browser() is None:
        st.caption(f"No browser that makes a PDF was found on the server. {PRINT_MANUALLY}")


def _make(runs: Sequence[Run], asked: tuple[tuple[str, str], ...]) -> None:
    from cfu_core.reporting.report import report_html  # late: who reads results does not wait for Matplotlib

    st.session_state.pop(MADE, None)
    try:
        with st.spinner("Making the report…"):
            html = report_html(runs)
            made: dict[str, Any] = {"asked": asked, "html": html, "pdf": None}
            st.session_state[MADE] = made
            if find_browser():
                made["pdf"] = print_pdf(html)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")


def _files(made: dict) -> None:
    name = made["asked"][0][0] if len(made["asked"]) == 1 else f"report-{len(made['asked'])}-runs"
    icon = ":material/download:"
    st.download_button(
        "HTML", made["html"], f"{name}.html", "text/html", icon=icon, key="report_html", on_click="ignore"
    )
    if made["pdf"]:
        st.download_button(
            "PDF", made["pdf"], f"{name}.pdf", "application/pdf", icon=icon, key="report_pdf", on_click="ignore"
        )


def figure_downloads(run: Run) -> None:
    """All figures of a finished run as PNG and SVG, drawn when they are asked for."""

    def drawn() -> bytes:
        from cfu_core.reporting.run_plots import figures_zip

        return figures_zip([run])

    st.download_button(
        "All figures (PNG, SVG)",
        drawn,
        f"{run.id}-figures.zip",
        "application/zip",
        icon=":material/imagesmode:",
        key=f"figures-{run.id}",
        on_click="ignore",
    )
