"""A dataset as a value: labelled images, and the edits made since they were imported."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from cfu_core.dataset.history import Edit, Effect, apply_edits
from cfu_core.dataset.image_store import image_file, stored_bytes
from cfu_core.dataset.table import BOX_COLUMNS, COLUMNS, content_digest
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging import reading
from cfu_core.imaging.cropping import Box

_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_safe_id(text: str) -> bool:
    """Return whether a text can be the id of a dataset: 1 to 64 ASCII letters, digits, ``-`` and ``_``."""
    return _SAFE_ID.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True)
class ImportIssue:
    """Something that was left out of a dataset, or that its owner should look at.

    Parameters
    ----------
    path : str
        Where, relative to the source (POSIX).
    kind : str
        One word for lists, for example ``truncated``, ``no-class``, ``empty-class``.
    detail : str
        One or two sentences for people.
    """

    path: str
    kind: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images with their classes, never changed in place. From `importing`, `new_dataset` or `load_dataset`.

    Parameters
    ----------
    id : str
        Safe as a folder name and in a URL (ASCII letters, digits, ``-`` and ``_``).
    name : str
        For people; any text.
    imported : pandas.DataFrame
        The table as imported: `COLUMNS`, one row an image, sorted by path, with a RangeIndex. `path` is POSIX and
        relative to the source, `group` is ``""`` where unknown, `width` and `height` are in pixels as displayed,
        `box_*` are pixels of the displayed image (right and bottom exclusive) and ``<NA>`` where there is no box.
    import_issues : tuple of ImportIssue
        What was left out, and why.
    drawn : bool
        True where every image is drawn, not photographed.
    source : str
        Where it came from, for people.
    created : str
        ISO 8601, UTC.
    edits : tuple of Edit
        What was changed by hand since, oldest first.

    Raises
    ------
    ValueError
        The columns are others, the id is not safe, or the edits do not fit the table.
    """

    id: str
    name: str
    imported: pd.DataFrame
    import_issues: tuple[ImportIssue, ...]
    drawn: bool
    source: str
    created: str
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if list(self.imported.columns) != COLUMNS:
            raise ValueError(f"images has the columns {list(self.imported.columns)}, not {COLUMNS}")
        if not is_safe_id(self.id):
            raise ValueError(f"id is {self.id!r}; only ASCII letters, digits, - and _ are safe")
        self._effect  # noqa: B018 - worked out now, so that edits that do not fit are told here

    @cached_property
    def _effect(self) -> Effect:
        return apply_edits(self.imported, self.edits)

    @property
    def images(self) -> pd.DataFrame:
        """The table as it counts now: edits applied, excluded images gone; columns and order as in `imported`."""
        return self._effect.images

    @property
    def edited(self) -> pd.DataFrame:
        """Every row of `imported`, excluded ones too, with all other edits applied."""
        return self._effect.edited

    @property
    def rows(self) -> np.ndarray:
        """The row in `imported` (and in `edited`) of each image of `images`; int64, ascending."""
        return self._effect.rows

    @cached_property
    def excluded(self) -> pd.DataFrame:
        """The rows of `edited` that an edit left out, under the row numbers they have there."""
        return self.edited.drop(index=self.rows)

    @property
    def chosen_partitions(self) -> Mapping[str, str]:
        """The partition into which an image was put by hand, by path; excluded images too."""
        return self._effect.partitions

    @cached_property
    def partitions(self) -> Mapping[str, str]:
        """`chosen_partitions` of the images that count."""
        absent = set(self.excluded["path"])
        return {path: partition for path, partition in self.chosen_partitions.items() if path not in absent}

    @property
    def version(self) -> int:
        """How many edits the log has; 0: as imported."""
        return len(self.edits)

    @cached_property
    def imported_digest(self) -> str:
        """`content_digest` of `imported`."""
        return content_digest(self.imported)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of what counts now: `content_digest` of `images`, and what was put into a partition by hand."""
        digest = content_digest(self.images) if self.edits else self.imported_digest
        if self.partitions:
            lines = "".join(f"{path}\0{partition}\n" for path, partition in sorted(self.partitions.items()))
            digest = hashlib.sha256(f"{digest}\n{lines}".encode()).hexdigest()
        return digest

    @property
    def classes(self) -> list[str]:
        """The labels, sorted."""
        return sorted(self.images["label"].unique())

    @property
    def counts(self) -> dict[str, int]:
        """How many images each class has, in the order of `classes`."""
        found = self.images["label"].value_counts()
        return {label: int(found[label]) for label in self.classes}

    @property
    def has_groups(self) -> bool:
        """True where at least one image names its group (a dish, a donor)."""
        return bool((self.images["group"] != "").any())

    def box(self, index: int) -> Box | None:
        """The colony's box in the image of row `index`, where a person or a manifest marked it."""
        edges = [self.images[column].iat[index] for column in BOX_COLUMNS]
        return None if pd.isna(edges[0]) else Box(*map(int, edges))

    def duplicates(self) -> list[list[str]]:
        """Paths of byte-identical images: each group sorted, the groups sorted."""
        twice = self.images[self.images["digest"].duplicated(keep=False)]
        return sorted(sorted(paths) for _, paths in twice.groupby("digest")["path"])

    def image_file(self, index: int) -> Path:
        """Where the image of row `index` lies in the image store."""
        row = self.images.iloc[index]
        return image_file(row["digest"], row["extension"])

    def read_image(self, index: int) -> np.ndarray:
        """Pixels of the image of row `index`.

        Returns
        -------
        ndarray, uint8, shape (H, W, 3)
            RGB, turned as displayed.

        Raises
        ------
        ImageError
            The stored file is gone or damaged.
        """
        return reading.decode(self.read_bytes(index), name=self.images["path"].iloc[index])

    def read_bytes(self, index: int) -> bytes:
        """The stored file of row `index`, as it was imported.

        Raises
        ------
        ImageError
            It is gone from the image store (kind ``missing``).
        """
        row = self.images.iloc[index]
        try:
            return stored_bytes(row["digest"], row["extension"])
        except FileNotFoundError as error:
            raise ImageError(
                f"{self.images['path'].iloc[index]} is gone from the image store.",
                f"It should be at {self.image_file(index)}.",
                "Import the dataset again.",
                kind="missing",
            ) from error


def slug(name: str) -> str:
    """`name` as at most 40 ASCII letters, digits, ``-`` and ``_``; ``dataset`` where nothing is left."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:40].strip("-") or "dataset"


def checked_name(name: str) -> str:
    """A dataset's name as it is kept: without blanks around it, and proper text.

    Raises
    ------
    DatasetError
        It is blank.
    """
    name = _printable(name).strip()
    if not name:
        raise DatasetError("The dataset has no name.", "", "Give it one.")
    return name


def new_dataset(
    images: pd.DataFrame,
    *,
    name: str,
    import_issues: Iterable[ImportIssue] = (),
    drawn: bool = False,
    source: str = "",
) -> Dataset:
    """A dataset, not yet saved, with its id and the time of now.

    Parameters
    ----------
    images : pandas.DataFrame
        As `images_table` makes it.
    name : str
        For people.

    Raises
    ------
    DatasetError
        The name is blank.
    """
    name = checked_name(name)
    return Dataset(
        id=f"{slug(name)}-{content_digest(images)[:8]}",
        name=name,
        imported=images,
        import_issues=tuple(import_issues),
        drawn=drawn,
        source=_printable(source),
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
    )


def _printable(text: str) -> str:
    # A file name that is no UTF-8 carries lone surrogates, which no JSON or table takes.
    return text.encode("utf-8", "replace").decode()
