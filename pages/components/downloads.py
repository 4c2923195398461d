"""A table on the page, with the way to take it along."""

from typing import Any

import pandas as pd
import streamlit as st


def with_download(table: pd.DataFrame, name: str, **kwargs: Any) -> None:
    """A table, and its CSV."""
    st.dataframe(table, hide_index=True, **kwargs)
    st.download_button(
        "CSV", table.to_csv(index=False), f"{name}.csv", "text/csv", icon=":material/download:", key=f"csv-{name}"
    )
