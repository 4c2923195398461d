"""Limits of the audit, which a user can move: above or below which value an image or a class is listed.

Limits that were moved are stored in ``limits.json`` in the folder of the dataset; all others have their default.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cfu_core.dataset.catalog import dataset_folder, existing_folder
from cfu_core.errors import StorageError
from cfu_core.storage import read_json, write_json

FILE = "limits.json"


@dataclass(frozen=True, kw_only=True)
class LimitFacts:
    """What a limit applies to, and its range.

    Attributes
    ----------
    measure : str
        Name of the measure, such as ``Black pixels``.
    help : str
        What it measures, in one to three sentences.
    unit : str
        Unit of the measure with its separator, such as `` %``.
    lowest, highest, step : float
        Range and step of the limit, in this unit.
    above : bool
        Whether values above the limit are listed; otherwise those below it.
    """

    measure: str
    help: str
    unit: str
    lowest: float
    highest: float
    step: float
    above: bool = True

    def text(self, value: float) -> str:
        """Return a value with its unit, such as ``25 %``."""
        return f"{value:.{0 if self.step >= 1 else 1}f}{self.unit}"


#: Limits by the kind of their finding.
LIMITS: Mapping[str, LimitFacts] = MappingProxyType(
    {
        "blurred": LimitFacts(
            measure="Edge width",
            help="How wide the steepest edges of the colony are, compared with the median of the class: 100 % is as "
            "sharp as a typical image of its class, 200 % is twice as wide. Edges are measured in the box of the "
            "colony that was found automatically, so the size of the colony has no influence.",
            unit=" %",
            lowest=101,
            highest=300,
            step=1,
        ),
        "underexposed": LimitFacts(
            measure="Black pixels",
            help="Share of the pixels of an image that are black or almost black (a lightness L* of at most 2).",
            unit=" %",
            lowest=0,
            highest=100,
            step=1,
        ),
        "overexposed": LimitFacts(
            measure="White pixels",
            help="Share of the pixels of an image that are white or almost white (a lightness L* of at least 98).",
            unit=" %",
            lowest=0,
            highest=100,
            step=1,
        ),
        "off-size": LimitFacts(
            measure="Times larger or smaller",
            help="How many times the longer side of an image is larger or smaller than the median of the dataset.",
            unit="",
            lowest=1,
            highest=10,
            step=0.1,
        ),
        "off-shape": LimitFacts(
            measure="Times wider or narrower",
            help="How many times the ratio of width to height is larger or smaller than the median of the dataset.",
            unit="",
            lowest=1,
            highest=5,
            step=0.1,
        ),
        "small-test": LimitFacts(
            measure="Test images of a class",
            help="Number of images of a class in the test partition. Of 10 images, a single one changes the recall by "
            "10 percentage points.",
            unit="",
            lowest=1,
            highest=100,
            step=1,
            above=False,
        ),
    }
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Limit:
    """A limit with the values to which it applies.

    Attributes
    ----------
    kind : str
        Kind of the finding, a key of `LIMITS`.
    value, default : float
        The limit in use and its default, in the unit of the measure.
    values : ndarray of float, shape (N,)
        Values of the images of the dataset, in their order, NaN where an image is not measured; or of its classes.
    classes : tuple of str
        Names of the classes, if the values are those of classes; otherwise empty.
    """

    kind: str
    value: float
    default: float
    values: np.ndarray
    classes: tuple[str, ...] = ()

    @property
    def facts(self) -> LimitFacts:
        """Name, explanation, unit and range."""
        return LIMITS[self.kind]

    @property
    def exceeded(self) -> np.ndarray:
        """Whether each value is beyond the limit; False for NaN."""
        return self.values > self.value if self.facts.above else self.values < self.value

    @property
    def changed(self) -> bool:
        """Whether the limit differs from its default."""
        return self.value != self.default

    @property
    def change(self) -> str:
        """How the limit was changed, as a clause; the limit if it was not."""
        if not self.changed:
            return f"limit {self.facts.text(self.value)}"
        return f"limit changed from {self.facts.text(self.default)} to {self.facts.text(self.value)}"

    def nearest(self, count: int) -> tuple[list[int], list[int]]:
        """Return the rows whose values are nearest to the limit.

        Parameters
        ----------
        count : int
            Maximum number of rows on each side.

        Returns
        -------
        within : list of int
            Rows that are not listed, the nearest first; of equal values, the first row first.
        beyond : list of int
            Rows that are listed, in the same order.
        """
        distance = np.abs(self.values - self.value)
        order = np.argsort(distance, kind="stable")
        order = order[np.isfinite(distance[order])]
        beyond = self.exceeded[order]
        return order[~beyond][:count].tolist(), order[beyond][:count].tolist()


def make_limit(
    kind: str, default: float, values: np.ndarray, changed: Mapping[str, float], classes: tuple[str, ...] = ()
) -> Limit:
    """Return a limit with its value from `changed`, or else its default."""
    return Limit(kind=kind, value=changed.get(kind, default), default=default, values=values, classes=classes)


def read_limits(dataset_id: str) -> dict[str, float]:
    """Return the limits of a dataset that were moved, by the kind of finding; empty if there are none.

    Parameters
    ----------
    dataset_id : str
        Id of a dataset; it need not be saved.

    Raises
    ------
    StorageError
        ``limits.json`` in the folder of the dataset is damaged or not readable.
    """
    file = dataset_folder(dataset_id) / FILE
    try:
        found = read_json(file)
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict) or not all(_is_limit(kind, value) for kind, value in found.items()):
        raise StorageError(
            f"{file} is damaged: its content does not describe limits of the audit.",
            f"It must contain numbers by the kind of finding: {', '.join(LIMITS)}.",
            "Delete it to use the default limits, or restore it from a backup.",
        )
    return {kind: float(value) for kind, value in found.items()}


def save_limit(dataset_id: str, kind: str, value: float | None) -> None:
    """Store a limit of a dataset, or remove it so that its default is used.

    Parameters
    ----------
    dataset_id : str
        Id of a saved dataset.
    kind : str
        A key of `LIMITS`.
    value : float or None
        In the unit of the measure; it is moved into the range of the limit. None removes the limit.

    Raises
    ------
    DatasetError
        There is no dataset with this id.
    StorageError
        The disk is full, the folder is not writable, or ``limits.json`` is damaged or not readable.
    ValueError
        `kind` has no limit, or `value` is not finite.
    """
    if kind not in LIMITS or (value is not None and not math.isfinite(value)):
        raise ValueError(f"{kind!r} has no limit {value}")
    facts = LIMITS[kind]
    limits = {name: old for name, old in read_limits(dataset_id).items() if name != kind}
    if value is not None:
        limits[kind] = min(max(float(value), facts.lowest), facts.highest)
    write_json(existing_folder(dataset_id) / FILE, limits)


def _is_limit(kind: object, value: object) -> bool:
    return kind in LIMITS and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
