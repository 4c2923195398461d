"""Which images of a dataset are copies of each other, found bit by bit as the survey goes on.

``copies.parquet`` holds the pairs by digest, and up to which part of the survey all images were compared.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from cfu_core.dataset.survey.measuring import StoredImage, read_thumbnail
from cfu_core.dataset.survey.near_duplicates import find_copies
from cfu_core.dataset.survey.survey_store import Parts, part_number, read_table, write_table
from cfu_core.errors import ImageError
from cfu_core.imaging import reading

COPY_COLUMNS = ["path_a", "path_b", "kind", "score"]
_AT_ONCE = 5000  # images compared with those before them between two states on disk
_COLUMNS = ["digest_a", "digest_b", "kind", "score"]


def find_new_copies(
    store: Parts, images: Sequence[StoredImage], count: Callable[[int, int], None], *, at_once: int = _AT_ONCE
) -> None:
    """Compare what the survey has found since the last time with everything before.

    Parameters
    ----------
    store : Parts
        The survey, and where the copies are kept.
    images : sequence of StoredImage
        Readable ones, no digest twice.
    count : callable
        Called with images done and in all. What it raises ends the work; what was found is kept but for the last bit.
    at_once : int
        How many images that is, about.
    """
    pairs, through = _known(store)
    by_digest = {image.digest: image for image in images}
    numbers, rows = _by_part(store, by_digest)
    new = int((numbers > through).sum())
    if not new:
        return
    _, signatures = store.gather("signature", [image.digest for image in rows])
    done = 0
    for end in _bits(numbers, through, at_once):
        mask = (numbers > through)[:end]
        found = _compared(store, rows[:end], signatures[:end], mask, lambda d, _: count(done + d, new))  # noqa: B023
        pairs = pd.concat([pairs, found], ignore_index=True) if len(pairs) else found
        through, done = int(numbers[end - 1]), done + int(mask.sum())
        table = pa.Table.from_pandas(pairs, preserve_index=False)
        write_table(store.folder / "copies.parquet", table.replace_schema_metadata({"through": str(through)}))


def copies_by_path(store: Parts, images: pd.DataFrame) -> pd.DataFrame:
    """Pairs of copies among the images of a dataset's table, byte-identical ones included.

    Returns
    -------
    pandas.DataFrame
        `COPY_COLUMNS`, sorted by paths. Of several byte-identical images the first speaks for all: each of the
        others makes a pair with it, and only it is paired with further copies.
    """
    first = images.drop_duplicates("digest")
    again = images[images["digest"].duplicated()]
    paths = pd.Series(first["path"].to_numpy(), index=first["digest"])
    same = pd.DataFrame({"path_a": paths.reindex(again["digest"]).to_numpy(), "path_b": again["path"].to_numpy()})
    pairs, _ = _known(store)
    alike = pd.DataFrame({f"path_{x}": paths.reindex(pairs[f"digest_{x}"]).to_numpy() for x in "ab"})
    alike = alike.assign(kind=pairs["kind"].to_numpy(), score=pairs["score"].to_numpy()).dropna()
    table = pd.concat([same.assign(kind="identical", score=1.0), alike], ignore_index=True)
    swapped = table["path_a"] > table["path_b"]
    table.loc[swapped, ["path_a", "path_b"]] = table.loc[swapped, ["path_b", "path_a"]].to_numpy()
    dtypes = {"path_a": "str", "path_b": "str", "kind": "str", "score": "float64"}
    return table[COPY_COLUMNS].astype(dtypes).sort_values(["path_a", "path_b"], ignore_index=True)


def _known(store: Parts) -> tuple[pd.DataFrame, int]:
    """The pairs found so far by digest, and the number of the part up to which all images were compared."""
    table = read_table(store.folder / "copies.parquet")
    if table is None:
        return pd.DataFrame({name: [] for name in _COLUMNS}), 0
    return table.to_pandas(), int(table.schema.metadata[b"through"])


def _by_part(store: Parts, images: dict[str, StoredImage]) -> tuple[np.ndarray, list[StoredImage]]:
    """Images in the order of the parts that hold their signatures, and the number of that part of each."""
    numbers: dict[str, int] = {}
    for file in store.files():
        table = read_table(file, ["digest", "unreadable"])
        if table is None:
            continue
        for digest, reason in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
            if reason == "" and digest in images:
                numbers.setdefault(digest, part_number(file))
    return np.array(list(numbers.values()), np.int64), [images[digest] for digest in numbers]


def _bits(numbers: np.ndarray, through: int, at_once: int) -> list[int]:
    """Ends of runs of whole parts, each with about `at_once` images or more in parts after `through`."""
    ends = np.flatnonzero(np.diff(numbers, append=numbers[-1] + 1)) + 1
    fresh = np.cumsum(numbers > through)
    chosen, last = [], 0
    for end in ends:
        if fresh[end - 1] - last >= at_once or (end == len(numbers) and fresh[end - 1] > last):
            chosen.append(int(end))
            last = fresh[end - 1]
    return chosen


def _compared(
    store: Parts,
    images: Sequence[StoredImage],
    signatures: np.ndarray,
    new: np.ndarray,
    count: Callable[[int, int], None],
) -> pd.DataFrame:
    """Pairs by digest with at least one new image; images whose files are gone meanwhile are passed over."""

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
            "digest_a": [image.digest for image in first],
            "digest_b": [image.digest for image in second],
            "kind": kinds,
            "score": found["score"],
        }
    )


def _kind(kind: str, one: StoredImage, other: StoredImage) -> str:
    """The kind of a pair that was seen by its thumbnails, which are all of one size and a little blurred."""
    if kind not in ("identical", "re-encoded"):
        return kind
    if (one.width, one.height) != (other.width, other.height):
        return "resized"
    return kind if kind == "re-encoded" or _same_pixels(one, other) else "re-encoded"


def _same_pixels(one: StoredImage, other: StoredImage) -> bool:
    try:
        return np.array_equal(reading.decode(one.read()), reading.decode(other.read()))
    except ImageError:
        return False
