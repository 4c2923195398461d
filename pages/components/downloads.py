"""A table with a menu of downloads."""

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
    """Show a table and a menu that downloads it as CSV, Excel or LaTeX with all columns.

    Parameters
    ----------
    table : DataFrame or Styler
        A Styler needs `file`.
    name : str
        Name of the files, without suffix.
    label : str
        Label of the menu.
    show : bool
        Whether the table is shown, not only the menu.
    file : DataFrame, optional
        Contents of the files, if they differ from the table shown.
    **kwargs
        Arguments for `st.dataframe`.
    """
    if show:
        st.dataframe(table, hide_index=True, placeholder="–", **kwargs)
    contents = table if file is None else file
    caption = name.replace("_", " ").replace("-", " ").capitalize()
    # a file is created when its button is pressed
    formats: dict[str, tuple[Callable[[], str | bytes], str, str]] = {
        "CSV": (partial(csv_bytes, contents), "csv", "text/csv"),
        "Excel": (partial(excel_bytes, contents, name), "xlsx", EXCEL),
        "LaTeX": (partial(latex, contents, caption=caption, label=name), "tex", "application/x-tex"),
    }
    with st.popover(label, icon=":material/download:", key=f"download-{name}"):
        for format_name, (make, suffix, mime) in formats.items():
            st.download_button(
                format_name, make, f"{name}.{suffix}", mime, key=f"{suffix}-{name}", on_click="ignore", width="stretch"
            )
