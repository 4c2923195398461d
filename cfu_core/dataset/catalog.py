"""Datasets on disk: a table with one row an image; each image kept once, by the digest of its bytes.

`<home>/datasets/<id>/` holds `images.parquet` (the table) and `dataset.json` (the summary, written last: a
folder without it is no dataset yet). `<home>/images/<ab>/<sha256><extension>` holds every dataset's images.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from cfu_core.errors import CfuError, DatasetError, ImageError, StorageError
from cfu_core.imaging import reading
from cfu_core.storage import home, read_json, replacing, storage_errors, write_json

BOX_COLUMNS = ["box_left", "box_top", "box_right", "box_bottom"]
COLUMNS = ["path", "label", "group", "digest", "extension", "size_bytes", "width", "height", *BOX_COLUMNS]
_TEXTS, _NUMBERS = COLUMNS[:5], COLUMNS[5:8]
_DTYPES = dict.fromkeys(_TEXTS, "str") | dict.fromkeys(_NUMBERS, "int64") | dict.fromkeys(BOX_COLUMNS, "Int64")
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOCK_PATIENCE_S = 600


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
    images : pandas.DataFrame
        `COLUMNS`, one row an image, sorted by path, with a RangeIndex. `path` is POSIX and relative to the
        source, `group` is ``""`` where unknown, `width` and `height` are in pixels as displayed, `box_*` are
        pixels of the displayed image (right and bottom exclusive) and ``<NA>`` where there is no box.
    problems : tuple of Problem
        What was left out, and why.
    drawn : bool
        True where every image is drawn, not photographed.
    source : str
        Where it came from, for people.
    created : str
        ISO 8601, UTC.
    """

    id: str
    name: str
    images: pd.DataFrame
    problems: tuple[Problem, ...]
    drawn: bool
    source: str
    created: str

    def __post_init__(self) -> None:
        if list(self.images.columns) != COLUMNS:
            raise ValueError(f"images has the columns {list(self.images.columns)}, not {COLUMNS}")
        if not _SAFE_ID.fullmatch(self.id):
            raise ValueError(f"id is {self.id!r}; only ASCII letters, digits, - and _ are safe")

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the content, as from `content_digest`."""
        return content_digest(self.images)

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
        file = self.image_file(index)
        try:
            with storage_errors(file):
                return file.read_bytes()
        except FileNotFoundError as error:
            raise ImageError(
                f"{self.images['path'].iloc[index]} is gone from the image store.",
                f"It should be at {file}.",
                "Import the dataset again.",
                kind="missing",
            ) from error


@dataclass(frozen=True, kw_only=True)
class DatasetSummary:
    """What a list of datasets shows; read without opening the table.

    Parameters
    ----------
    images, problems : int
        How many there are.
    counts : dict
        Images of each class, by label.
    damaged : str
        Empty, or why this dataset cannot be opened; the other fields are then empty except `id` and `name`.
    """

    id: str
    name: str
    images: int
    counts: Mapping[str, int]
    problems: int
    drawn: bool
    created: str
    source: str
    has_groups: bool
    damaged: str = ""


def image_store() -> Path:
    """The folder that holds the images of all datasets."""
    return home() / "images"


def image_file(digest: str, extension: str) -> Path:
    """Where the image with this SHA-256 (hex) lies in the image store; `extension` has its dot."""
    return image_store() / digest[:2] / f"{digest}{extension}"


@contextmanager
def store_lock() -> Iterator[None]:
    """Hold the image store and the list of datasets still. One process and thread at a time; may be nested.

    Raises
    ------
    StorageError
        The home folder may not be written, or another process has held the lock for ten minutes.
    """
    path = home() / "datasets.lock"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=_LOCK_PATIENCE_S, is_singleton=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise StorageError(
                f"Another process has held {path} for {_LOCK_PATIENCE_S // 60} minutes.",
                "An import or a deletion takes seconds to finish.",
                "Stop that process, then try again.",
            ) from error
    try:
        yield
    finally:
        lock.release()


def images_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The table of a dataset from one mapping an image; `group` and the box may be missing.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS` with their dtypes, sorted by path, with a RangeIndex.

    Raises
    ------
    ValueError
        A row lacks something else.
    """
    table = pd.DataFrame([{"group": ""} | dict(row) for row in rows]).reindex(columns=COLUMNS)
    if table[_TEXTS].isna().any(axis=None):
        raise ValueError(f"every image needs {', '.join(_TEXTS)}")
    return table.astype(_DTYPES).sort_values("path", ignore_index=True)


def content_digest(images: pd.DataFrame) -> str:
    r"""SHA-256 (hex) over the sorted lines ``path\0label\0group\0digest``.

    A row with a box adds ``\0left,top,right,bottom``: the box is part of what is known of the image.
    """
    fields = images[["path", "label", "group", "digest"]].itertuples(index=False, name=None)
    lines = ["\0".join(row) for row in fields]
    boxed = images[BOX_COLUMNS].dropna()
    for index, box in zip(boxed.index, boxed.itertuples(index=False, name=None), strict=True):
        lines[index] += "\0" + ",".join(str(int(edge)) for edge in box)
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


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
        images=images,
        problems=tuple(problems),
        drawn=drawn,
        source=_printable(source),
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
    )


def save_dataset(dataset: Dataset) -> None:
    """Write a dataset so that a reader sees all of it or nothing. Its images must be in the store already.

    Raises
    ------
    StorageError
        The disk is full, or the home folder may not be written; nothing is left behind.
    """
    folder = dataset_folder(dataset.id)
    known = (folder / "dataset.json").exists()
    with store_lock():
        try:
            with replacing(folder / "images.parquet") as draft:
                dataset.images.to_parquet(draft, index=False)
            write_json(folder / "dataset.json", _summary_json(dataset))
        except BaseException:
            if not known:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def load_dataset(reference: str) -> Dataset:
    """A saved dataset.

    Parameters
    ----------
    reference : str
        Its id, or else its name; of several with that name, the newest.

    Raises
    ------
    DatasetError
        There is no such dataset, or it is damaged.
    """
    identity = _resolve(reference)
    file = dataset_folder(identity) / "dataset.json"
    summary = _read_summary(file)
    images = _read_table(file.with_name("images.parquet"))
    if content_digest(images) != summary["digest"]:
        raise _damaged(identity, "its table does not fit its summary")
    return Dataset(
        id=identity,
        name=summary["name"],
        images=images,
        problems=tuple(Problem(**problem) for problem in summary["problems"]),
        drawn=summary["drawn"],
        source=summary["source"],
        created=summary["created"],
    )


def list_datasets() -> list[DatasetSummary]:
    """Every saved dataset, the newest first; damaged ones come last and say so in `damaged`.

    Raises
    ------
    StorageError
        The home folder may not be read.
    """
    folder = home() / "datasets"
    with storage_errors(folder):
        found = sorted(folder.glob("*/dataset.json")) if folder.is_dir() else []
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
            spare = _stored(folder / "images.parquet").difference(*map(_stored, others))
        except CfuError:
            spare = set()
        with storage_errors(folder):
            (folder / "dataset.json").unlink()
            shutil.rmtree(folder)
            for digest, extension in spare:
                image_file(digest, extension).unlink(missing_ok=True)


def rename_dataset(id: str, name: str) -> None:
    """Give a dataset another name; its id stays, so that links and runs still find it.

    Raises
    ------
    DatasetError
        There is no dataset with this id, or the name is blank.
    """
    name = checked_name(name)
    with store_lock():
        file = _existing(id) / "dataset.json"
        write_json(file, _read_summary(file) | {"name": name})


def dataset_folder(id: str) -> Path:
    if not _SAFE_ID.fullmatch(id):
        raise ValueError(f"id is {id!r}; only ASCII letters, digits, - and _ are safe")
    return home() / "datasets" / id


def _existing(id: str) -> Path:
    if not _SAFE_ID.fullmatch(id) or not (dataset_folder(id) / "dataset.json").is_file():
        raise _unknown(id)
    return dataset_folder(id)


def _resolve(reference: str) -> str:
    # A reference may come from a URL: as an id it must be plain, as a name it is only ever compared.
    if _SAFE_ID.fullmatch(reference) and (dataset_folder(reference) / "dataset.json").is_file():
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


def _damaged(id: str, why: str) -> DatasetError:
    return DatasetError(f"The dataset {id} is damaged: {why}.", "", "Delete it and import it again.")


def _summary_json(dataset: Dataset) -> dict[str, Any]:
    return {
        "format": 1,
        "id": dataset.id,
        "name": dataset.name,
        "digest": dataset.digest,
        "images": len(dataset.images),
        "counts": dataset.counts,
        "has_groups": dataset.has_groups,
        "drawn": dataset.drawn,
        "source": dataset.source,
        "created": dataset.created,
        "problems": [asdict(problem) for problem in dataset.problems],
    }


_SUMMARY_TYPES = {
    "name": str,
    "digest": str,
    "images": int,
    "counts": dict,
    "has_groups": bool,
    "drawn": bool,
    "source": str,
    "created": str,
    "problems": list,
}


def _read_summary(file: Path) -> dict[str, Any]:
    try:
        summary = read_json(file)
    except (CfuError, OSError, ValueError) as error:
        raise _damaged(file.parent.name, f"dataset.json cannot be read ({error})") from error
    for key, kind in _SUMMARY_TYPES.items():
        if not isinstance(summary, dict) or not isinstance(summary.get(key), kind):
            raise _damaged(file.parent.name, f"dataset.json has no proper {key!r}")
    return summary


def _summary(file: Path) -> DatasetSummary:
    identity = file.parent.name
    try:
        summary = _read_summary(file)
        if not file.with_name("images.parquet").is_file():
            raise _damaged(identity, "images.parquet is missing")
    except DatasetError as error:
        return DatasetSummary(
            id=identity,
            name=identity,
            images=0,
            counts={},
            problems=0,
            drawn=False,
            created="",
            source="",
            has_groups=False,
            damaged=str(error),
        )
    shown = {key: value for key, value in summary.items() if key in _SUMMARY_TYPES and key != "digest"}
    return DatasetSummary(**shown | {"id": identity, "problems": len(summary["problems"])})


def _read_table(file: Path) -> pd.DataFrame:
    try:
        images = pd.read_parquet(file)
        return images[COLUMNS].astype(_DTYPES)
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are among these
        raise _damaged(file.parent.name, f"images.parquet cannot be read ({error})") from error


def _stored(file: Path) -> set[tuple[str, str]]:
    images = _read_table(file)
    return set(zip(images["digest"], images["extension"], strict=True))


def _printable(text: str) -> str:
    # A file name that is no UTF-8 carries lone surrogates, which no JSON or table takes.
    return text.encode("utf-8", "replace").decode()
