"""Manifests: CSV files that list the images of a dataset with their classes, and optionally their groups and boxes."""

from collections import Counter
from dataclasses import dataclass

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.csv_lines import CsvLine, read_lines
from cfu_core.dataset.importing.manifest_columns import EXPECTED, ManifestColumns, count_known, find_columns
from cfu_core.dataset.importing.text_encoding import decode_text
from cfu_core.dataset.name_forms import clean_name
from cfu_core.dataset.partition_names import partition_named
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError
from cfu_core.wording import first_of, plural

Box = tuple[int, int, int, int]

_MISSING = frozenset(  # what R, pandas, spreadsheets and databases write for a missing value
    {"NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "None", "NULL", "null"}
)
_MOST_NAMED = 4  # values in a message
_SAMPLE_LENGTH = 60  # characters of a guessed text in its issue


@dataclass(frozen=True, kw_only=True)
class ManifestRow:
    """One image of a manifest.

    Attributes
    ----------
    line : int
        Number of the line in the file, counted from 1, for messages; the last line if the row spans several.
    path, label, group : str
        Without surrounding blanks; `label` and `group` may be empty.
    partition : str
        ``training``, ``validation`` or ``test``; ``""`` if the row does not give one.
    box : tuple of int, or None
        Left, top, right, bottom in pixels of the image with its EXIF orientation applied; right and bottom exclusive.
        None if the row has no box. It may exceed the image, whose size is not known here.
    """

    line: int
    path: str
    label: str
    group: str
    partition: str
    box: Box | None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Content of a manifest.

    Attributes
    ----------
    rows : tuple of ManifestRow
        Rows with a path, in the order of the file. One path may occur several times.
    issues : tuple of ImportIssue
        An encoding that was guessed (kind ``encoding``); columns that have another name than the expected one, or are
        not used, words for missing values, and values that are not partitions (``columns``); rows without a path
        (``no-path``); rows without a label (``no-label``, one issue for all of them); rows with more cells than there
        are columns (``cells``), and boxes that are not valid (``box``; such a row is in `rows` without its box).
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
        CSV as `cfu_core.dataset.importing.text_encoding.decode_text` and
        `cfu_core.dataset.importing.csv_lines.read_lines` accept it, with column names in the first line. The columns
        ``path`` and ``label`` are required; ``group``, ``partition``, ``box_left``, ``box_top``, ``box_right``,
        ``box_bottom`` and ``origin`` are optional. Other usual names of these columns are recognised (see
        `cfu_core.dataset.importing.manifest_columns.find_columns`). Other columns and blank lines are ignored.
    name : str
        Name of the manifest in messages and issues.

    Raises
    ------
    DatasetError
        The manifest is not text or its encoding is not recognised, it is not CSV, lacks a required column, has a column
        twice, or has no row below the column names.
    """
    text, guessed = decode_text(data, name=name)
    lines = read_lines(text, name=name, known_columns=count_known)
    header, *body = lines or [CsvLine(1, [])]
    columns = find_columns(header.cells, name=name, line=header.line)
    if not body:
        raise DatasetError(f"{name} has a header but no rows.", EXPECTED, "Add a row for each image.")
    filled = {position for line in body for position, cell in enumerate(line.cells) if cell}
    issues = [_guess_issue(text, guessed, name)] if guessed else []
    issues += columns.issues(name, filled=filled)
    rows, origins, no_partitions, missing = [], set(), Counter[str](), Counter[str]()
    for line, cells in body:
        values = _values(columns, cells)
        for column in ("label", "group", "partition"):
            if values.get(column, "").strip() in _MISSING:
                missing[column] += 1
                values[column] = ""
        origins.add(values.get("origin", "").lower())
        stated = values.get("partition", "").strip()
        if stated and not partition_named(stated):
            no_partitions[stated] += 1
        row, issue = _row(line, values, name)
        if row is not None:
            rows.append(row)
        if issue is not None:
            issues.append(issue)
        if any(cells[len(columns.names) :]):
            issues.append(_cells_issue(line, cells, columns, name))
    unlabelled = [row.line for row in rows if not row.label]
    if unlabelled:
        numbers = first_of([str(number) for number in unlabelled], _MOST_NAMED)
        which = "Line" if len(unlabelled) == 1 else "Lines"
        detail = f"{which} {numbers} of {name} {'gives' if len(unlabelled) == 1 else 'give'} no label: "
        detail += f"{plural(len(unlabelled), 'image is', 'images are')} imported without a class."
        issues.append(ImportIssue(path=name, kind="no-label", detail=detail))
    issues += [_missing_issue(count, columns, column, name) for column, count in missing.items()]
    if no_partitions:
        issues.append(_partition_issue(no_partitions, columns, name))
    return Manifest(rows=tuple(rows), issues=tuple(issues), drawn=origins == {"drawn"})


def _guess_issue(text: str, guessed: str, name: str) -> ImportIssue:
    sample = next((line for line in text.splitlines() if not line.isascii()), text.partition("\n")[0]).strip()
    detail = (
        f"{name} does not say its encoding and is not UTF-8; it was read as {guessed}: {sample[:_SAMPLE_LENGTH]}. If "
        'this is wrong, save it as "CSV UTF-8" and import it again.'
    )
    return ImportIssue(path=name, kind="encoding", detail=detail)


def _missing_issue(count: int, columns: ManifestColumns, column: str, name: str) -> ImportIssue:
    shown = columns.names[columns.positions[column]]
    detail = (
        f"{name}: {plural(count, 'cell')} of the column {shown} contain NA or another word for a missing value, and "
        "count as empty."
    )
    return ImportIssue(path=name, kind="columns", detail=detail)


def _partition_issue(values: Counter[str], columns: ManifestColumns, name: str) -> ImportIssue:
    column = columns.names[columns.positions["partition"]]
    detail = (
        f"{name}: the column {column} has values that are not partitions, in {plural(values.total(), 'row')}: "
        f"{first_of(list(values), _MOST_NAMED)}. Expected training, validation, test or usual other names. The program "
        "assigns these images itself."
    )
    return ImportIssue(path=name, kind="columns", detail=detail)


def _cells_issue(line: int, cells: list[str], columns: ManifestColumns, name: str) -> ImportIssue:
    detail = (
        f"Line {line} of {name} has {len(cells)} cells, but there are {len(columns.names)} columns; the last cells are "
        "not used. Put a cell that contains the separator in quotation marks."
    )
    return ImportIssue(path=f"{name}:{line}", kind="cells", detail=detail)


def _values(columns: ManifestColumns, cells: list[str]) -> dict[str, str]:
    return {column: cells[at] for column, at in columns.positions.items() if at < len(cells)}


def _row(line: int, values: dict[str, str], name: str) -> tuple[ManifestRow | None, ImportIssue | None]:
    """Return the row of a line, None if it lacks its path, and its issue; a wrong box only drops the box."""
    path, label = values.get("path", "").strip(), values.get("label", "")
    label = label if clean_name(label) else ""
    if not path:
        return None, ImportIssue(path=f"{name}:{line}", kind="no-path", detail=f"Line {line} of {name} names no image.")
    box, issue = None, None
    try:
        box = _box([values.get(column, "") for column in BOX_COLUMNS])
    except ValueError as error:
        detail = f"Line {line} of {name}: {error}. The image is kept without a box."
        issue = ImportIssue(path=path, kind="box", detail=detail)
    row = ManifestRow(
        line=line,
        path=path,
        label=label,
        group=values.get("group", ""),
        partition=partition_named(values.get("partition", "")),
        box=box,
    )
    return row, issue


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
