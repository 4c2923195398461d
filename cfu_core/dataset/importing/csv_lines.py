"""Rows of CSV files as Excel and other programs write them: usual separators, ``sep=`` lines, quoted line breaks."""

import csv
import io
import re
from collections.abc import Callable
from typing import NamedTuple

from cfu_core.errors import DatasetError

_BLANKS = " \t\r\n"  # not the no-break blank: it may distinguish two names, which the import reports

_SEPARATORS = (",", ";", "\t", "|")
_SAVE_AGAIN = "Correct this line, or save the table again as CSV."


class CsvLine(NamedTuple):
    """Cells of a row.

    Attributes
    ----------
    line : int
        Number of its last line in the file, counted from 1: a cell in quotation marks may contain line breaks.
    cells : list of str
        Cells without surrounding blanks, tabs and line breaks.
    """

    line: int
    cells: list[str]


def read_lines(text: str, *, name: str, known_columns: Callable[[list[str]], int]) -> list[CsvLine]:
    """Split a CSV file into rows and cells.

    A first line such as ``sep=;`` gives the separator and is left out. Otherwise the separator is the comma, semicolon,
    tab or vertical bar by which the first row has the most known column names, and then the most cells.

    Parameters
    ----------
    text : str
        Content of the file.
    name : str
        Name of the file in messages.
    known_columns : callable
        Returns the number of known column names among the cells of a row.

    Returns
    -------
    list of CsvLine
        Rows that are not blank; the first has the column names.

    Raises
    ------
    DatasetError
        A quotation mark is not closed or within a word, or a cell has more characters than the limit of `csv`.
    """
    given = re.match(r'\s*"?sep=(.)"?[ \t;,]*(\r\n|\r|\n|$)', text, re.IGNORECASE)
    if given:
        return _split(text, given[1], name)[1:]

    def recognised(separator: str) -> tuple[int, int]:
        cells = _first_row(text, separator)
        return known_columns(cells), len(cells)

    return _split(text, max(_SEPARATORS, key=recognised), name)


def _first_row(text: str, separator: str) -> list[str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return next((cells for cells in map(_stripped, reader) if any(cells)), [])
    except csv.Error:
        return []


def _split(text: str, separator: str, name: str) -> list[CsvLine]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines, begin = [], 1
    try:
        for row in reader:
            cells = _stripped(row)
            if any(cells):
                lines.append(CsvLine(reader.line_num, cells))
            begin = reader.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error):
            raise DatasetError(
                f'{name} has a quotation mark (") in line {begin} that is not closed.',
                "A cell that begins with a quotation mark ends with one.",
                _SAVE_AGAIN,
            ) from error
        raise DatasetError(
            f"{name} cannot be read as a table, from line {begin} on: {error}.", "", _SAVE_AGAIN
        ) from error
    return lines


def _stripped(row: list[str]) -> list[str]:
    return [cell.strip(_BLANKS) for cell in row]
