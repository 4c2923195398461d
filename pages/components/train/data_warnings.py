"""Warnings about the data above the buttons that start training."""

import streamlit as st

from cfu_core.dataset.audit.divided_groups import leaks
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.left_out import describe_left_out, missing_classes
from cfu_core.errors import CfuError
from cfu_core.wording import plural
from pages.components import cached
from pages.components.dataset_choice import split_seed
from pages.components.page_layout import escaped


def data_warnings(data: Dataset) -> bool:
    """Show leaks and what the import left out, with a link to the audit; return whether training may start.

    If a class is missing completely, it may start only after the user has ticked a box.
    """
    leaking = _leak_warnings(data)
    text, missing = describe_left_out(data), missing_classes(data)
    if text:
        (st.error if missing else st.warning)(escaped(text), icon=":material/warning:")
    if leaking or text:
        st.page_link(
            "pages/data/explore.py",
            label="Open the audit",
            icon=":material/fact_check:",
            query_params={"dataset": data.id, "explore_panel": "Audit"},
        )
    if data.unlabelled:
        used = len(data.images) - data.unlabelled
        st.info(
            f"{plural(data.unlabelled, 'image has', 'images have')} no class yet. Training uses the other {used:,}. "
            "Give classes to images on Explore.",
            icon=":material/label:",
        )
    return not missing or st.checkbox(f"Train without {escaped(', '.join(missing))}", key=f"without_{data.id}")


def _leak_warnings(data: Dataset) -> bool:
    """Warn of groups and identical images that are in several partitions; return whether there are any."""
    try:
        split = cached.split(data, split_seed())
    except CfuError:
        return False  # the buttons show the error
    if not split.divided_groups:
        return False
    images = data.images.assign(partition=data.images["path"].map(split.assignment))
    findings = list(leaks(images, data.partitions))
    for finding in findings:
        st.warning(f"**{finding.title}.** {escaped(finding.detail)}", icon=":material/warning:")
    return bool(findings)
