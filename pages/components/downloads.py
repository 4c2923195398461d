"""A table on the page, with the ways to take it along."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from cfu_core.reporting.table_files import csv_bytes, excel_bytes, latex

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def with_download(
    table: pd.DataFrame | Styler,
    name: str,
    *,
    label: str = "Download",
    show: bool = True,
    file: pd.DataFrame | None = None,
    **kwargs: Any,
) -> None:
    """A table, unless only its files are wanted, and a menu of them; every column is in a file.

    Parameters
    ----------
    table : DataFrame or Styler
        A styled one needs `file`.
    name : str
        Of the files.
    label : str
        Of the menu.
    show : bool
    file : DataFrame, optional
        What the files are to hold, where that is not what is shown.
    **kwargs
        Of `st.dataframe`.
    """
    if show:
        st.dataframe(table, hide_index=True, placeholder="–", **kwargs)
    kept = table if file is None else file
    caption = name.replace("_", " ").replace("-", " ").capitalize()
    # each is made when it is asked for
    ways: dict[str, tuple[Callable[[], str | bytes], str, str]] = {
        "CSV": (partial(csv_bytes, kept), "csv", "text/csv"),
        "Excel": (partial(excel_bytes, kept, name), "xlsx", EXCEL),
        "LaTeX": (partial(latex, kept, caption=caption, label=name), "tex", "application/x-tex"),
    }
    with st.popover(label, icon=":material/download:", key=f"download-{name}"):
        for way, (make, suffix, kind) in ways.items():
            st.download_button(
                way, make, f"{name}.{suffix}", kind, key=f"{suffix}-{name}", on_click="ignore", width="stretch"
            )
