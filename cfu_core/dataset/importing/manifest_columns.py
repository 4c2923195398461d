"""Columns of a manifest: which column is the path, the class, the group or the box, by the name of the column."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError
from cfu_core.wording import first_of

EXPECTED = (
    "A manifest needs the columns path and label; group, partition, box_left, box_top, box_right, box_bottom and "
    "origin are optional. Usual other names, such as file, class and donor, are recognised."
)
# Names of the same thing, the preferred one first. Of donor and dish the donor is the group: it contains the dishes.
_SYNONYMS = {
    "path": (
        *("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "image_file"),
        *("image_name", "imagename", "img", "img_path", "picture"),
    ),
    "label": (
        *(
            "label",
            "class",
            "class_name",
            "classname",
            "class_label",
            "labels",
            "classes",
            "category",
            "target",
            "type",
        ),
        *("colony_type", "colony_class", "cell_type", "true", "true_class", "true_label", "ground_truth"),
    ),
    "group": (
        *("group", "groups", "group_id", "donor", "donor_id", "patient", "patient_id", "subject", "subject_id"),
        *("plate", "plate_id", "dish", "dish_id"),
    ),
    "partition": ("partition", "split", "subset", "set"),
    "origin": ("origin",),
    **{column: (column,) for column in BOX_COLUMNS},
}
_WORDS = {"path": "path", "label": "class", "group": "group", "partition": "partition"}
_SHOWN = 10  # columns in one message


@dataclass(frozen=True, kw_only=True)
class ManifestColumns:
    """Columns of a manifest.

    Attributes
    ----------
    positions : dict of str to int
        Position of ``path`` and ``label``, and of those of ``group``, ``partition``, ``origin`` and ``box_*`` that the
        manifest has.
    unused : tuple of int
        Positions of the columns that are not used.
    names : tuple of str
        Names as written in the manifest.
    """

    positions: dict[str, int]
    unused: tuple[int, ...]
    names: tuple[str, ...]

    def issues(self, name: str, *, filled: set[int]) -> list[ImportIssue]:
        """Describe the columns that are used under another name than their own, and those that are not used.

        Parameters
        ----------
        name : str
            Name of the manifest.
        filled : set of int
            Positions of columns with at least one cell that is not empty. A column without a name is mentioned only if
            it is one of these.
        """
        details = [
            f"{name}: the column {self.names[position]} is used as the {_WORDS[column]}."
            for column, position in self.positions.items()
            if column in _WORDS and _key(self.names[position]) not in (column, _WORDS[column])
        ]
        unused = [self._shown(position) for position in self.unused if self.names[position] or position in filled]
        if unused:
            which = "column is" if len(unused) == 1 else "columns are"
            details.append(f"{name}: {len(unused)} {which} not used: {first_of(unused, _SHOWN)}.")
        return [ImportIssue(path=name, kind="columns", detail=detail) for detail in details]

    def _shown(self, position: int) -> str:
        column = _column_of(self.names[position])
        name = self.names[position] or f"number {position + 1} (it has no name)"
        if column is None or column not in self.positions:
            return name
        return f"{name} (the {_WORDS.get(column, column)} is in {self.names[self.positions[column]]})"


def count_known(names: Sequence[str]) -> int:
    """Return how many names are those of columns that a manifest may have."""
    return sum(_column_of(name) is not None for name in names)


def find_columns(names: Sequence[str], *, name: str, line: int) -> ManifestColumns:
    """Find the columns of a manifest by their names.

    Upper and lower case, blanks, hyphens and full stops make no difference: ``Box Left`` is ``box_left``. If several
    columns have a name of the same thing, the name that is earlier in the list of synonyms is used.

    Parameters
    ----------
    names : sequence of str
        Cells of the first row.
    name : str
        Name of the manifest in messages.
    line : int
        Line of the first row in the manifest.

    Raises
    ------
    DatasetError
        There is no column for the path or the class, or one column that is used is there twice.
    """
    keys = [_key(cell) for cell in names]
    positions = {}
    for column, synonyms in _SYNONYMS.items():
        used = next((synonym for synonym in synonyms if synonym in keys), None)
        if used is not None:
            positions[column] = keys.index(used)
            if keys.count(used) > 1:
                found = f"{name} has the column {names[positions[column]]} twice in line {line}."
                raise DatasetError(found, EXPECTED, "Remove one of them.")
    missing = [column for column in ("path", "label") if column not in positions]
    if missing:
        written = ", ".join(cell for cell in names[:_SHOWN] if cell) or "nothing"
        found = f"{name} has no column {' and no column '.join(missing)}; line {line} has {written}."
        raise DatasetError(found, EXPECTED, "Write the column names into the first line.")
    return ManifestColumns(
        positions=positions,
        unused=tuple(position for position in range(len(names)) if position not in positions.values()),
        names=tuple(" ".join(cell.split()) for cell in names),
    )


def _column_of(name: str) -> str | None:
    key = _key(name)
    return next((column for column, synonyms in _SYNONYMS.items() if key in synonyms), None)


def _key(name: str) -> str:
    return re.sub(r"[\W_]+", "_", unicodedata.normalize("NFKC", name).casefold()).strip("_")
