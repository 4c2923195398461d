"""Datasets on disk: a table with one row an image; each image kept once, by the digest of its bytes.

`<home>/datasets/<id>/` holds `images.parquet` (the table as imported), `edits.jsonl` (what was changed by hand since)
and `dataset.json` (the summary, written last: a folder without it is no dataset yet).
The images of all datasets lie in the image store.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfu_core.dataset.history import LOG, Edit, Effect, apply_edits, extended_log, log_size, read_log
from cfu_core.dataset.image_store import image_file, image_store, store_lock, stored_bytes
from cfu_core.dataset.packs import PACKS, remove_packs
from cfu_core.dataset.summary import SUMMARY, DatasetSummary, damaged, read_summary, shown, shown_as_damaged
from cfu_core.dataset.table import BOX_COLUMNS, COLUMNS, DTYPES, content_digest
from cfu_core.dataset.table import images_table as images_table  # importing finds it here
from cfu_core.errors import CfuError, DatasetError, ImageError
from cfu_core.imaging import reading
from cfu_core.imaging.cropping import Box
from cfu_core.storage import home, replacing, storage_errors, write_bytes, write_json

_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Problem:
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
    problems : tuple of Problem
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
    problems: tuple[Problem, ...]
    drawn: bool
    source: str
    created: str
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if list(self.imported.columns) != COLUMNS:
            raise ValueError(f"images has the columns {list(self.imported.columns)}, not {COLUMNS}")
        if not _SAFE_ID.fullmatch(self.id):
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
    problems: Iterable[Problem] = (),
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
        problems=tuple(problems),
        drawn=drawn,
        source=_printable(source),
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
    )


def save_dataset(dataset: Dataset) -> None:
    """Write a dataset so that a reader sees all of it or nothing. Its images must be in the store already.

    Where the same dataset is there already, its log of edits stays, and goes on to count.

    Raises
    ------
    StorageError
        The disk is full, or the home folder may not be written; nothing is left behind.
    DatasetError
        The log of edits that is there is damaged.
    """
    folder = dataset_folder(dataset.id)
    with store_lock():
        known = (folder / SUMMARY).exists()
        try:
            if known:
                dataset = _with_edits(dataset, read_log(folder, counted=0))
            else:  # a deletion that was cut short may have left one
                (folder / LOG).unlink(missing_ok=True)
            with replacing(folder / "images.parquet") as draft:
                dataset.imported.to_parquet(draft, index=False)
            write_json(folder / SUMMARY, _summary_json(dataset, log_size(folder)))
        except BaseException:
            if not known:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def save_edit(dataset: Dataset, edit: Edit) -> Dataset:
    """Add an edit to the log of a saved dataset. To be called under `store_lock`, with the dataset as it is on disk.

    Raises
    ------
    StorageError
        The disk is full, or the home folder may not be written; then nothing has changed.
    """
    folder = dataset_folder(dataset.id)
    edited = replace(dataset, edits=(*dataset.edits, edit))
    log = extended_log(folder, dataset.edits, edit)
    with replacing(folder / SUMMARY) as draft:  # both files are on the disk before either counts; the log goes first
        write_json(draft, read_summary(folder / SUMMARY) | _what_counts(edited, len(log)))
        write_bytes(folder / LOG, log)
    return edited


def load_dataset(reference: str, *, version: int | None = None) -> Dataset:
    """A saved dataset.

    Parameters
    ----------
    reference : str
        Its id, or else its name; of several with that name, the newest.
    version : int, optional
        With only the first so many edits of its log; 0: as imported. By default with all of them.

    Raises
    ------
    DatasetError
        There is no such dataset or version, or it is damaged.
    """
    identity = _resolve(reference)
    folder = dataset_folder(identity)
    summary = read_summary(folder / SUMMARY)
    imported = _read_table(folder / "images.parquet")
    edits = read_log(folder, counted=summary["edits"]["version"])
    if version is not None and not 0 <= version <= len(edits):
        raise DatasetError(
            f"The dataset {identity} has no version {version}.",
            f"Its log holds {len(edits)} edits.",
            "Use the dataset as it is now.",
        )
    dataset = Dataset(
        id=identity,
        name=summary["name"],
        imported=imported,
        problems=tuple(Problem(**problem) for problem in summary["problems"]),
        drawn=summary["drawn"],
        source=summary["source"],
        created=summary["created"],
    )
    if dataset.imported_digest != summary["digest"]:
        raise damaged(identity, "its table does not fit its summary")
    return _with_edits(dataset, edits[:version]) if edits[:version] else dataset


def list_datasets() -> list[DatasetSummary]:
    """Every saved dataset, the newest first; damaged ones come last and say so in `damaged`.

    Raises
    ------
    StorageError
        The home folder may not be read.
    """
    folder = home() / "datasets"
    with storage_errors(folder):
        found = sorted(folder.glob(f"*/{SUMMARY}")) if folder.is_dir() else []
    summaries = [_summary(file) for file in found if _SAFE_ID.fullmatch(file.parent.name)]
    summaries.sort(key=lambda summary: (not summary.damaged, summary.created, summary.id), reverse=True)
    return summaries


def delete_dataset(id: str) -> None:
    """Remove a dataset, and those of its images that no other dataset uses.

    Where the table of any dataset cannot be read, nobody knows what it uses, and all images stay.

    Raises
    ------
    DatasetError
        There is no dataset with this id.
    StorageError
        The home folder may not be written.
    """
    with store_lock():
        folder = _existing(id)
        others = [other for other in folder.parent.glob("*/images.parquet") if other.parent != folder]
        try:
            used = set[tuple[str, str]]().union(*map(_stored, others))
            spare = _stored(folder / "images.parquet") - used
            known = True
        except CfuError:
            known = False
        with storage_errors(folder):
            (folder / SUMMARY).unlink()
            shutil.rmtree(folder)
            if known:
                for digest, extension in spare:
                    image_file(digest, extension).unlink(missing_ok=True)
                remove_packs(str(image_store() / PACKS), used={digest for digest, _ in used})


def rename_dataset(id: str, name: str) -> None:
    """Give a dataset another name; its id stays, so that links and runs still find it.

    Raises
    ------
    DatasetError
        There is no dataset with this id, or the name is blank.
    """
    name = checked_name(name)
    with store_lock():
        file = _existing(id) / SUMMARY
        write_json(file, read_summary(file) | {"name": name})


def dataset_folder(id: str) -> Path:
    if not _SAFE_ID.fullmatch(id):
        raise ValueError(f"id is {id!r}; only ASCII letters, digits, - and _ are safe")
    return home() / "datasets" / id


def _with_edits(dataset: Dataset, edits: tuple[Edit, ...]) -> Dataset:
    try:
        return replace(dataset, edits=edits)
    except ValueError as error:
        raise damaged(dataset.id, f"its log of edits does not fit its table: {error}") from error


def _existing(id: str) -> Path:
    if not _SAFE_ID.fullmatch(id) or not (dataset_folder(id) / SUMMARY).is_file():
        raise _unknown(id)
    return dataset_folder(id)


def _resolve(reference: str) -> str:
    # A reference may come from a URL: as an id it must be plain, as a name it is only ever compared.
    if _SAFE_ID.fullmatch(reference) and (dataset_folder(reference) / SUMMARY).is_file():
        return reference
    for summary in list_datasets():
        if summary.name == reference and not summary.damaged:
            return summary.id
    raise _unknown(reference)


def _unknown(reference: str) -> DatasetError:
    known = [f"{summary.name} ({summary.id})" for summary in list_datasets()]
    listed = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
    return DatasetError(
        f"There is no dataset {reference!r}.",
        f"There are: {listed}." if known else "There are none yet.",
        "Choose one of these." if known else "Import a folder or a zip first.",
    )


def _summary_json(dataset: Dataset, log_bytes: int) -> dict[str, Any]:
    return {
        "format": 1,
        "id": dataset.id,
        "name": dataset.name,
        "digest": dataset.imported_digest,  # of the file beside it
        **_what_counts(dataset, log_bytes),
        "drawn": dataset.drawn,
        "source": dataset.source,
        "created": dataset.created,
        "problems": [asdict(problem) for problem in dataset.problems],
    }


def _what_counts(dataset: Dataset, log_bytes: int) -> dict[str, Any]:
    """The part of the summary that an edit may change."""
    return {
        "images": len(dataset.images),
        "counts": dataset.counts,
        "has_groups": dataset.has_groups,
        "edits": {"version": dataset.version, "bytes": log_bytes},
    }


def _summary(file: Path) -> DatasetSummary:
    identity = file.parent.name
    try:
        summary = read_summary(file)
        if not file.with_name("images.parquet").is_file():
            raise damaged(identity, "images.parquet is missing")
        if log_size(file.parent) != summary["edits"]["bytes"]:  # an edit is being written, or was cut short by a crash
            summary |= _what_counts(load_dataset(identity), 0)
    except DatasetError as error:
        return shown_as_damaged(identity, error)
    return shown(identity, summary)


def _read_table(file: Path) -> pd.DataFrame:
    try:
        images = pd.read_parquet(file)
        return images[COLUMNS].astype(DTYPES)
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are among these
        raise damaged(file.parent.name, f"images.parquet cannot be read ({error})") from error


def _stored(file: Path) -> set[tuple[str, str]]:
    images = _read_table(file)
    return set(zip(images["digest"], images["extension"], strict=True))


def _printable(text: str) -> str:
    # A file name that is no UTF-8 carries lone surrogates, which no JSON or table takes.
    return text.encode("utf-8", "replace").decode()
