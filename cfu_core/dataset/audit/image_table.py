"""A table with everything known about each image, for filters, sorting and details."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.labelling_order import labelling_order
from cfu_core.dataset.splitting import Split
from cfu_core.dataset.survey.survey import Survey


def build_image_table(dataset: Dataset, split: Split, survey: Survey, findings: Iterable[Finding]) -> pd.DataFrame:
    """Build a table of the images from a dataset and its split, survey and findings.

    Parameters
    ----------
    dataset : Dataset
        Excluded images are left out.
    split, survey, findings
        Of this dataset in the same version; rows of the survey are matched with images by position. Paths in findings
        that are not in the dataset are ignored.

    Returns
    -------
    pandas.DataFrame
        One row per image of ``dataset.images``, in its order (sorted by path), with a RangeIndex. The columns are
        ``path``, ``label``, ``group``, ``digest``, ``key``, ``width`` and ``height`` (in pixels),
        ``size_bytes``, ``pixels`` (width times height), ``partition``, the columns of ``survey.table``,
        ``findings`` (kinds of the findings that list the image, each between blanks; ``""`` for none),
        ``copies`` (images that belong together in a finding have the same number, images in several findings
        that of the last one; NaN for the remaining images) and, if there are images without a class,
        ``labelling_order`` (`cfu_core.dataset.labelling_order`).
    """
    images = dataset.images
    table = images[["path", "label", "group", "digest", "key", "width", "height", "size_bytes"]].copy()
    table["pixels"] = table["width"] * table["height"]
    table["partition"] = images["path"].map(split.assignment)
    table = pd.concat([table, survey.table.reset_index(drop=True)], axis=1)
    row_of = pd.Series(np.arange(len(images)), index=images["path"])
    kinds, copies = np.full(len(images), "", object), np.full(len(images), np.nan)
    number = 0
    for finding in findings:
        # one look-up for each finding, because a finding may have a tuple for each of 100,000 images
        found = row_of.reindex([path for together in finding.paths for path in together]).to_numpy(float)
        present = np.isfinite(found)
        rows = found[present].astype(int)
        group = np.repeat(np.arange(len(finding.paths)), [len(together) for together in finding.paths])[present]
        kinds[np.unique(rows)] += f" {finding.kind} "
        several = np.bincount(group, minlength=len(finding.paths)) > 1
        in_several = several[group]
        copies[rows[in_several]] = number + np.cumsum(several)[group[in_several]] - 1
        number += int(several.sum())
    table["findings"] = pd.Series(kinds, dtype="str")
    table["copies"] = copies
    if dataset.unlabelled:
        table["labelling_order"] = labelling_order(table["label"], table[["map_x", "map_y"]].to_numpy(float))
    return table


def sorted_rows(table: pd.DataFrame, passes: np.ndarray, *, by: str, descending: bool = False) -> np.ndarray:
    """Return the rows that pass a filter, sorted by a column.

    Parameters
    ----------
    table : pandas.DataFrame
        Table from `build_image_table`, sorted by path.
    passes : ndarray of bool, shape (N,)
        Which rows pass, from `cfu_core.dataset.audit.filtering.Filter.mask`.
    by : str
        Name of a column of `table`.
    descending : bool, default: False
        Whether the largest value comes first.

    Returns
    -------
    ndarray of int64, shape (number of rows that pass,)
        Row numbers. Missing values come last, also in descending order; rows with equal values are in the order of
        their paths. Text is compared by code points, so capital letters come before small ones.
    """
    if by == "path":  # the table is in this order already; sorting 100,000 names would take longer than all the rest
        rows = np.flatnonzero(passes)
        return rows[::-1] if descending else rows
    values = table.loc[passes, by]
    return values.sort_values(ascending=not descending, kind="stable", na_position="last").index.to_numpy()


def percentile(table: pd.DataFrame, measure: str, row: int) -> float | None:
    """Return the percentage of measured images with a lower value of a measure than one image.

    Parameters
    ----------
    table : pandas.DataFrame
        Table from `build_image_table`.
    measure : str
        Name of a column of numbers.
    row : int
        Row number of the image.

    Returns
    -------
    float or None
        From 0 to below 100, because the image itself is one of the measured images; None if it is not measured.
    """
    values = table[measure].dropna()
    value = table[measure].iat[row]
    return None if np.isnan(value) else float((values < value).mean() * 100)


def neighbours(table: pd.DataFrame, row: int, *, count: int) -> list[int]:
    """Return the images that are nearest to one image on the similarity map.

    Parameters
    ----------
    table : pandas.DataFrame
        Table from `build_image_table`.
    row : int
        Row number of the image.
    count : int
        Maximum number of neighbours.

    Returns
    -------
    list of int
        Row numbers by increasing Euclidean distance, without `row` itself. Fewer than `count` if the map has fewer
        images; empty if the image is not on the map.
    """
    points = table[["map_x", "map_y"]].to_numpy(float)
    if not np.isfinite(points[row]).all():
        return []
    mapped = np.flatnonzero(np.isfinite(points).all(axis=1))
    _, nearest = cKDTree(points[mapped]).query(points[row], k=min(count + 1, len(mapped)))
    return [int(found) for found in mapped[np.atleast_1d(nearest)] if found != row][:count]
