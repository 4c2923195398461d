"""Warnings about the data above the buttons that start training."""

import streamlit as st

from cfu_core.dataset.audit.divided_groups import divided_groups
from cfu_core.dataset.dataset import Dataset
from cfu_core.errors import CfuError
from pages.components import cached
from pages.components.dataset_choice import split_seed
from pages.components.page_layout import escaped


def divided_groups_warning(data: Dataset) -> None:
    """Warn of groups whose images are in several partitions, with a link to the audit."""
    try:
        assignment = cached.split(data, split_seed()).assignment
    except CfuError:
        return  # the buttons show the error
    images = data.images.assign(partition=data.images["path"].map(assignment))
    for finding in divided_groups(images, data.partitions):
        st.warning(f"**{finding.title}.** {escaped(finding.detail)}", icon=":material/warning:")
        audit_link(data)


def audit_link(data: Dataset) -> None:
    """Show a link to the audit of a dataset."""
    st.page_link(
        "pages/data/explore.py",
        label="Open the audit",
        icon=":material/fact_check:",
        query_params={"dataset": data.id, "explore_panel": "Audit"},
    )
