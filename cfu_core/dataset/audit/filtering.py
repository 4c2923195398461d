"""Filter the images of a dataset; filters are stored in URL parameters and, with a name, in the dataset's folder.

A filter applies to the table of `cfu_core.dataset.audit.image_table`, which has one row per image: ``path``, ``label``,
``group``, ``partition``, the measures, the position on the map (``map_x``, ``map_y``) and ``findings`` (the kinds of
findings, each between blanks).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from cfu_core.dataset.catalog import dataset_folder, existing_folder
from cfu_core.errors import DatasetError, StorageError
from cfu_core.settings import validate_name
from cfu_core.storage import read_json, write_json

LONGEST_LASSO = 60  # vertices; a drawn outline has hundreds, and a URL should be short
_LISTS = {"classes": "class", "partitions": "partition", "groups": "group", "findings": "problem"}
_RANGE = "in."  # prefix of a range of a measure in the URL: in.brightness=20~80

Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions on images. An image passes if it meets all of them; an empty field is no condition.

    Attributes
    ----------
    classes, partitions, groups : tuple of str
        Accepted labels, partitions and groups. In each of these fields one accepted value is enough.
    findings : tuple of str
        Kinds of findings of the audit, of which the image must have at least one.
    name : str
        Part of the path, ignoring case.
    ranges : Mapping of str to (float, float)
        Lowest and highest value by measure, both included. Images that are not measured do not pass.
    lasso : tuple of (float, float)
        Vertices (x, y) of a polygon on the similarity map, inside which an image must be. Images that are not on the
        map do not pass; with fewer than three vertices no image passes.
    """

    classes: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    name: str = ""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    lasso: Polygon = ()

    def __bool__(self) -> bool:
        """Return whether there is any condition."""
        return self != Filter()

    def changed(self, **fields: Any) -> Self:
        """Return a copy of the filter in which the given fields have new values."""
        return replace(self, **fields)

    def with_range(self, measure: str, limits: tuple[float, float] | None) -> Self:
        """Return a copy of the filter with new limits (lowest, highest) of a measure; None removes its limits."""
        others = {name: other for name, other in self.ranges.items() if name != measure}
        return self.changed(ranges=others | ({measure: limits} if limits else {}))

    def mask(self, table: pd.DataFrame) -> np.ndarray:
        """Return which rows of a table pass.

        Parameters
        ----------
        table : pandas.DataFrame
            Table from `cfu_core.dataset.audit.image_table.build_image_table`. Conditions on missing columns are
            ignored, except that `name` needs the column ``path``.

        Returns
        -------
        ndarray of bool, shape (len(table),)
            True for each row that meets all conditions; all True for an empty filter.
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
        from skimage.measure import points_in_poly  # imported here because it is slow

        mapped = np.isfinite(points).all(axis=1)
        inside = np.zeros(len(points), bool)
        inside[mapped] = points_in_poly(points[mapped], np.array(self.lasso))
        return inside

    def to_params(self) -> dict[str, list[str]]:
        """Convert the filter to URL parameters.

        Returns
        -------
        dict of str to list of str
            Values by name: ``class``, ``partition``, ``group`` and ``problem`` (kinds of findings), with a value for
            each accepted name or kind; ``name``; ``in.<measure>`` as ``low~high``, with 6 significant digits; ``lasso``
            as ``x,y~x,y~...``, with 4 significant digits. Empty fields are omitted.
        """
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
        """Create a filter from URL parameters as `to_params` returns them.

        Unknown parameters, ranges and vertices that are not two finite numbers, vertices after the first
        `LONGEST_LASSO`, and a lasso of fewer than three vertices are ignored.

        Parameters
        ----------
        params : mapping of str to sequence of str
            Lists of values by name. Of several values of ``name``, ``lasso`` or a range, the last is used.
        """
        lists: dict[str, Any] = {field: tuple(params.get(name, ())) for field, name in _LISTS.items()}
        ranges = {}
        for key, values in params.items():
            if key.startswith(_RANGE) and values and (limits := _numbers(values[-1])) and len(limits) == 2:
                ranges[key.removeprefix(_RANGE)] = (limits[0], limits[1])
        corners = [_numbers(pair, ",") for pair in (params.get("lasso") or [""])[-1].split("~")[:LONGEST_LASSO]]
        lasso = tuple((c[0], c[1]) for c in corners if c and len(c) == 2)
        name = (params.get("name") or [""])[-1]
        return cls(**lists, name=name, ranges=ranges, lasso=lasso if len(lasso) >= 3 else ())


def is_filter_parameter(name: str) -> bool:
    """Return whether `Filter.from_params` uses a URL parameter with this name."""
    return name in {*_LISTS.values(), "name", "lasso"} or name.startswith(_RANGE)


def lasso_from_outline(xs: Sequence[float], ys: Sequence[float]) -> Polygon:
    """Reduce a drawn outline to a polygon for `Filter.lasso`.

    Parameters
    ----------
    xs, ys : sequence of float
        Coordinates of the outline on the map. If one is longer, its additional values are ignored.

    Returns
    -------
    tuple of (float, float)
        At most `LONGEST_LASSO` vertices (x, y), evenly spaced among the points of the outline and rounded to 4
        significant digits; empty if the outline has fewer than three points.
    """
    count = min(len(xs), len(ys))
    if count < 3:
        return ()
    chosen = np.unique(np.linspace(0, count - 1, min(count, LONGEST_LASSO)).round().astype(int))
    # rounded as in the URL, so that a link shows the same images
    return tuple((float(f"{xs[i]:.4g}"), float(f"{ys[i]:.4g}")) for i in chosen)


def save_filter(dataset_id: str, name: str, chosen: Filter) -> None:
    """Save a filter in ``filters.json`` in the folder of a dataset, replacing a filter of the same name.

    Parameters
    ----------
    dataset_id : str
        Id of a saved dataset.
    name : str
        Surrounding white space is removed.
    chosen : Filter
        The numbers are rounded as by `Filter.to_params`. What `Filter.from_params` ignores is lost when
        the filter is loaded.

    Raises
    ------
    DatasetError
        If the name is empty or longer than `cfu_core.settings.MAX_NAME_LENGTH` characters, or there is no dataset with
        this id.
    StorageError
        If the disk is full, the folder is not writable, or ``filters.json`` is damaged or not readable.
    ValueError
        If the id is not safe as a folder name.
    """
    name = validate_name(name, of="view", error=DatasetError)
    _write(dataset_id, saved_filters(dataset_id) | {name: chosen})


def saved_filters(dataset_id: str) -> dict[str, Filter]:
    """Return the saved filters of a dataset by name, sorted by name; empty if there are none.

    Raises
    ------
    StorageError
        If ``filters.json`` in the folder of the dataset is damaged or not readable.
    ValueError
        If the id is not safe as a folder name.
    """
    file = dataset_folder(dataset_id) / "filters.json"
    try:
        saved = read_json(file)
    except FileNotFoundError:
        return {}
    if not isinstance(saved, dict) or not all(map(_is_params, saved.values())):
        raise StorageError(
            f"{file} is damaged: its content does not describe filters.",
            "It must contain lists of texts by the name of the filter and of the parameter.",
            "Delete it, or restore it from a backup.",
        )
    return {name: Filter.from_params(params) for name, params in sorted(saved.items())}


def delete_filter(dataset_id: str, name: str) -> None:
    """Delete a saved filter, if there is one with this name.

    Raises
    ------
    DatasetError
        If there is a filter with this name, but no dataset with this id.
    StorageError, ValueError
        As from `save_filter`.
    """
    filters = saved_filters(dataset_id)
    if filters.pop(name, None) is not None:
        _write(dataset_id, filters)


def _write(dataset_id: str, filters: Mapping[str, Filter]) -> None:
    file = existing_folder(dataset_id) / "filters.json"
    write_json(file, {name: each.to_params() for name, each in filters.items()})


def _is_params(value: object) -> bool:
    """Return whether a JSON value consists of lists of texts by name, as from `Filter.to_params`."""
    return isinstance(value, dict) and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in value.values()
    )


def _numbers(text: str, separator: str = "~") -> list[float] | None:
    try:
        numbers = [float(part) for part in text.split(separator)]
    except ValueError:
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None
