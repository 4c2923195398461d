"""Manifests: CSV files that list the images of a dataset with their classes, and optionally their groups and boxes."""

import csv
import io
from dataclasses import dataclass

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError

Box = tuple[int, int, int, int]

_REQUIRED = ("path", "label")
_EXPECTED = (
    "A manifest needs the columns path and label; group, box_left, box_top, box_right, box_bottom and origin are "
    "optional."
)


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One image of a manifest.

    Attributes
    ----------
    line : int
        Number of the line in the file, counted from 1, for messages; the last line if the row spans several.
    path, label, group : str
        Without surrounding white space; `group` may be empty.
    box : tuple of int, or None
        Left, top, right, bottom in pixels of the image with its EXIF orientation applied; right and bottom exclusive.
        None if the row has no box. It may exceed the image, whose size is not known here.
    """

    line: int
    path: str
    label: str
    group: str
    box: Box | None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Content of a manifest.

    Attributes
    ----------
    rows : tuple of ManifestRow
        Rows with a path and a label, in the order of the file. One path may occur several times.
    issues : tuple of ImportIssue
        Rows without a path (kind ``no-path``) or a label (``no-label``), and boxes that are not valid (``box``; such a
        row is in `rows` without its box).
    drawn : bool
        Whether every row has the origin ``drawn``, in upper or lower case.
    """

    rows: tuple[ManifestRow, ...]
    issues: tuple[ImportIssue, ...]
    drawn: bool


def parse_manifest(data: bytes, *, name: str) -> Manifest:
    """Parse a manifest.

    Parameters
    ----------
    data : bytes
        CSV in UTF-8 with or without a byte order mark; column names in the first line, in upper or lower case. Columns
        are separated by semicolons if the first line has more of these than commas, otherwise by commas. The columns
        ``path`` and ``label`` are required; ``group``, ``box_left``, ``box_top``, ``box_right``, ``box_bottom`` and
        ``origin`` are optional; other columns and blank lines are ignored.
    name : str
        Name of the manifest in messages and issues.

    Raises
    ------
    DatasetError
        The manifest is not UTF-8 text or not CSV, lacks a required column, has a column twice, or has no row below
        the column names.
    """
    lines = _lines(data, name)
    columns = _columns(lines[0][1] if lines else [], name)
    rows, issues, origins = [], [], set()
    for line, cells in lines[1:]:
        values = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        origins.add(values.get("origin", "").lower())
        row, issue = _row(line, values, name)
        if row is not None:
            rows.append(row)
        if issue is not None:
            issues.append(issue)
    if not origins:
        raise DatasetError(f"{name} has a header but no rows.", _EXPECTED, "Add a row for each image.")
    return Manifest(rows=tuple(rows), issues=tuple(issues), drawn=origins == {"drawn"})


def _lines(data: bytes, name: str) -> list[tuple[int, list[str]]]:
    """Return (line number, cells) of every line that is not blank."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{name} is not UTF-8 text (byte {error.start + 1}).", "", 'In Excel, save it as "CSV UTF-8".'
        ) from error
    header = text.lstrip().partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DatasetError(
            f"{name} cannot be read as a table, from line {reader.line_num} on: {error}.",
            _EXPECTED,
            "Save it again as CSV.",
        ) from error


def _columns(header: list[str], name: str) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        found = f"{name} has no column {' and no column '.join(missing)}; it has {', '.join(columns) or 'nothing'}."
        raise DatasetError(found, _EXPECTED, "Add it to the first line.")
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise DatasetError(f"{name} has the column {twice[0]} twice.", _EXPECTED, "Remove one of them.")
    return columns


def _row(line: int, values: dict[str, str], name: str) -> tuple[ManifestRow | None, ImportIssue | None]:
    """Return the row of a line, None if it lacks its path or label, and its issue; a wrong box only drops the box."""
    path, label = values.get("path", ""), values.get("label", "")
    if not path:
        return None, ImportIssue(path=f"{name}:{line}", kind="no-path", detail=f"Line {line} of {name} names no image.")
    if not label:
        return None, ImportIssue(path=path, kind="no-label", detail=f"Line {line} of {name} gives {path} no label.")
    box, issue = None, None
    try:
        box = _box([values.get(column, "") for column in BOX_COLUMNS])
    except ValueError as error:
        detail = f"Line {line} of {name}: {error}. The image is kept without a box."
        issue = ImportIssue(path=path, kind="box", detail=detail)
    return ManifestRow(line=line, path=path, label=label, group=values.get("group", ""), box=box), issue


def _box(cells: list[str]) -> Box | None:
    if not any(cells):
        return None
    text = ", ".join(cells)
    try:
        edges = [float(cell) for cell in cells]
        left, top, right, bottom = (int(edge) for edge in edges)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the box ({text}) is not four whole numbers") from error
    if [left, top, right, bottom] != edges:
        raise ValueError(f"the box ({text}) is not four whole numbers")
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError(f"the box ({text}) is not left < right and top < bottom, counted from 0")
    return left, top, right, bottom
