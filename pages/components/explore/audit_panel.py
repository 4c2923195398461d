"""Findings of the audit: explanation, images, and a button for each remedy."""

import pandas as pd
import streamlit as st

from cfu_core.dataset.audit.filtering import Filter
from cfu_core.dataset.audit.findings import Finding
from pages.components.cached import View
from pages.components.editing import apply_edit
from pages.components.explore.filters import set_filter

MAX_WRAPPED = 50  # remarks in a table that is not scrolled
ICONS = {"error": ":material/error:", "warning": ":material/warning:", "info": ":material/info:"}


def audit_panel(view: View) -> None:
    """Show the findings, the most severe first, and the remarks of the import."""
    if all(finding.kind == "no-groups" for finding in view.findings):
        pending = "" if view.survey.complete else " so far; the images are still being measured"
        st.success(f"No problems found{pending}.", icon=":material/verified:")
    for finding in view.findings:
        _show_finding(view, finding)
    if view.data.import_issues:
        with st.expander(f"Remarks of the import ({len(view.data.import_issues)})", icon=":material/file_open:"):
            st.caption("What was left out, changed or assumed. Correct the files and import again, or continue.")
            found = view.data.import_issues
            issues = [{"File": issue.path, "Kind": issue.kind, "Remark": issue.detail} for issue in found]
            if len(issues) <= MAX_WRAPPED:
                st.table(pd.DataFrame(issues).set_index("File"))  # unlike a data frame, it wraps long texts
            else:
                wide = st.column_config.TextColumn(width="large")
                st.dataframe(pd.DataFrame(issues), hide_index=True, column_config={"Remark": wide})


def _show_finding(view: View, finding: Finding) -> None:
    """Show one finding in an expander."""
    count = sum(len(group) for group in finding.paths)
    title = f"{finding.title} ({count})" if count else finding.title
    with st.expander(title, icon=ICONS[finding.severity], key=f"finding_{finding.kind}"):
        st.write(finding.detail)
        with st.container(horizontal=True):
            if count:
                st.button(
                    "Show the images",
                    icon=":material/grid_view:",
                    key=f"show_{finding.kind}",
                    on_click=_filter_by,
                    args=(finding,),
                )
            for remedy in finding.remedies:
                if st.button(remedy.label, key=f"remedy_{finding.kind}_{remedy.label}", help=remedy.why):
                    apply_edit(view.data, remedy.kind, remedy.changes, remedy.why)
                    st.rerun()


def _filter_by(finding: Finding) -> None:
    """Show only the images of a finding, near duplicates side by side."""
    set_filter(Filter(findings=(finding.kind,)))
    if any(len(group) > 1 for group in finding.paths):
        st.session_state["sort"] = "copies"
        st.session_state["down"] = False
