"""Table files: read back, and escaped."""

import io
import re

import pandas as pd
import pytest

from cfu_core.reporting.table_files import csv_bytes, excel_bytes, latex

TABLE = pd.DataFrame({"Run": ["=1+1", "50 % & more_#1", "plain"], "Accuracy": [0.5, None, 1.0], "Images": [10, 20, 30]})


def test_excel_keeps_numbers_as_numbers_and_text_as_text():
    back = pd.read_excel(io.BytesIO(excel_bytes(TABLE, "a/b: table")), engine="openpyxl")
    assert back["Run"].tolist() == TABLE["Run"].tolist()
    assert back["Images"].tolist() == [10, 20, 30]
    assert back["Accuracy"].isna().tolist() == [False, True, False]


def test_a_missing_date_is_an_empty_cell_in_excel():
    dates = pd.DataFrame({"Date": [pd.Timestamp("2026-03-01"), pd.NaT], "Images": [1, 2]})
    back = pd.read_excel(io.BytesIO(excel_bytes(dates)), engine="openpyxl")
    assert back["Date"].isna().tolist() == [False, True]
    assert back["Date"][0].startswith("2026-03-01")


@pytest.mark.parametrize(
    ("name", "sheet"),
    [("a/b: table", "ab table"), ("x" * 40, "x" * 31), ("x" * 30 + "'s", "x" * 30), ("'", "table"), ("", "table")],
)
def test_the_name_of_a_sheet_is_valid_in_excel(name, sheet):
    assert pd.ExcelFile(io.BytesIO(excel_bytes(TABLE, name)), engine="openpyxl").sheet_names == [sheet]


def test_csv_has_no_formulas():
    back = pd.read_csv(io.BytesIO(csv_bytes(TABLE)))
    assert back["Run"].tolist() == ["'=1+1", "50 % & more_#1", "plain"]
    assert back["Accuracy"].dropna().tolist() == [0.5, 1.0]


def test_latex_is_escaped_and_balanced():
    text = latex(TABLE, caption="5 % of_it", label="a b")
    assert r"50 \% \& more\_\#1" in text
    assert r"5 \% of\_it" in text
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", text) for word in ("begin", "end"))
    assert begun == ended[::-1]
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_a_long_table_breaks_across_pages_and_a_wide_one_is_scaled():
    narrow = pd.DataFrame({"path": [f"{place}.png" for place in range(50)], "share": 0.5})
    source = latex(narrow, caption="c", label="l")
    assert r"\begingroup\footnotesize" in source
    assert r"\begin{longtable}{lr}" in source
    assert source.count(r" \\") == 50 + 2 + 1  # its head on the first and on the next pages, and the caption
    wide = narrow.assign(path="immature granulocytes/" * 5)
    assert r"\begingroup\tiny" in latex(wide, caption="c", label="l")
