"""A dataset as a value: a table of labelled images, and the edits made since their import."""

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
from cfu_core.dataset.table import BOX_COLUMNS, COLUMNS, RANGE_COLUMNS, content_digest
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging import reading
from cfu_core.imaging.cropping import Box
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.imaging.sample_range import SampleRange

#: Kinds of import issues that say what was mapped or assumed; all others are about something that was left out.
_REMARKS = frozenset(
    {
        *("columns", "cells", "encoding", "letter-case", "class-name", "group-name", "range", "box", "plane"),
        *("layout", "partitions", "no-label", "listed-twice", "other-class"),
    }
)
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_safe_id(text: str) -> bool:
    """Return whether a text can be the id of a dataset: 1 to 64 ASCII letters, digits, ``-`` and ``_``."""
    return _SAFE_ID.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True)
class ImportIssue:
    """A file that an import left out, or a remark about what the import mapped or assumed.

    Attributes
    ----------
    path : str
        Path of the file or folder, relative to the source (POSIX). For ``no-path`` and ``cells``: name of the manifest,
        ``:`` and number of the line. For ``class-name`` and ``group-name``: the name that is used.
    kind : str
        Keyword for lists. Left out: a kind of `ImageError`, also for a link or a folder; ``no-class`` (not in a class
        folder), ``empty-class`` (a class folder without files), ``other-file`` (not named as an image), ``not-listed``
        (not in the manifest), ``no-path`` (a row of a manifest), or ``name`` (not UTF-8). Remarks: ``listed-twice`` (a
        path with several rows or entries), ``other-class`` (than the folder), ``no-label`` (images without a class),
        ``columns``, ``cells`` and ``letter-case`` of a manifest, ``encoding`` of a manifest or of the names in a zip,
        ``class-name`` and ``group-name`` (forms that became one), ``box`` (a box that is not used), ``range`` (of
        samples of more than 8 bits), ``plane`` (of several pictures of a file), ``layout`` (of the levels of folders)
        or ``partitions`` (that the source gives).
    detail : str
        One or two sentences that explain the issue to the user.
    label : str
        Class of the file or folder, if the source says it; ``""`` in datasets of earlier versions.
    """

    path: str
    kind: str
    detail: str
    label: str = ""

    @property
    def left_out(self) -> bool:
        """Whether a file, a class folder or a row of a manifest was left out; False for a remark."""
        return self.kind not in _REMARKS


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Images with their classes; immutable. Made by an import, `new_dataset` or `load_dataset`.

    The tables are not copied, so a caller must not change them: `images` and `edited` may be `imported` itself.

    Attributes
    ----------
    id : str
        1 to 64 ASCII letters, digits, ``-`` and ``_``, so that it is safe as a folder name and in a URL.
    name : str
        Name for display; any text.
    imported : pandas.DataFrame
        The table as imported: `COLUMNS`, one row per image, sorted by path, with a RangeIndex. ``path`` is POSIX and
        relative to the source, ``label`` and ``group`` are ``""`` where unknown, ``digest`` is the SHA-256 (hex) of the
        file, and ``extension`` includes the dot. ``width``, ``height`` and ``box_*`` are in pixels of the image with
        its EXIF orientation applied. The right and bottom of a box are exclusive; all four are ``<NA>`` where there is
        no box. ``samples`` is the kind of samples of more than 8 bits (`cfu_core.imaging.sample_range.sample_kinds`),
        and ``black`` and ``white`` are their range; ``""`` and ``<NA>`` for other images, and for images that were
        imported before ranges were chosen. ``plane`` is the number of the picture, from 0, if the file has several, or
        `cfu_core.imaging.planes.FUSED` or `cfu_core.imaging.planes.COMPOSITE`;
        `cfu_core.imaging.planes.FIRST_PAGE` for images that were imported before pictures were chosen; otherwise
        ``<NA>``. ``given_partition`` is the partition that the source gives the image, ``""`` if none. ``key``
        identifies the pixels (`cfu_core.dataset.table.with_keys`).
    import_issues : tuple of ImportIssue
        Files that the import left out, and other issues that it found.
    drawn : bool
        Whether all images are synthetic drawings instead of photographs.
    source : str
        Description of the source for display.
    created : str
        Time of the import, ISO 8601, UTC.
    edits : tuple of Edit
        Manual changes since the import, oldest first.

    Raises
    ------
    ValueError
        If the columns differ from `COLUMNS`, the id is not safe, or an edit names an image that is not in the table
        or undoes or redoes an edit that cannot be undone or redone.
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
        self._effect  # noqa: B018 - evaluated here, so that edits that do not fit raise when the dataset is made

    @cached_property
    def _effect(self) -> Effect:
        return apply_edits(self.imported, self.edits)

    @property
    def images(self) -> pd.DataFrame:
        """The current table: all edits applied, without excluded images; columns and order as in `imported`."""
        return self._effect.images

    @property
    def edited(self) -> pd.DataFrame:
        """Every row of `imported`, including excluded images, with all edits except exclusions applied."""
        return self._effect.edited

    @property
    def rows(self) -> np.ndarray:
        """The row in `imported` (and in `edited`) of each image of `images`; int64, ascending."""
        return self._effect.rows

    @cached_property
    def excluded(self) -> pd.DataFrame:
        """The rows of `edited` that an edit excluded; the index holds their row numbers in `edited`."""
        return self.edited.drop(index=self.rows)

    @property
    def chosen_partitions(self) -> Mapping[str, str]:
        """The partition of each image that was assigned manually, by path; includes excluded images."""
        return self._effect.partitions

    @cached_property
    def partitions(self) -> Mapping[str, str]:
        """The partition of each image of `images` that was assigned manually, by path."""
        absent = set(self.excluded["path"])
        return {path: partition for path, partition in self.chosen_partitions.items() if path not in absent}

    @property
    def version(self) -> int:
        """Number of edits in the log, where an undo or redo counts as an edit; 0 means as imported."""
        return len(self.edits)

    @cached_property
    def imported_digest(self) -> str:
        """SHA-256 (hex) of the table as imported, from `content_digest`; edits do not change it."""
        return content_digest(self.imported)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the current state of `images`: paths, labels, groups, files, boxes and `partitions`."""
        digest = content_digest(self.images) if self.edits else self.imported_digest
        if self.partitions:
            lines = "".join(f"{path}\0{partition}\n" for path, partition in sorted(self.partitions.items()))
            digest = hashlib.sha256(f"{digest}\n{lines}".encode()).hexdigest()
        return digest

    @property
    def classes(self) -> list[str]:
        """Class names of `images`, sorted; a class whose images are all excluded is absent."""
        return sorted(set(self.images["label"].unique()) - {""})

    @property
    def counts(self) -> dict[str, int]:
        """Number of images of each class, without excluded ones, in the order of `classes`."""
        found = self.images["label"].value_counts()
        return {label: int(found[label]) for label in self.classes}

    @cached_property
    def class_indices(self) -> np.ndarray:
        """Index in `classes` of the class of each image of `images`, int64; -1 for an image without a class."""
        return pd.Index(self.classes, dtype="str").get_indexer(self.images["label"]).astype(np.int64)

    @property
    def unlabelled(self) -> int:
        """Number of images of `images` that have no class yet."""
        return int((self.images["label"] == "").sum())

    @property
    def has_groups(self) -> bool:
        """Whether the group (a dish, a donor) of at least one image of `images` is known."""
        return bool((self.images["group"] != "").any())

    def box(self, index: int) -> Box | None:
        """Return the bounding box of the colony in image `index` of `images`; None if none was given or drawn manually.

        Left, top, right and bottom are in pixels of the image with its EXIF orientation applied, right and bottom
        exclusive. No colony is detected here.
        """
        edges = [self.images[column].iat[index] for column in BOX_COLUMNS]
        return None if pd.isna(edges[0]) else Box(*map(int, edges))

    def duplicates(self) -> list[list[str]]:
        """Return the paths of byte-identical images of `images`, one sorted list per set; empty if there are none."""
        twice = self.images[self.images["digest"].duplicated(keep=False)]
        return sorted(sorted(paths) for _, paths in twice.groupby("digest")["path"])

    def image_file(self, index: int) -> Path:
        """Return the path of image `index` of `images` in the image store.

        The file may be missing: a small image of a large dataset is in a pack instead, so use `read_bytes` to read it.
        """
        row = self.images.iloc[index]
        return image_file(row["digest"], row["extension"])

    def read_image(self, index: int) -> np.ndarray:
        """Read and decode image `index` of `images`.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            RGB, with the EXIF orientation applied.

        Raises
        ------
        ImageError
            If the stored file is missing, has been changed or cannot be decoded.
        StorageError
            If the image store is not readable.
        """
        return reading.decode(
            self.read_bytes(index),
            name=self.images["path"].iloc[index],
            samples=self.sample_range(index),
            plane=self.plane(index),
        )

    def sample_range(self, index: int) -> SampleRange | None:
        """Return the range of the samples of image `index` of `images`; None if none was chosen."""
        black, white = (self.images[column].iat[index] for column in RANGE_COLUMNS)
        return None if pd.isna(white) else SampleRange(float(black), float(white))

    def plane(self, index: int) -> int | None:
        """Return the number, from 0, of the picture of a file that is image `index` of `images`; None if it has one.

        `cfu_core.imaging.planes.FIRST_PAGE` if the image was imported before pictures were chosen.
        """
        plane = self.images["plane"].iat[index]
        return None if pd.isna(plane) else int(plane)

    @property
    def sample_ranges(self) -> dict[str, SampleRange] | None:
        """The range of each kind of samples of more than 8 bits in `images`; of several, the most frequent.

        None if the dataset was imported before ranges were chosen.
        """
        if (self.images["plane"] == FIRST_PAGE).any():
            return None
        deep = self.images[self.images["samples"] != ""]
        return {
            kind: SampleRange(*map(float, group[RANGE_COLUMNS].value_counts().index[0]))
            for kind, group in deep.groupby("samples")
        }

    def read_bytes(self, index: int) -> bytes:
        """Read the stored file of image `index` of `images`, unchanged since the import.

        Raises
        ------
        ImageError
            If the file is missing from the image store (kind ``missing``), or has been changed.
        StorageError
            If the image store is not readable.
        """
        row = self.images.iloc[index]
        try:
            return stored_bytes(row["digest"], row["extension"])
        except FileNotFoundError as error:
            raise ImageError(
                f"{self.images['path'].iloc[index]} is missing from the image store.",
                f"It should be at {self.image_file(index)}.",
                "Import the dataset again.",
                kind="missing",
            ) from error
        except ImageError as error:
            path = self.images["path"].iloc[index]
            raise ImageError(f"{path}: {error.found}", error.expected, error.remedy) from error


def slug(name: str) -> str:
    """Return a name as at most 40 ASCII letters, digits, ``-`` and ``_``; ``dataset`` if nothing remains.

    Each run of other characters, or of several ``-``, becomes one ``-``; none is at the beginning or the end.
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:40].strip("-") or "dataset"


def checked_name(name: str) -> str:
    """Return the name of a dataset without surrounding white space; invalid Unicode characters become ``?``.

    Raises
    ------
    DatasetError
        If the name is blank.
    """
    name = _valid_unicode(name).strip()
    if not name:
        raise DatasetError("The dataset has no name.", "", "Enter a name.")
    return name


def new_dataset(
    images: pd.DataFrame,
    *,
    name: str,
    import_issues: Iterable[ImportIssue] = (),
    drawn: bool = False,
    source: str = "",
) -> Dataset:
    """Create a dataset from a table, with an id and the current time. Nothing is written to disk.

    Parameters
    ----------
    images : pandas.DataFrame
        Table from `cfu_core.dataset.table.images_table`; it is not copied.
    name, import_issues, drawn, source
        As in `Dataset`. White space around the name is removed. In the name and the source, invalid Unicode characters
        become ``?``.

    Returns
    -------
    Dataset
        Without edits. Its id is the `slug` of the name, ``-``, and the first 8 digits of the `content_digest` of the
        table, so that the same content under the same name has the same id.

    Raises
    ------
    DatasetError
        If the name is blank.
    ValueError
        If the table has other columns than `COLUMNS`.
    """
    name = checked_name(name)
    return Dataset(
        id=f"{slug(name)}-{content_digest(images)[:8]}",
        name=name,
        imported=images,
        import_issues=tuple(import_issues),
        drawn=drawn,
        source=_valid_unicode(source),
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
    )


def _valid_unicode(text: str) -> str:
    # A file name that is not valid UTF-8 contains lone surrogates, which JSON files and tables cannot store.
    return text.encode("utf-8", "replace").decode()
