"""A table on the page, with the way to take it along."""

from typing import Any

import pandas as pd
import streamlit as st


def with_download(table: pd.DataFrame, name: str, *, label: str = "CSV", show: bool = True, **kwargs: Any) -> None:
    """A table, unless only its file is wanted, and its CSV; every column is in the file."""
    if show:
        st.dataframe(table, hide_index=True, **kwargs)
    st.download_button(
        label, table.to_csv(index=False), f"{name}.csv", "text/csv", icon=":material/download:", key=f"csv-{name}"
    )
