"""What the audit found: why it matters, which images, and a button for each remedy."""

import pandas as pd
import streamlit as st

from cfu_core.dataset.audit.filtering import Filter
from cfu_core.dataset.audit.findings import Finding
from pages.components.cached import View
from pages.components.editing import apply_edit
from pages.components.explore.filters import change

ICONS = {"error": ":material/error:", "warning": ":material/warning:", "info": ":material/info:"}


def audit_panel(view: View) -> None:
    """Every finding, the gravest first."""
    if not view.findings:
        waiting = "" if view.survey.complete else " so far; the images are still being measured"
        st.success(f"Nothing was found{waiting}.", icon=":material/verified:")
    for finding in view.findings:
        _finding(view, finding)
    if view.data.import_issues:
        with st.expander(f"Left out at the import ({len(view.data.import_issues)})", icon=":material/file_open:"):
            st.caption("Mend these files and import again, or go on without them.")
            found = view.data.import_issues
            issues = [{"File": issue.path, "Kind": issue.kind, "What is wrong": issue.detail} for issue in found]
            wide = st.column_config.TextColumn(width="large")
            st.dataframe(pd.DataFrame(issues), hide_index=True, column_config={"What is wrong": wide})


def _finding(view: View, finding: Finding) -> None:
    count = sum(len(together) for together in finding.paths)
    title = f"{finding.title} ({count})" if count else finding.title
    with st.expander(title, icon=ICONS[finding.severity], key=f"finding_{finding.kind}"):
        st.write(finding.detail)
        with st.container(horizontal=True):
            if count:
                st.button(
                    "Show the images",
                    icon=":material/grid_view:",
                    key=f"show_{finding.kind}",
                    on_click=_show,
                    args=(finding,),
                )
            for remedy in finding.remedies:
                if st.button(remedy.label, key=f"remedy_{finding.kind}_{remedy.label}", help=remedy.why):
                    apply_edit(view.data, remedy.kind, remedy.changes, remedy.why)
                    st.rerun()


def _show(finding: Finding) -> None:
    """Only the images of a finding; copies beside each other."""
    change(Filter(findings=(finding.kind,)))
    if any(len(together) > 1 for together in finding.paths):
        st.session_state["sort"] = "copies"
        st.session_state["down"] = False
