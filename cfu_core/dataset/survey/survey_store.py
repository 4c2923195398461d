"""What a survey has found, on disk: numbered parts, each whole or not at all, keyed by the images' digests.

``datasets/<id>/survey/`` holds ``state.json`` (how far it is) and a folder named by `VERSION` with the parts
``part-00001.parquet`` (a row an image) and ``part-00001.bin`` (its thumbnails one after the other), ``copies.parquet``
and ``map.parquet``. A part never changes once it is there.
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

#: Raised whenever an image would be surveyed with another result: measures, colony box, thumbnail, signature, features.
VERSION = 1


@dataclass(frozen=True)
class Parts:
    """Numbered parts in a folder of their own.

    Parameters
    ----------
    folder : Path
        Made when the first part is written.
    """

    folder: Path

    def files(self) -> list[Path]:
        """The table of each part, oldest first."""
        try:
            with storage_errors(self.folder), os.scandir(self.folder) as entries:
                names = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            return []
        return [self.folder / name for name in names if name.startswith("part-") and name.endswith(".parquet")]

    def read(self, columns: Sequence[str]) -> pa.Table | None:
        """Columns of all parts, oldest first; None where there is none. Of two rows of an image the later counts."""
        with ThreadPoolExecutor() as pool:
            tables = [table for table in pool.map(lambda file: read_table(file, columns), self.files()) if table]
        return pa.concat_tables(tables) if tables else None

    def gather(self, column: str, digests: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """A column of vectors for some images, none of them twice, read part by part.

        Returns
        -------
        ndarray of bool, shape (len(digests),)
            Which of them have a vector.
        ndarray of float32, shape (number of these, K)
            In the order of `digests`.
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
        """Add a part, with its pack of thumbnails. What a part that was cut short has left behind is written over.

        Raises
        ------
        StorageError
            The disk is full, or the folder may not be written; then there is no such part.
        """
        files = self.files()
        name = f"part-{part_number(files[-1]) + 1 if files else 1:05d}"
        if pack is not None:  # first: the part counts from the moment its table is there
            write_bytes(self.folder / f"{name}.bin", pack)
        write_table(self.folder / f"{name}.parquet", table)

    def copy_from(self, other: "Parts", wanted: set[str]) -> set[str]:
        """Add what another dataset's survey knows of the images in `wanted`; returns which these are.

        Images that could not be read there are left out: here their files may be whole.
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
                self.write(*_repacked(table, file.with_suffix(".bin").read_bytes()))
            copied.update(table["digest"].to_pylist())
        return copied


def _repacked(table: pa.Table, pack: bytes) -> tuple[pa.Table, bytes]:
    """Some rows of a part with a pack that holds their thumbnails only."""
    starts, lengths = (table[name].to_numpy() for name in ("thumbnail_offset", "thumbnail_bytes"))
    column = table.column_names.index("thumbnail_offset")
    table = table.set_column(column, "thumbnail_offset", pa.array(np.cumsum(lengths) - lengths))
    return table, b"".join(pack[start : start + length] for start, length in zip(starts, lengths, strict=True))


def part_number(file: Path) -> int:
    """The number of a part."""
    return int(file.stem.removeprefix("part-"))


def read_table(file: Path, columns: Sequence[str] | None = None) -> pa.Table | None:
    """Columns of a table on disk, all by default; None where it is gone or damaged, as if never written."""
    try:
        with storage_errors(file), pq.ParquetFile(file) as part:
            return part.read(columns=None if columns is None else list(columns))
    except (FileNotFoundError, pa.ArrowException):
        return None


def write_table(file: Path, table: pa.Table) -> None:
    """Write a table, whole or not at all."""
    with replacing(file) as draft:
        pq.write_table(table, draft, compression="zstd")


def lists(rows: Sequence[np.ndarray | None]) -> pa.Array:
    """Vectors of one length as a column of lists of float32, with null for None."""
    lengths = [0 if row is None else len(row) for row in rows]
    values = [row for row in rows if row is not None]
    flat = np.concatenate(values).astype(np.float32) if values else np.empty(0, np.float32)
    missing = pa.array([row is None for row in rows], pa.bool_())
    return pa.ListArray.from_arrays(pa.array(np.cumsum([0, *lengths]), pa.int32()), pa.array(flat), mask=missing)


def rows_of(wanted: pa.Array, found: pa.ChunkedArray) -> np.ndarray:
    """The row of each digest in `found`, the last one of several; -1 where it is not there."""
    backwards = found.combine_chunks()[::-1]
    rows = pc.fill_null(pc.index_in(wanted, value_set=backwards), len(found)).to_numpy()
    return len(found) - 1 - rows.astype(np.int64)


def numbers_at(found: pa.Table | None, name: str, rows: np.ndarray) -> np.ndarray:
    """A column of numbers at some rows; NaN for row -1."""
    values = np.full(len(rows), np.nan, np.float32)
    if found is not None:
        values[rows >= 0] = found[name].to_numpy()[rows[rows >= 0]]
    return values


def texts_at(found: pa.Table | None, name: str, rows: np.ndarray) -> pd.Series:
    """A column of texts at some rows; empty for row -1."""
    if found is None:
        return pd.Series([""] * len(rows), dtype="str")
    texts = found[name].take(pa.array(rows, mask=rows < 0))
    return pc.fill_null(texts, "").to_pandas().astype("str")


def survey_folder(identifier: str) -> Path:
    """Where the survey of a dataset lies, of any version; safe to delete while no survey goes on."""
    return dataset_folder(identifier) / "survey"


def store_of(identifier: str) -> Parts:
    """The parts of a dataset's survey, of this version."""
    return Parts(survey_folder(identifier) / f"v{VERSION}")


def other_stores(identifier: str) -> Iterator[Parts]:
    """The parts of every other dataset's survey, of this version, in the order of their identifiers."""
    with storage_errors(home()):
        folders = sorted((home() / "datasets").glob(f"*/survey/v{VERSION}"))
    yield from (Parts(folder) for folder in folders if folder.parents[1].name != identifier)


def discard_old_versions(identifier: str) -> None:
    """Remove what another version of this program has found, which counts for nothing now."""
    with storage_errors(survey_folder(identifier)):
        for folder in survey_folder(identifier).glob("v*"):
            if folder.name != f"v{VERSION}":
                shutil.rmtree(folder)


def write_state(identifier: str, *, done: int, total: int) -> None:
    """Write down how far a survey is; tells pages that there is something new."""
    write_json(survey_folder(identifier) / "state.json", {"version": VERSION, "done": done, "total": total})


def stored_thumbnail(store: Parts, digest: str) -> bytes | None:
    """The thumbnail of an image; empty where its file is small enough to be its own, None where there is none yet."""
    try:
        index = _thumbnails(store.folder, store.folder.stat().st_mtime_ns)  # changes with every file that is written
    except FileNotFoundError:  # nothing is surveyed yet, or the dataset is being deleted
        return None
    key = np.bytes_(digest)
    first, last = (int(index.digests.searchsorted(key, side)) for side in ("left", "right"))
    for place in range(last - 1, first - 1, -1):  # the latest part first
        if index.lengths[place] == 0:
            return b""
        pack = index.files[index.parts[place]].with_suffix(".bin")
        try:
            with storage_errors(pack), pack.open("rb") as file:
                file.seek(index.offsets[place])
                if found := file.read(index.lengths[place]):
                    return found
        except FileNotFoundError:
            continue
    return None


class _Thumbnails(NamedTuple):
    """Where the thumbnail of each readable image lies: sorted by digest, and by part where several have one."""

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
    """Digests of the readable images of a part, with the offset and the length of each one's thumbnail."""
    table = read_table(file, ["digest", "unreadable", "thumbnail_offset", "thumbnail_bytes"])
    if table is None:
        return np.empty(0, "S64"), np.empty(0, np.int64), np.empty(0, np.int64)
    table = table.filter(pc.equal(table["unreadable"], ""))
    digests = np.array(table["digest"].to_pylist(), "S64")
    return digests, table["thumbnail_offset"].to_numpy(), table["thumbnail_bytes"].to_numpy()
