"""The table of a dataset: a row an image, with what is known of it."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

BOX_COLUMNS = ["box_left", "box_top", "box_right", "box_bottom"]
COLUMNS = ["path", "label", "group", "digest", "extension", "size_bytes", "width", "height", *BOX_COLUMNS]
_TEXTS, _NUMBERS = COLUMNS[:5], COLUMNS[5:8]
DTYPES = dict.fromkeys(_TEXTS, "str") | dict.fromkeys(_NUMBERS, "int64") | dict.fromkeys(BOX_COLUMNS, "Int64")


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
    return table.astype(DTYPES).sort_values("path", ignore_index=True)


def content_digest(images: pd.DataFrame) -> str:
    r"""SHA-256 (hex) over the sorted lines ``path\0label\0group\0digest``.

    A row with a box adds ``\0left,top,right,bottom``: the box is part of what is known of the image.
    """
    # As lists: walking over a column of text costs six times as much.
    fields = (images[column].to_list() for column in ("path", "label", "group", "digest"))
    lines = ["\0".join(row) for row in zip(*fields, strict=True)]
    boxed = images[BOX_COLUMNS].dropna()
    for index, box in zip(boxed.index, boxed.itertuples(index=False, name=None), strict=True):
        lines[index] += "\0" + ",".join(str(int(edge)) for edge in box)
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def boxes(images: pd.DataFrame) -> np.ndarray:
    """The boxes of all images at once.

    Returns
    -------
    ndarray of int64, shape (N, 4)
        Left, top, right, bottom in pixels; -1 everywhere in a row without a box.
    """
    return images[BOX_COLUMNS].fillna(-1).to_numpy(np.int64)
