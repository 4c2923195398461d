"""The table of a dataset: one row per image."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cfu_core.imaging.planes import FIRST_PAGE

BOX_COLUMNS = ["box_left", "box_top", "box_right", "box_bottom"]
RANGE_COLUMNS = ["black", "white"]
_TEXTS = ["path", "label", "group", "digest", "extension", "samples", "given_partition"]
_EMPTY = {"group": "", "samples": "", "given_partition": ""}
_NUMBERS = ["size_bytes", "width", "height"]
#: Columns of the table, of which ``key`` follows from others.
COLUMNS = [
    *("path", "label", "group", "digest", "extension"),
    *_NUMBERS,
    *BOX_COLUMNS,
    *("samples", *RANGE_COLUMNS, "plane", "given_partition", "key"),
]
DTYPES = (
    dict.fromkeys([*_TEXTS, "key"], "str")
    | dict.fromkeys(_NUMBERS, "int64")
    | dict.fromkeys([*BOX_COLUMNS, "plane"], "Int64")
    | dict.fromkeys(RANGE_COLUMNS, "Float64")
)


def images_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of a dataset.

    Parameters
    ----------
    rows : iterable of Mapping
        One mapping per image, with keys from `COLUMNS`; other keys are ignored. ``group``, ``samples`` and
        ``given_partition`` (``""`` by default), ``box_*``, ``black``, ``white`` and ``plane`` may be missing. Each path
        must occur once; this is not checked.

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS` with the dtypes `DTYPES`, sorted by path, with a RangeIndex. Empty if there are no rows.

    Raises
    ------
    ValueError
        If a row has no value for another column, or its ``group``, ``samples`` or ``given_partition`` is None.
    TypeError
        If an edge of a box is not a whole number.
    """
    table = pd.DataFrame([_EMPTY | dict(row) for row in rows]).reindex(columns=COLUMNS)
    if table[_TEXTS].isna().any(axis=None):
        raise ValueError(f"every image needs {', '.join(_TEXTS)}")
    return with_keys(table.astype(DTYPES).sort_values("path", ignore_index=True))


def with_keys(images: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the column ``key``, which identifies the pixels of an image.

    Parameters
    ----------
    images : pandas.DataFrame
        Table with the other `COLUMNS`; it is not changed.

    Returns
    -------
    pandas.DataFrame
        ``key`` is the digest of the file; for an image with a range of samples, or with another picture than the first
        of its file, the SHA-256 (hex) of the digest, the range and the number of the picture, which is negative for a
        combined one.
    """
    keys = images["digest"].copy()
    other = ~images["plane"].fillna(0).isin([0, FIRST_PAGE])
    special = (images["white"].notna() | other).to_numpy(bool)
    if special.any():
        fields = images.loc[special, ["digest", *RANGE_COLUMNS, "plane"]].itertuples(index=False, name=None)
        keys[special] = [
            hashlib.sha256(" ".join([digest, *_ends(black, white), *_number(plane)]).encode()).hexdigest()
            for digest, black, white, plane in fields
        ]
    return images.assign(key=keys)


def _ends(black: Any, white: Any) -> list[str]:
    return [] if pd.isna(white) else [repr(float(black)), repr(float(white))]


def _number(plane: Any) -> list[str]:
    return [] if pd.isna(plane) or plane in (0, FIRST_PAGE) else [f"plane {plane}"]


def content_digest(images: pd.DataFrame) -> str:
    r"""Return the SHA-256 (hex) of the sorted lines ``path\0label\0group\0digest``.

    The line of an image with a bounding box also contains ``\0left,top,right,bottom``, with a range of samples
    ``\0black..white``, of another picture than the first of a file ``\0plane N``, and with a given partition
    ``\0in PARTITION``. The order of the rows has no effect.

    Parameters
    ----------
    images : pandas.DataFrame
        Table with the columns of `images_table` and a RangeIndex.
    """
    # Lists, because iterating over a column of text takes six times as long.
    fields = (images[column].to_list() for column in ("path", "label", "group", "digest"))
    lines = ["\0".join(row) for row in zip(*fields, strict=True)]
    boxed = images[BOX_COLUMNS].dropna()
    for index, box in zip(boxed.index, boxed.itertuples(index=False, name=None), strict=True):
        lines[index] += "\0" + ",".join(str(int(edge)) for edge in box)
    ranged = images[RANGE_COLUMNS].dropna()
    for index, ends in zip(ranged.index, ranged.itertuples(index=False, name=None), strict=True):
        lines[index] += "\0" + "..".join(repr(float(end)) for end in ends)
    for index, plane in images["plane"].dropna().items():
        lines[index] += "".join(f"\0{part}" for part in _number(plane))
    for index, partition in enumerate(images["given_partition"].to_list()):
        if partition:
            lines[index] += f"\0in {partition}"
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def boxes(images: pd.DataFrame) -> np.ndarray:
    """Return the bounding boxes of all images as an array.

    Parameters
    ----------
    images : pandas.DataFrame
        Table from `images_table`.

    Returns
    -------
    ndarray of int64, shape (N, 4)
        Left, top, right, bottom in pixels, right and bottom exclusive, in the order of the rows. All four are -1 for
        an image without a box.
    """
    return images[BOX_COLUMNS].fillna(-1).to_numpy(np.int64)
