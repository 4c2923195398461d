"""Copies among the images of a dataset, found incrementally as the survey proceeds.

``copies.parquet`` contains the pairs by digest, and the number of the part up to which all images were compared.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from cfu_core.dataset.survey.measuring import StoredImage, read_thumbnail
from cfu_core.dataset.survey.near_duplicates import find_copies
from cfu_core.dataset.survey.survey_store import Parts, part_number, read_table, write_table
from cfu_core.errors import ImageError

COPY_COLUMNS = ["path_a", "path_b", "kind", "score"]
_AT_ONCE = 5000  # images compared with the earlier ones between two writes
_COLUMNS = ["digest_a", "digest_b", "kind", "score"]


def find_new_copies(
    store: Parts, images: Sequence[StoredImage], count: Callable[[int, int], None], *, at_once: int = _AT_ONCE
) -> None:
    """Find copies among the images that are new in the survey, and between them and all earlier images.

    The pairs are added to ``copies.parquet`` in the folder of the survey after each batch. Only images with similar
    signatures are compared, so that a copy can be missed (see `cfu_core.dataset.survey.near_duplicates.find_copies`).

    Parameters
    ----------
    store : Parts
        Parts of the survey, with the pairs found so far.
    images : sequence of StoredImage
        Readable images, each digest once. Images that the survey has not measured are ignored.
    count : callable
        Callback ``(done, total)`` with numbers of new images. An exception that it raises ends the search; the pairs
        of completed batches are stored.
    at_once : int
        Minimum number of new images in a batch, except for the last one.

    Raises
    ------
    StorageError
        The disk is full, the home folder is not writable, or the image store is not readable.
    """
    pairs, through = _read_pairs(store)
    by_key = {image.key: image for image in images}
    numbers, ordered = _order_by_part(store, by_key)
    new = int((numbers > through).sum())
    if not new:
        return
    _, signatures = store.gather("signature", [image.key for image in ordered])
    done = 0
    for end in _batch_ends(numbers, through, at_once):
        mask = (numbers > through)[:end]
        found = _compare(store, ordered[:end], signatures[:end], mask, lambda d, _: count(done + d, new))  # noqa: B023
        pairs = pd.concat([pairs, found], ignore_index=True) if len(pairs) else found
        through, done = int(numbers[end - 1]), done + int(mask.sum())
        table = pa.Table.from_pandas(pairs, preserve_index=False)
        write_table(store.folder / "copies.parquet", table.replace_schema_metadata({"through": str(through)}))


def copies_by_path(store: Parts, images: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of copies among the images of a dataset's table, including byte-identical files.

    Parameters
    ----------
    store : Parts
        Parts of the survey of the dataset.
    images : pandas.DataFrame
        Table with the columns ``path`` and ``key``.

    Returns
    -------
    pandas.DataFrame
        `COPY_COLUMNS`, one row per pair, sorted by ``path_a`` and ``path_b``, with ``path_a`` < ``path_b``; empty if
        there are no copies. ``kind`` and ``score`` are those of `cfu_core.imaging.copy_detection.CopyMatch`; for
        byte-identical files they are ``identical`` and 1. The first of several byte-identical files in `images`
        represents all of them: it forms a pair with each of them, and only it forms pairs with near duplicates.

    Raises
    ------
    StorageError
        The survey is not readable.
    """
    first = images.drop_duplicates("key")
    again = images[images["key"].duplicated()]
    paths = pd.Series(first["path"].to_numpy(), index=first["key"])
    same = pd.DataFrame({"path_a": paths.reindex(again["key"]).to_numpy(), "path_b": again["path"].to_numpy()})
    pairs, _ = _read_pairs(store)
    alike = pd.DataFrame({f"path_{x}": paths.reindex(pairs[f"digest_{x}"]).to_numpy() for x in "ab"})
    alike = alike.assign(kind=pairs["kind"].to_numpy(), score=pairs["score"].to_numpy()).dropna()
    table = pd.concat([same.assign(kind="identical", score=1.0), alike], ignore_index=True)
    swapped = table["path_a"] > table["path_b"]
    table.loc[swapped, ["path_a", "path_b"]] = table.loc[swapped, ["path_b", "path_a"]].to_numpy()
    dtypes = {"path_a": "str", "path_b": "str", "kind": "str", "score": "float64"}
    return table[COPY_COLUMNS].astype(dtypes).sort_values(["path_a", "path_b"], ignore_index=True)


def _read_pairs(store: Parts) -> tuple[pd.DataFrame, int]:
    """Return the pairs found so far by digest, and the number of the part up to which all images were compared."""
    table = read_table(store.folder / "copies.parquet")
    if table is None:
        return pd.DataFrame({name: [] for name in _COLUMNS}), 0
    return table.to_pandas(), int(table.schema.metadata[b"through"])


def _order_by_part(store: Parts, images: dict[str, StoredImage]) -> tuple[np.ndarray, list[StoredImage]]:
    """Return the part number of each image, and the images sorted by it."""
    numbers: dict[str, int] = {}
    for file in store.files():
        table = read_table(file, ["digest", "unreadable"])
        if table is None:
            continue
        for digest, reason in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            if reason == "" and digest in images:
                numbers.setdefault(digest, part_number(file))
    return np.array(list(numbers.values()), np.int64), [images[digest] for digest in numbers]


def _batch_ends(numbers: np.ndarray, through: int, at_once: int) -> list[int]:
    """Return the ends of batches of whole parts with at least `at_once` new images each; the last may have fewer."""
    ends = np.flatnonzero(np.diff(numbers, append=numbers[-1] + 1)) + 1
    fresh = np.cumsum(numbers > through)
    chosen, last = [], 0
    for end in ends:
        if fresh[end - 1] - last >= at_once or (end == len(numbers) and fresh[end - 1] > last):
            chosen.append(int(end))
            last = fresh[end - 1]
    return chosen


def _compare(
    store: Parts,
    images: Sequence[StoredImage],
    signatures: np.ndarray,
    new: np.ndarray,
    count: Callable[[int, int], None],
) -> pd.DataFrame:
    """Return pairs by digest with at least one new image; images whose files no longer exist are ignored."""

    def read(row: int) -> np.ndarray:
        try:
            return read_thumbnail(store, images[row])
        except ImageError:
            signatures[row] = np.nan
            raise

    while True:
        try:
            found = find_copies(signatures, read, new=new, progress=count)
            break
        except ImageError:
            continue
    first, second = ([images[row] for row in found[name]] for name in "ab")
    kinds = [_kind(*pair) for pair in zip(found["kind"], first, second, strict=True)]
    return pd.DataFrame(
        {
            "digest_a": [image.key for image in first],
            "digest_b": [image.key for image in second],
            "kind": kinds,
            "score": found["score"],
        }
    )


def _kind(kind: str, one: StoredImage, other: StoredImage) -> str:
    """Correct the kind of a pair that was compared by thumbnails, which have one size and are slightly blurred."""
    if kind not in ("identical", "re-encoded"):
        return kind
    if (one.width, one.height) != (other.width, other.height):
        return "resized"
    return kind if kind == "re-encoded" or _same_pixels(one, other) else "re-encoded"


def _same_pixels(one: StoredImage, other: StoredImage) -> bool:
    try:
        return np.array_equal(one.decode(), other.decode())
    except ImageError:
        return False
