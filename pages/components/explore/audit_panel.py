"""The audit: findings with explanation, images, table and remedies; every check with its result; limits to move."""

import pandas as pd
import streamlit as st

from cfu_core.dataset.audit.checks import Audit, Check
from cfu_core.dataset.audit.filtering import Filter
from cfu_core.dataset.audit.findings import Finding
from pages.components import cached
from pages.components.cached import View
from pages.components.editing import apply_edit
from pages.components.explore.audit_limit import move_limit
from pages.components.explore.filters import set_filter
from pages.components.page_layout import escaped

MAX_WRAPPED = 50  # remarks in a table that is not scrolled
ICONS = {"error": ":material/error:", "warning": ":material/warning:", "info": ":material/info:"}
#: Measures by which the images of a finding are sorted, the highest first.
EXTREMES = {"blurred": "edge_width", "underexposed": "underexposed", "overexposed": "overexposed"}
NOTHING_FOUND = ":material/check:"


def audit_panel(view: View) -> None:
    """Show the findings, the most severe first, then every check with its result, and the remarks of the import."""
    audit = cached.whole_audit(view)
    if not audit.checks:
        st.info("All images are excluded, so there is nothing to check.", icon=":material/info:")
        return
    st.caption(audit.summary)
    if all(finding.kind == "no-groups" for finding in audit.findings):
        pending = "" if view.survey.complete else " so far; the images are still being measured"
        st.success(f"No problems found{pending}.", icon=":material/verified:")
    movable = [check for check in audit.checks if check.limit]
    moved = {check.kind for check in movable}
    for finding in audit.findings:
        if finding.kind not in moved:
            count = sum(len(group) for group in finding.paths)
            title = f"{finding.title} ({count})" if count else finding.title
            with st.expander(title, icon=ICONS[finding.severity], key=f"finding_{finding.kind}"):
                _show_finding(view, finding)
    if movable:
        st.caption("Checks with a limit that can be moved:")
    for check in movable:  # always in the same order, so that a box stays in its place while its limit is moved
        _show_movable(view, check)
    with st.expander(
        f"All {len(audit.checks)} checks, in order", icon=":material/checklist:", key="checks", on_change="rerun"
    ) as checks:
        if checks.open:
            _list_checks(audit)
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


def _list_checks(audit: Audit) -> None:
    """Show a table of all checks, also of those that found nothing."""
    rows = [
        {
            "Check": f"{ICONS.get(check.severity, NOTHING_FOUND)} {escaped(check.title)}",
            "Result": escaped(check.result + (f"; {check.limit.change}" if check.limit else "")),
        }
        for check in audit.checks
    ]
    st.table(pd.DataFrame(rows).set_index("Check"))


def _show_movable(view: View, check: Check) -> None:
    """Show a check with a limit in an expander, also if it found nothing."""
    icon = ICONS.get(check.severity, NOTHING_FOUND)
    # without on_change: such an expander is replaced, and closed, when its label changes with the limit
    with st.expander(f"{check.title}: {check.result}", icon=icon, key=f"finding_{check.kind}"):
        if check.finding:
            _show_finding(view, check.finding)
        if check.limit and st.toggle("Move the limit", key=f"move_{check.kind}"):
            move_limit(view, check.limit)


def _show_finding(view: View, finding: Finding) -> None:
    """Show the detail of a finding, its table, and buttons for its images and remedies."""
    st.write(escaped(finding.detail))
    if finding.table:
        headings, *rows = finding.table
        st.table(pd.DataFrame([map(escaped, row) for row in rows], columns=headings).set_index(headings[0]))
    with st.container(horizontal=True):
        if finding.paths:
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
    """Show only the images of a finding, near duplicates side by side, and the most extreme images first."""
    set_filter(Filter(findings=(finding.kind,)))
    if finding.kind in EXTREMES:
        st.session_state["sort"] = EXTREMES[finding.kind]
        st.session_state["down"] = True
    elif any(len(group) > 1 for group in finding.paths):
        st.session_state["sort"] = "copies"
        st.session_state["down"] = False
