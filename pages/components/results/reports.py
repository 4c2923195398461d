"""The report of the compared runs, and the plots of one run, as downloads."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cfu_core.errors import CfuError
from cfu_core.reporting.pdf import PRINT_MANUALLY, find_browser, print_pdf
from cfu_core.runs.run import Run

REPORT = "report_made"  # session-state key: the identifiers and names of the runs, and the files


def show_report(runs: Sequence[Run]) -> None:
    """Show a button that creates the report of these finished runs, then its downloads."""
    st.header("Report", anchor=False)
    st.caption(
        "One file about the compared runs: plots, tables with the published values, intervals, comparisons, images and "
        "their edits, settings, software versions, and the commands that repeat the runs."
    )
    asked = tuple((run.id, run.name) for run in runs)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Create the report", icon=":material/summarize:", key="make_report", disabled=not runs):
            _create(runs, asked)
        report = st.session_state.get(REPORT)
        if report and report["asked"] == asked:
            _downloads(report)
    if find_browser() is None:
        st.caption(f"There is no browser on the server that could create a PDF. {PRINT_MANUALLY}")


def _create(runs: Sequence[Run], asked: tuple[tuple[str, str], ...]) -> None:
    """Create the report as HTML and, if possible, as PDF."""
    from cfu_core.reporting.report import report_html  # imported here because Matplotlib is slow to import

    st.session_state.pop(REPORT, None)
    try:
        with st.spinner("Creating the report…"):
            html = report_html(runs)
            report: dict[str, Any] = {"asked": asked, "html": html, "pdf": None}
            st.session_state[REPORT] = report
            if find_browser():
                report["pdf"] = print_pdf(html)
    except CfuError as error:
        st.error(str(error), icon=":material/error:")


def _downloads(report: dict) -> None:
    """Show the downloads of the report."""
    name = report["asked"][0][0] if len(report["asked"]) == 1 else f"report-{len(report['asked'])}-runs"
    icon = ":material/download:"
    st.download_button(
        "HTML", report["html"], f"{name}.html", "text/html", icon=icon, key="report_html", on_click="ignore"
    )
    if report["pdf"]:
        st.download_button(
            "PDF", report["pdf"], f"{name}.pdf", "application/pdf", icon=icon, key="report_pdf", on_click="ignore"
        )


def plots_download(run: Run) -> None:
    """Show the download of all plots of a run; they are drawn when it is pressed."""

    def draw() -> bytes:
        from cfu_core.reporting.run_plots import figures_zip

        return figures_zip([run])

    st.download_button(
        "All plots (PNG, SVG)",
        draw,
        f"{run.id}-figures.zip",
        "application/zip",
        icon=":material/imagesmode:",
        key=f"figures-{run.id}",
        on_click="ignore",
    )
