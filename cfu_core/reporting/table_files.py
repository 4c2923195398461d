"""Tables as files for other programs: CSV, Excel and LaTeX.

A spreadsheet reads text that begins with ``=`` as a formula, and names of classes and files can be any text. In an
Excel file, cells have a type, so that text is never read as a formula. In a CSV file they have none; text that begins
with one of `FORMULA_STARTS` therefore gets a leading apostrophe, by which spreadsheets recognise text. Numbers are not
changed.
"""

import io
import math
import numbers
from typing import Any

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
MAX_COLUMN_WIDTH = 60  # characters, in Excel
MAX_CELL_LENGTH = 32_767  # characters, in Excel
MAX_PAGE_ROWS = 40  # rows; a longer table in LaTeX breaks across pages
MAX_ROW_LENGTH = 90  # characters; a table across pages with longer rows has the smallest font
MAX_COLUMNS = 6  # columns; a wider table is scaled to the width of the text
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "−": r"$-$",
    "µ": r"$\mu$",
    **{each: "\\" + each for each in "&%$#_{}"},
}


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8, without its index; missing values are empty.

    Text and column names that begin with one of `FORMULA_STARTS` get a leading apostrophe, so that spreadsheets do not
    read them as formulas.
    """
    guarded = table.map(_guarded).rename(columns=_guarded)
    return guarded.to_csv(index=False).encode()


def excel_bytes(table: pd.DataFrame, name: str = "table") -> bytes:
    """Return a table as an Excel file, without its index.

    Missing values, NaN and infinity are empty cells. Text is never a formula or a link, and is cut at
    `MAX_CELL_LENGTH` characters.

    Parameters
    ----------
    table : DataFrame
        Numbers and booleans keep their type; all other values, such as dates, are written as text.
    name : str
        Name of the sheet: characters that Excel does not allow are left out, and it is cut at 31 characters. If nothing
        remains, the name is "table".

    Returns
    -------
    bytes
        Content of an ``.xlsx`` file.
    """
    import xlsxwriter  # imported here to keep pages fast

    file = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, plain) as book:
        allowed = "".join(c for c in name if c.isprintable() and c not in "[]:*?/\\")
        sheet = book.add_worksheet(allowed[:31].strip("'") or "table")
        bold = book.add_format({"bold": True, "bottom": 1})
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, str(column), bold)
            longest = len(str(column)) + 1
            for row, value in enumerate(table.iloc[:, place].tolist(), 1):
                longest = max(longest, _write_cell(sheet, row, place, value))
            sheet.set_column(place, place, min(MAX_COLUMN_WIDTH, longest + 1))
        sheet.freeze_panes(1, 0)
    return file.getvalue()


def latex(table: pd.DataFrame, *, caption: str, label: str) -> str:
    r"""Return a table as LaTeX with the rules of booktabs, without its index.

    Numbers are aligned to the right: with no decimals in a column of whole numbers, with four in a column of values up
    to 1, otherwise with one. A number that would be rounded to 0 is written as a power of ten. Missing values, NaN and
    infinity are ``--``; booleans are ``yes`` and ``no``. A table of more than `MAX_PAGE_ROWS` rows is a ``longtable``,
    which breaks across pages; a table of more than `MAX_COLUMNS` columns is otherwise scaled to the width of the text.

    Parameters
    ----------
    table : DataFrame
        Table of at least one column. Its texts and the names of its columns are escaped.
    caption : str
        Plain text; it is escaped.
    label : str
        The table has the label ``tab:`` followed by this text, in which characters other than ASCII letters and digits
        are hyphens.

    Returns
    -------
    str
        LaTeX that needs the packages booktabs, graphicx and longtable; for non-Latin letters also XeLaTeX or LuaLaTeX.
    """
    numeric = [_is_number(table.iloc[:, place]) for place in range(table.shape[1])]
    columns = [_column(table.iloc[:, place], number) for place, number in enumerate(numeric)]
    layout = "".join("r" if number else "l" for number in numeric)
    header = " & ".join(_escaped(str(name)) for name in table.columns) + r" \\"
    rows = [" & ".join(cells) + r" \\" for cells in zip(*columns, strict=True)]
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in label)
    named = rf"\caption{{{_escaped(caption)}}}\label{{tab:{safe}}}"
    if len(rows) > MAX_PAGE_ROWS:
        head = [r"\toprule", header, r"\midrule"]
        longest = sum(max(map(len, (str(name), *cells))) for name, cells in zip(table.columns, columns, strict=True))
        size = r"\tiny\setlength{\tabcolsep}{3pt}" if longest > MAX_ROW_LENGTH else r"\footnotesize"
        return _lines(
            [rf"\begingroup{size}", rf"\begin{{longtable}}{{{layout}}}", named + r" \\", *head, r"\endfirsthead"],
            [*head, r"\endhead", r"\bottomrule", r"\endlastfoot", *rows, r"\end{longtable}", r"\endgroup"],
        )
    wide = len(layout) > MAX_COLUMNS
    return _lines(
        [r"\begin{table}[htbp]", r"\centering", named, r"\resizebox{\textwidth}{!}{%" if wide else ""],
        [rf"\begin{{tabular}}{{{layout}}}", r"\toprule", header, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"],
        ["}" if wide else "", r"\end{table}"],
    )


def _lines(*parts: list[str]) -> str:
    comment = r"% needs \usepackage{booktabs, graphicx, longtable}"
    return "\n".join([comment, *(line for part in parts for line in part if line)]) + "\n"


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _undefined(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value))


def _write_cell(sheet: Any, row: int, place: int, value: Any) -> int:
    """Write one cell, and return the number of characters that it shows."""
    if _undefined(value):
        return 0
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
        return 5
    if isinstance(value, numbers.Real):
        sheet.write_number(row, place, float(value))
        return len(f"{value:.6g}")
    text = str(value)[:MAX_CELL_LENGTH]
    sheet.write_string(row, place, text)
    return len(text)


def _is_number(column: pd.Series) -> bool:
    values = [value for value in column.tolist() if not _undefined(value)]
    return bool(values) and all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values)


def _column(column: pd.Series, number: bool) -> list[str]:
    values = column.tolist()
    defined = [abs(float(value)) for value in values if number and not _undefined(value)]
    whole = all(value.is_integer() for value in defined)
    places = 0 if whole else 4 if max(defined, default=0) <= 1 else 1
    return [_cell(value, number, places) for value in values]


def _cell(value: Any, number: bool, places: int) -> str:
    if _undefined(value):
        return "--"
    if not number:
        return _escaped("yes" if value is True else "no" if value is False else str(value))
    if 0 < abs(value) < 10.0**-places / 2:
        figure, power = f"{value:.1e}".split("e")
        return rf"${figure} \times 10^{{{int(power)}}}$"
    text = f"{value:.{places}f}"
    return f"${text}$" if text.startswith("-") else text


def _escaped(text: str) -> str:
    """Escape text for LaTeX; after the end of a row an opening bracket would be an argument."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    escaped = "".join(_LATEX.get(c, c) for c in printable)
    return "{[}" + escaped[1:] if escaped.startswith("[") else escaped
