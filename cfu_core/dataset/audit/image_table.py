"""One table of everything that is known of each image: to filter, to sort, to look up."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cfu_core.dataset.audit.audit import Finding
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import Split
from cfu_core.dataset.survey.survey import Survey


def browse_table(dataset: Dataset, split: Split, survey: Survey, findings: Iterable[Finding]) -> pd.DataFrame:
    """What `cfu_core.dataset.audit.filtering` filters, one row an image of ``dataset.images``, in its order.

    Returns
    -------
    pandas.DataFrame
        ``path``, ``label``, ``group``, ``digest``, ``partition``, ``width``, ``height``, ``size_bytes``, ``pixels``,
        the columns of ``survey.table``, ``findings`` (kinds of findings, each between blanks) and ``copies`` (images
        that a finding puts together have the same number; NaN elsewhere).
    """
    images = dataset.images
    table = images[["path", "label", "group", "digest", "width", "height", "size_bytes"]].copy()
    table["pixels"] = table["width"] * table["height"]
    table["partition"] = images["path"].map(split.assignment)
    table = pd.concat([table, survey.table.reset_index(drop=True)], axis=1)
    row_of = pd.Series(np.arange(len(images)), index=images["path"])
    kinds, copies = np.full(len(images), "", object), np.full(len(images), np.nan)
    number = 0
    for finding in findings:
        for together in finding.paths:
            rows = row_of.reindex(together).dropna().to_numpy(int)
            kinds[rows] += f" {finding.kind} "
            if len(rows) > 1:
                copies[rows] = number
                number += 1
    table["findings"] = pd.Series(kinds, dtype="str")
    table["copies"] = copies
    return table


def sorted_rows(table: pd.DataFrame, passes: np.ndarray, *, by: str, descending: bool = False) -> np.ndarray:
    """The numbers of the rows that pass, sorted; what has no value comes last, and images of one value by path.

    Parameters
    ----------
    table : DataFrame
        From `browse_table`, in the order of its paths.
    passes : ndarray of bool, shape (N,)
    by : str
        A column.

    Returns
    -------
    ndarray of int
    """
    if by == "path":  # the order in which they are; sorting 100,000 names again would take longer than all the rest
        rows = np.flatnonzero(passes)
        return rows[::-1] if descending else rows
    chosen = table.loc[passes, by]
    return chosen.sort_values(ascending=not descending, kind="stable", na_position="last").index.to_numpy()


def percentile(table: pd.DataFrame, measure: str, row: int) -> float | None:
    """The share of images, in per cent, whose value of a measure is below that of row `row`; None where unmeasured."""
    values = table[measure].dropna()
    value = table[measure].iat[row]
    return None if np.isnan(value) else float((values < value).mean() * 100)


def neighbours(table: pd.DataFrame, row: int, *, count: int) -> list[int]:
    """The rows nearest to `row` on the map, nearest first; none where it has no place there."""
    points = table[["map_x", "map_y"]].to_numpy(float)
    if not np.isfinite(points[row]).all():
        return []
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    _, nearest = cKDTree(points[placed]).query(points[row], k=min(count + 1, len(placed)))
    return [int(found) for found in placed[np.atleast_1d(nearest)] if found != row][:count]
