"""Which images of a dataset to look at: one filter for everything, in URL parameters and under a name.

The table that is filtered has one row an image: ``path``, ``label``, ``group``, ``partition``, the measures, the place
on the map (``map_x``, ``map_y``) and ``findings`` (the kinds of findings, joined by blanks).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from cfu_core.dataset.catalog import dataset_folder
from cfu_core.errors import DatasetError
from cfu_core.storage import read_json, write_json

LONGEST_LASSO = 60  # corners; a hand draws hundreds, and a URL is to stay short
LONGEST_NAME = 60  # characters
_LISTS = {"classes": "class", "partitions": "partition", "groups": "group", "findings": "problem"}
_RANGE = "in."  # a range of a measure stands in the URL as in.brightness=20~80

Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What an image must be like. Empty fields ask for nothing.

    Parameters
    ----------
    classes, partitions, groups, findings : tuple of str
        Any of these.
    name : str
        Part of the path, in any case of letters.
    ranges : Mapping of str to (float, float)
        Lowest and highest value of a measure, both included. An image that was not measured falls out.
    lasso : tuple of (x, y)
        Corners of a polygon on the map.
    """

    classes: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    name: str = ""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    lasso: Polygon = ()

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return self != Filter()

    def changed(self, **fields: Any) -> Self:
        """The same with other fields."""
        return replace(self, **fields)

    def with_range(self, measure: str, limits: tuple[float, float] | None) -> Self:
        """The same with another range of a measure; None takes it away."""
        others = {name: kept for name, kept in self.ranges.items() if name != measure}
        return self.changed(ranges=others | ({measure: limits} if limits else {}))

    def mask(self, table: pd.DataFrame) -> np.ndarray:
        """Which rows pass.

        Parameters
        ----------
        table : DataFrame
            See the module. A column that is missing asks for nothing.

        Returns
        -------
        ndarray of bool, shape (len(table),)
        """
        passes = np.ones(len(table), bool)
        for column, wanted in (("label", self.classes), ("partition", self.partitions), ("group", self.groups)):
            if wanted and column in table:
                passes &= table[column].isin(wanted).to_numpy()
        if self.name:
            passes &= table["path"].str.contains(self.name, case=False, regex=False).to_numpy(bool)
        for measure, (low, high) in self.ranges.items():
            if measure in table:
                passes &= table[measure].between(low, high).to_numpy()
        if self.findings and "findings" in table:
            kinds = table["findings"]
            found = [kinds.str.contains(f" {kind} ", regex=False).to_numpy(bool) for kind in self.findings]
            passes &= np.any(found, axis=0)
        if self.lasso and {"map_x", "map_y"} <= set(table):
            passes &= self._inside(table[["map_x", "map_y"]].to_numpy(float))
        return passes

    def _inside(self, points: np.ndarray) -> np.ndarray:
        from skimage.measure import points_in_poly  # late: slow to import

        there = np.isfinite(points).all(axis=1)
        inside = np.zeros(len(points), bool)
        inside[there] = points_in_poly(points[there], np.array(self.lasso))
        return inside

    def to_params(self) -> dict[str, list[str]]:
        """URL parameters, by name; only for what is asked for."""
        params = {name: list(getattr(self, field)) for field, name in _LISTS.items() if getattr(self, field)}
        if self.name:
            params["name"] = [self.name]
        for measure, (low, high) in self.ranges.items():
            params[_RANGE + measure] = [f"{low:g}~{high:g}"]
        if self.lasso:
            params["lasso"] = ["~".join(f"{x:.4g},{y:.4g}" for x, y in self.lasso)]
        return params

    @classmethod
    def from_params(cls, params: Mapping[str, Sequence[str]]) -> Self:
        """The filter that a URL asks for; what makes no sense in it is left aside."""
        lists: dict[str, Any] = {field: tuple(params.get(name, ())) for field, name in _LISTS.items()}
        ranges = {}
        for key, values in params.items():
            if key.startswith(_RANGE) and values and (limits := _numbers(values[-1])) and len(limits) == 2:
                ranges[key.removeprefix(_RANGE)] = (limits[0], limits[1])
        corners = [_numbers(pair, ",") for pair in (params.get("lasso") or [""])[-1].split("~")[:LONGEST_LASSO]]
        lasso = tuple((c[0], c[1]) for c in corners if c and len(c) == 2)
        name = (params.get("name") or [""])[-1]
        return cls(**lists, name=name, ranges=ranges, lasso=lasso if len(lasso) >= 3 else ())


def is_parameter(name: str) -> bool:
    """Whether a URL parameter is a part of a filter."""
    return name in {*_LISTS.values(), "name", "lasso"} or name.startswith(_RANGE)


def lasso_of(xs: Sequence[float], ys: Sequence[float]) -> Polygon:
    """A drawn outline as a polygon of at most `LONGEST_LASSO` corners; () where it encloses nothing."""
    count = min(len(xs), len(ys))
    if count < 3:
        return ()
    kept = np.unique(np.linspace(0, count - 1, min(count, LONGEST_LASSO)).round().astype(int))
    # rounded as in the URL, so that a link shows the same images
    return tuple((float(f"{xs[i]:.4g}"), float(f"{ys[i]:.4g}")) for i in kept)


def save_filter(dataset_id: str, name: str, kept: Filter) -> None:
    """Keep a filter under a name with the dataset; one of the same name is replaced.

    Raises
    ------
    DatasetError
        The name is empty or too long.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME:
        raise DatasetError(
            f"The name of the view has {len(name)} characters.", f"It needs 1 to {LONGEST_NAME}.", "Choose another."
        )
    found = saved_filters(dataset_id) | {name: kept}
    _write(dataset_id, found)


def saved_filters(dataset_id: str) -> dict[str, Filter]:
    """The kept filters of a dataset by name, sorted."""
    try:
        kept = read_json(dataset_folder(dataset_id) / "filters.json")
    except FileNotFoundError:
        return {}
    return {name: Filter.from_params(params) for name, params in sorted(kept.items())}


def delete_filter(dataset_id: str, name: str) -> None:
    """Forget a kept filter."""
    _write(dataset_id, {other: kept for other, kept in saved_filters(dataset_id).items() if other != name})


def _write(dataset_id: str, filters: Mapping[str, Filter]) -> None:
    write_json(dataset_folder(dataset_id) / "filters.json", {name: kept.to_params() for name, kept in filters.items()})


def _numbers(text: str, separator: str = "~") -> list[float] | None:
    try:
        numbers = [float(part) for part in text.split(separator)]
    except ValueError:
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None
