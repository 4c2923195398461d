"""Results of a survey on disk, in numbered parts that are written atomically, by the digests of the images.

``datasets/<id>/survey/`` contains ``state.json`` (progress) and a folder named after `VERSION`, with the parts
``part-00001.parquet`` (one row for each image) and ``part-00001.bin`` (the thumbnails one after the other),
``copies.parquet`` and ``map.parquet``. A part never changes once it is written.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cfu_core.dataset.catalog import dataset_folder
from cfu_core.storage import home, replacing, storage_errors, write_bytes, write_json

#: To be increased when the results for an image change: warnings, measures, colony box, thumbnail, signature, features.
#: 3: structure of the frame in the signature; 4: width of edges, statistics of the border, samples, camera and time.
VERSION = 4


@dataclass(frozen=True)
class Parts:
    """Numbered parts in one folder.

    Attributes
    ----------
    folder : Path
        Folder of the parts; it is created with the first part.
    """

    folder: Path

    def files(self) -> list[Path]:
        """Return the table file of each part, oldest first; empty if the folder does not exist.

        Raises
        ------
        StorageError
            The folder is not readable.
        """
        try:
            with storage_errors(self.folder), os.scandir(self.folder) as entries:
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return []
        return [self.folder / name for name in names if name.startswith("part-") and name.endswith(".parquet")]

    def read(self, columns: Sequence[str]) -> pa.Table | None:
        """Read columns of all parts.

        Parameters
        ----------
        columns : sequence of str
            Names of columns that every part has.

        Returns
        -------
        pyarrow.Table or None
            Rows of all parts, oldest first. If there are several rows of one image, the last one is valid. None if
            there are no rows. Damaged parts are skipped.

        Raises
        ------
        StorageError
            The folder or a part is not readable.
        """
        with ThreadPoolExecutor() as pool:
            tables = [table for table in pool.map(lambda file: read_table(file, columns), self.files()) if table]
        return pa.concat_tables(tables) if tables else None

    def gather(self, column: str, digests: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Read a column of vectors for some images.

        Parameters
        ----------
        column : str
            ``signature`` or ``features``.
        digests : sequence of str
            Keys of images (`cfu_core.dataset.table.with_keys`), none twice.

        Returns
        -------
        has : ndarray of bool, shape (len(digests),)
            Which images have a vector.
        vectors : ndarray of float32, shape (number of images with a vector, K)
            Vectors of these images, in the order of `digests`; of an image in several parts, the newest one. K is 0 if
            no image has a vector.

        Raises
        ------
        StorageError
            The folder or a part is not readable.
        """
        wanted = pd.Index(digests, dtype="str")
        has = np.zeros(len(wanted), bool)
        found = np.empty((len(wanted), 0), np.float32)
        for file in self.files():
            table = read_table(file, ["digest", column])
            if table is None or not (table := table.filter(pc.is_valid(table[column]))).num_rows:
                continue
            rows = wanted.get_indexer(table["digest"].to_pandas())
            values = pc.list_flatten(table[column]).to_numpy().reshape(len(rows), -1)
            if not found.shape[1]:
                found = np.empty((len(wanted), values.shape[1]), np.float32)
            found[rows[rows >= 0]] = values[rows >= 0]
            has[rows[rows >= 0]] = True
        return has, found if has.all() else found[has]

    def write(self, table: pa.Table, pack: bytes | None = None) -> None:
        """Add a part. Files of a part whose writing was interrupted are overwritten.

        Parameters
        ----------
        table : pyarrow.Table
            One row for each image, with at least the column ``digest``.
        pack : bytes, optional
            The concatenated thumbnails.

        Raises
        ------
        StorageError
            The disk is full, or the folder is not writable. No part is added.
        """
        files = self.files()
        name = f"part-{part_number(files[-1]) + 1 if files else 1:05d}"
        if pack is not None:  # first: a part exists as soon as its table does
            write_bytes(self.folder / f"{name}.bin", pack)
        write_table(self.folder / f"{name}.parquet", table)

    def copy_from(self, other: "Parts", wanted: set[str]) -> set[str]:
        """Copy the results of another dataset's survey for some images.

        Each part of the other survey with results for these images adds a part. Images that could not be decoded
        there are skipped, because their files may be intact now. Parts without their file of thumbnails are skipped,
        too, for example because the other dataset is being deleted.

        Parameters
        ----------
        other : Parts
            Parts with the same columns.
        wanted : set of str
            Keys of images.

        Returns
        -------
        set of str
            The elements of `wanted` whose results were copied.

        Raises
        ------
        StorageError
            The disk is full, or a folder is not readable or not writable.
        """
        copied: set[str] = set()
        for file in other.files():
            table = read_table(file)
            if table is None:
                continue
            useful = [digest in wanted and digest not in copied for digest in table["digest"].to_pylist()]
            table = table.filter(pa.array(useful, pa.bool_()))
            if "unreadable" in table.column_names:
                table = table.filter(pc.equal(table["unreadable"], ""))
            if not table.num_rows:
                continue
            if "thumbnail_bytes" not in table.column_names:
                self.write(table)
            else:
                pack = file.with_suffix(".bin")
                try:
                    with storage_errors(pack):
                        thumbnails = pack.read_bytes()
                except FileNotFoundError:
                    continue
                self.write(*_repack(table, thumbnails))
            copied.update(table["digest"].to_pylist())
        return copied


def _repack(table: pa.Table, pack: bytes) -> tuple[pa.Table, bytes]:
    """Return some rows of a part, and a pack of their thumbnails only."""
    starts, lengths = (table[name].to_numpy() for name in ("thumbnail_offset", "thumbnail_bytes"))
    column = table.column_names.index("thumbnail_offset")
    table = table.set_column(column, "thumbnail_offset", pa.array(np.cumsum(lengths) - lengths))
    return table, b"".join(pack[start : start + length] for start, length in zip(starts, lengths, strict=True))


def part_number(file: Path) -> int:
    """Return the number of a part from the name of its file, from 1."""
    return int(file.stem.removeprefix("part-"))


def read_table(file: Path, columns: Sequence[str] | None = None) -> pa.Table | None:
    """Read columns of a Parquet file, all by default; None if the file is missing or damaged.

    Raises
    ------
    StorageError
        The file is not readable.
    """
    try:
        with storage_errors(file), pq.ParquetFile(file) as part:
            return part.read(columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowException):  # OSError: also pyarrow's error for damaged data
        return None


def write_table(file: Path, table: pa.Table) -> None:
    """Write a table as a Parquet file, atomically, replacing an existing file; create its folder if missing.

    Raises
    ------
    StorageError
        The disk is full, or the folder is not writable.
    """
    with replacing(file) as draft:
        pq.write_table(table, draft, compression="zstd")


def list_column(rows: Sequence[np.ndarray | None]) -> pa.Array:
    """Convert vectors of equal length to a column of lists of float32, one for each vector; None becomes null."""
    lengths = [0 if row is None else len(row) for row in rows]
    values = [row for row in rows if row is not None]
    flat = np.concatenate(values).astype(np.float32) if values else np.empty(0, np.float32)
    missing = pa.array([row is None for row in rows], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *lengths]), pa.int32()), pa.array(flat), mask=missing)


def rows_of(wanted: pa.Array, found: pa.ChunkedArray) -> np.ndarray:
    """Find digests in a column.

    Parameters
    ----------
    wanted : pyarrow.Array of str, length N
        Digests to find.
    found : pyarrow.ChunkedArray of str
        Column of digests.

    Returns
    -------
    ndarray of int64, shape (N,)
        Row of each digest in the column, the last row if there are several; -1 if it is missing.
    """
    backwards = found.combine_chunks()[::-1]
    rows = pc.fill_null(pc.index_in(wanted, value_set=backwards), len(found)).to_numpy()
    return len(found) - 1 - rows.astype(np.int64)


def numbers_at(found: pa.Table | None, name: str, rows: np.ndarray) -> np.ndarray:
    """Return numbers of a column as float32, one for each of `rows`; NaN for row -1 or without a table."""
    values = np.full(len(rows), np.nan, np.float32)
    if found is not None:
        values[rows >= 0] = found[name].to_numpy()[rows[rows >= 0]]
    return values


def texts_at(found: pa.Table | None, name: str, rows: np.ndarray) -> pd.Series:
    """Return texts of a column, one for each of `rows`; ``""`` for row -1 or without a table."""
    if found is None:
        return pd.Series([""] * len(rows), dtype="str")
    texts = found[name].take(pa.array(rows, mask=rows < 0))
    return pc.fill_null(texts, "").to_pandas().astype("str")


def survey_folder(identifier: str) -> Path:
    """Return the folder with the survey of the dataset with this id; it can be deleted while no survey runs."""
    return dataset_folder(identifier) / "survey"


def store_of(identifier: str) -> Parts:
    """Return the parts of the survey of the dataset with this id, in the current `VERSION`; it need not exist."""
    return Parts(survey_folder(identifier) / f"v{VERSION}")


def other_stores(identifier: str) -> Iterator[Parts]:
    """Yield the parts of the surveys of all datasets except the one with this id, sorted by id of the dataset.

    Surveys in other versions than `VERSION` are left out.

    Raises
    ------
    StorageError
        The home folder is not readable; raised when the first item is requested.
    """
    with storage_errors(home()):
        folders = sorted((home() / "datasets").glob(f"*/survey/v{VERSION}"))
    yield from (Parts(folder) for folder in folders if folder.parents[1].name != identifier)


def discard_old_versions(identifier: str) -> None:
    """Delete the results of a dataset's survey in other versions than `VERSION`, which are no longer valid.

    Raises
    ------
    StorageError
        The home folder is not writable.
    """
    with storage_errors(survey_folder(identifier)):
        for folder in survey_folder(identifier).glob("v*"):
            if folder.name != f"v{VERSION}":
                shutil.rmtree(folder)


def write_state(identifier: str, *, done: int, total: int) -> None:
    """Write the progress of a survey to its ``state.json``, from which readers see that there are new results.

    Parameters
    ----------
    identifier : str
        Id of the dataset.
    done, total : int
        Number of images that are measured, and of all images.

    Raises
    ------
    StorageError
        The disk is full, or the home folder is not writable.
    """
    write_json(survey_folder(identifier) / "state.json", {"version": VERSION, "done": done, "total": total})


def stored_thumbnail(store: Parts, digest: str) -> bytes | None:
    """Return the thumbnail of an image from a survey.

    Parameters
    ----------
    store : Parts
        Parts of the survey.
    digest : str
        Key of the image.

    Returns
    -------
    bytes or None
        A JPEG; ``b""`` if the image file is so small that it serves as its own thumbnail; None if the survey has no
        thumbnail of the image.

    Raises
    ------
    StorageError
        The survey is not readable.
    """
    try:
        index = _thumbnails(store.folder, store.folder.stat().st_mtime_ns)  # changes with every file that is written
    except FileNotFoundError:  # nothing is surveyed yet, or the dataset is being deleted
        return None
    key = np.bytes_(digest)
    first, last = (int(index.digests.searchsorted(key, side)) for side in ("left", "right"))
    for row in range(last - 1, first - 1, -1):  # the latest part first
        if index.lengths[row] == 0:
            return b""
        pack = index.files[index.parts[row]].with_suffix(".bin")
        try:
            with storage_errors(pack), pack.open("rb") as file:
                file.seek(index.offsets[row])
                if found := file.read(index.lengths[row]):
                    return found
        except FileNotFoundError:
            continue
    return None


class _Thumbnails(NamedTuple):
    """Positions of the thumbnails of all readable images, sorted by digest and then by part."""

    files: list[Path]
    digests: np.ndarray
    parts: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray


@lru_cache(maxsize=4)
def _thumbnails(folder: Path, _modified: int) -> _Thumbnails:
    files = Parts(folder).files()
    with ThreadPoolExecutor() as pool:
        tables = list(pool.map(lambda file: _thumbnails_of(file, file.stat().st_mtime_ns), files))
    digests, offsets, lengths = (
        np.concatenate([table[column] for table in tables]) if tables else np.empty(0, kind)
        for column, kind in enumerate(("S64", np.int64, np.int64))
    )
    numbers = np.repeat(np.arange(len(tables)), [len(table[0]) for table in tables])
    order = np.argsort(digests, kind="stable")
    return _Thumbnails(files, digests[order], numbers[order], offsets[order], lengths[order])


@lru_cache(maxsize=2000)
def _thumbnails_of(file: Path, _modified: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return digests of the readable images of a part, and offsets and lengths of their thumbnails."""
    table = read_table(file, ["digest", "unreadable", "thumbnail_offset", "thumbnail_bytes"])
    if table is None:
        return np.empty(0, "S64"), np.empty(0, np.int64), np.empty(0, np.int64)
    table = table.filter(pc.equal(table["unreadable"], ""))
    digests = np.array(table["digest"].to_pylist(), "S64")
    return digests, table["thumbnail_offset"].to_numpy(), table["thumbnail_bytes"].to_numpy()
