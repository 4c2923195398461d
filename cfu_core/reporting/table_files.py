"""A table as a file for other programs: CSV, Excel, LaTeX.

Names of classes and files come from whoever made the images, and a spreadsheet takes text that begins with ``=`` for a
formula. In Excel's own format text is written as text. CSV has no such way, and is mostly opened by spreadsheets: there
such text gets an apostrophe in front, by which spreadsheets mark text; numbers never do.
"""

import io
import math
import numbers
from typing import Any

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
WIDEST = 60  # characters of a column in Excel
LONGEST_CELL = 32_767  # characters that Excel takes
LONG = 40  # rows; a longer table runs over pages
WIDE_TEXT = 90  # characters of a row; a longer one of a table over pages is set in the smallest type
WIDE = 6  # columns; a wider table is shrunk to the width of the text
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
    """A table as CSV in UTF-8, its text safe in spreadsheets."""
    guarded = table.map(_guarded).rename(columns=_guarded)
    return guarded.to_csv(index=False).encode()


def excel_bytes(table: pd.DataFrame, name: str = "table") -> bytes:
    """A table as an Excel file: numbers as numbers, text as text, an undefined value as an empty cell.

    Parameters
    ----------
    table : DataFrame
    name : str
        Of the sheet; what Excel does not allow in it is left out.
    """
    import xlsxwriter  # late: pages need not wait for it

    file = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, plain) as book:
        allowed = "".join(c for c in name if c.isprintable() and c not in "[]:*?/\\").strip("'")
        sheet = book.add_worksheet(allowed[:31] or "table")
        bold = book.add_format({"bold": True, "bottom": 1})
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, str(column), bold)
            longest = len(str(column)) + 1
            for row, value in enumerate(table.iloc[:, place].tolist(), 1):
                longest = max(longest, _write_cell(sheet, row, place, value))
            sheet.set_column(place, place, min(WIDEST, longest + 1))
        sheet.freeze_panes(1, 0)
    return file.getvalue()


def latex(table: pd.DataFrame, *, caption: str, label: str) -> str:
    """A table for LaTeX, with the rules of booktabs.

    Parameters
    ----------
    table : DataFrame
    caption : str
        As plain text.
    label : str
        For ``\\ref``; letters, digits and hyphens, all else becomes a hyphen.

    Returns
    -------
    str
        Needs the packages booktabs, graphicx and longtable, and for letters that are not Latin XeLaTeX or LuaLaTeX.
    """
    numeric = [_is_number(table.iloc[:, place]) for place in range(table.shape[1])]
    columns = [_column(table.iloc[:, place], number) for place, number in enumerate(numeric)]
    layout = "".join("r" if number else "l" for number in numeric)
    header = " & ".join(_escaped(str(name)) for name in table.columns) + r" \\"
    rows = [" & ".join(cells) + r" \\" for cells in zip(*columns, strict=True)]
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in label)
    named = rf"\caption{{{_escaped(caption)}}}\label{{tab:{safe}}}"
    if len(rows) > LONG:
        head = [r"\toprule", header, r"\midrule"]
        longest = sum(max(map(len, (str(name), *cells))) for name, cells in zip(table.columns, columns, strict=True))
        size = r"\tiny\setlength{\tabcolsep}{3pt}" if longest > WIDE_TEXT else r"\footnotesize"
        return _lines(
            [rf"\begingroup{size}", rf"\begin{{longtable}}{{{layout}}}", named + r" \\", *head, r"\endfirsthead"],
            [*head, r"\endhead", r"\bottomrule", r"\endlastfoot", *rows, r"\end{longtable}", r"\endgroup"],
        )
    wide = len(layout) > WIDE
    return _lines(
        [r"\begin{table}[htbp]", r"\centering", named, r"\resizebox{\textwidth}{!}{%" if wide else ""],
        [rf"\begin{{tabular}}{{{layout}}}", r"\toprule", header, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"],
        ["}" if wide else "", r"\end{table}"],
    )


def _lines(*parts: list[str]) -> str:
    said = r"% needs \usepackage{booktabs, graphicx, longtable}"
    return "\n".join([said, *(line for part in parts for line in part if line)]) + "\n"


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _undefined(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value))


def _write_cell(sheet: Any, row: int, place: int, value: Any) -> int:
    """Write one cell; gives how many characters it shows."""
    if _undefined(value):
        return 0
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
        return 5
    if isinstance(value, numbers.Real):
        sheet.write_number(row, place, float(value))
        return len(f"{value:.6g}")
    text = str(value)[:LONGEST_CELL]
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
    """`text` as LaTeX prints it; an opening bracket would be an argument after the end of a row."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    escaped = "".join(_LATEX.get(c, c) for c in printable)
    return "{[}" + escaped[1:] if escaped.startswith("[") else escaped
