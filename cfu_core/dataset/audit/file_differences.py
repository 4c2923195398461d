"""Checks whether the files of the classes differ: depth, range of samples, colour, file type and size of the images.

A difference that follows the classes is learned by a network instead of colonies, and is absent from new images.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from cfu_core.dataset.audit.checks import Check
from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.survey.survey import Survey
from cfu_core.imaging.headers import FORMAT_EXTENSIONS
from cfu_core.wording import first_of, listed, plural

MINIMUM_OF_CLASS = 3  # images of a class, below which it is not compared
MINIMUM_ASSOCIATION = 0.3  # Cramér's V, from which a difference between classes is reported
NEARLY_ALL = 0.99  # share of the images of a class that have a value for "all"
RANGE_RATIO = 1.1  # of the largest samples of two classes whose ranges are called different
MOST_NAMED = 3  # values of a class in a table
FILE_TYPES = {extension: name for name, extension in FORMAT_EXTENSIONS.items()}  # those of the image store
_REMEDY = (
    "A network can learn this difference instead of colonies, and its accuracy is then too high. Export the images of "
    "all classes again in the same way, and import them again."
)


class _Property(NamedTuple):
    """Something that files have; the severity is that of classes that it tells apart completely."""

    kind: str
    title: str
    sentence: str  # with the name of a class and the value
    severity: str


_PROPERTIES = (
    _Property("depth-by-class", "Depth of samples by class", "of {label} have {value}", "error"),
    _Property("colour-by-class", "Grey or colour by class", "of {label} are {value}", "error"),
    _Property("type-by-class", "File type by class", "of {label} are {value} files", "warning"),
    _Property("pixels-by-class", "Image size by class", "of {label} have {value} pixels", "warning"),
)


def file_differences(images: pd.DataFrame, survey: Survey) -> list[Check]:
    """Compare depth, range of samples, colour, file type and image size between classes.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Only measured images are compared by depth, range
        and colour, and classes with at least `MINIMUM_OF_CLASS` of them. Images without a class are ignored.

    Returns
    -------
    list of Check
        ``depth-by-class``, ``range-by-class``, ``colour-by-class``, ``type-by-class`` and ``pixels-by-class``. The
        findings have a table, and no paths and remedies, because they are about classes. If a class can be told apart
        from all others by a property alone, the finding is an error for depth and colour, which a network sees at
        once, and otherwise a warning; if classes differ only in part, it is information.
    """
    table = survey.table
    labelled = (images["label"] != "").to_numpy()
    decoded = table["brightness"].notna().to_numpy() & labelled
    values: dict[str, tuple[np.ndarray, np.ndarray]] = {
        "depth-by-class": (table["depth"].to_numpy(str), decoded),
        "colour-by-class": (np.where(table["coloured"].to_numpy(float) > 0, "colour", "grey"), decoded),
        "type-by-class": (images["extension"].map(_file_type).to_numpy(str), labelled),
        "pixels-by-class": (
            (images["width"].astype(str) + " × " + images["height"].astype(str)).to_numpy(str),
            labelled,
        ),
    }
    labels = images["label"].to_numpy(str)
    checks = [_compared(each, labels, *values[each.kind]) for each in _PROPERTIES]
    return [checks[0], _compared_ranges(labels, table, decoded), *checks[1:]]


def _file_type(extension: str) -> str:
    return FILE_TYPES.get(extension, extension.removeprefix(".").upper())


def _compared(what: _Property, labels: np.ndarray, values: np.ndarray, known: np.ndarray) -> Check:
    """Compare a property with few values between classes."""
    counts = pd.crosstab(labels[known], values[known])
    counts = counts[counts.sum(axis=1) >= MINIMUM_OF_CLASS]
    counts = counts.loc[:, counts.sum() > 0]
    if len(counts) < 2 or counts.shape[1] < 2 or _association(counts.to_numpy(float)) < MINIMUM_ASSOCIATION:
        return Check(kind=what.kind, title=what.title, result=_no_difference(counts))
    shares = counts.div(counts.sum(axis=1), axis=0)
    apart = [label for label in counts.index if _is_apart(shares, label)]
    sentences = [
        _share_of_class(shares.loc[label].max()) + " " + what.sentence.format(label=label, value=shares.columns[place])
        for label, place in zip(shares.index, shares.to_numpy().argmax(axis=1), strict=True)
    ]
    return _difference(
        what.kind,
        what.title,
        sentences,
        _table(counts, lambda label: _frequent(counts.loc[label])),
        what.severity if apart else "info",
        f"{listed(apart)} can be told from the other classes by this alone." if apart else "",
        counts=counts,
    )


def _association(counts: np.ndarray) -> float:
    """Cramér's V of a table of counts with at least two rows and two columns, (R, C), corrected for its bias.

    W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42
    (2013), 323-328.
    """
    total = counts.sum()
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / total
    phi = ((counts - expected) ** 2 / expected).sum() / total
    rows, columns = counts.shape
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (total - 1))
    rows, columns = (n - (n - 1) ** 2 / (total - 1) for n in (rows, columns))
    return float(np.sqrt(phi / max(min(rows, columns) - 1, 1e-9)))


def _is_apart(shares: pd.DataFrame, label: str) -> bool:
    """Whether nearly all images of a class have a value that nearly no other image has."""
    value = shares.loc[label].idxmax()
    return bool(shares.loc[label, value] >= NEARLY_ALL and (shares.drop(index=label)[value] <= 1 - NEARLY_ALL).all())


def _share_of_class(share: float) -> str:
    return "all images" if share >= NEARLY_ALL else f"{100 * share:.0f} % of the images"


def _frequent(counts: pd.Series) -> str:
    """List the values of a class with their counts, the most frequent first."""
    present = counts[counts > 0].sort_values(ascending=False, kind="stable")
    return first_of([f"{value} ({count:,})" for value, count in present.items()], MOST_NAMED)


def _compared_ranges(labels: np.ndarray, table: pd.DataFrame, decoded: np.ndarray) -> Check:
    """Compare the largest samples of classes, from their 5 % to their 95 % quantiles."""
    kind, title = "range-by-class", "Range of samples by class"
    high = pd.Series(table["sample_high"].to_numpy(float)[decoded]).groupby(labels[decoded])
    low = pd.Series(table["sample_low"].to_numpy(float)[decoded]).groupby(labels[decoded])
    counts = high.size().to_frame("images")
    compared = counts.index[counts["images"] >= MINIMUM_OF_CLASS]
    quantiles = high.quantile([0.05, 0.95]).unstack().reindex(compared)
    apart = [
        label
        for label in compared
        if len(compared) > 1
        and all(_disjoint(quantiles.loc[label], quantiles.loc[other]) for other in compared if other != label)
    ]
    if not apart:
        return Check(kind=kind, title=title, result=_no_difference(counts.loc[compared]))
    medians = pd.DataFrame({"low": low.median(), "high": high.median()})
    sentences = [f"samples of {label} typically reach {medians.loc[label, 'high']:,.4g}" for label in compared]
    typical = _table(
        counts.loc[compared], lambda label: f"{medians.loc[label, 'low']:,.4g} to {medians.loc[label, 'high']:,.4g}"
    )
    alone = f"{listed(apart)} can be told from the other classes by the largest sample of an image alone."
    return _difference(kind, title, sentences, typical, "warning", alone, counts=counts.loc[compared])


def _disjoint(one: pd.Series, other: pd.Series) -> bool:
    (low, high), (other_low, other_high) = one, other
    return bool(low > RANGE_RATIO * other_high or other_low > RANGE_RATIO * high)


def _no_difference(counts: pd.DataFrame) -> str:
    if len(counts) < 2:
        return "not compared, because fewer than two classes have measured images"
    if counts.shape[1] == 1 and counts.columns[0] != "images":
        return f"{counts.columns[0]} in all {plural(len(counts), 'class', 'classes')}"
    return f"no clear difference between {plural(len(counts), 'class', 'classes')}"


def _table(counts: pd.DataFrame, text: Callable[[str], str]) -> tuple[tuple[str, ...], ...]:
    rows = [(str(label), f"{int(counts.loc[label].sum()):,}", text(label)) for label in counts.index]
    return (("Class", "Images", "Values"), *rows)


def _difference(
    kind: str,
    title: str,
    sentences: list[str],
    rows: tuple[tuple[str, ...], ...],
    severity: str,
    apart: str,
    *,
    counts: pd.DataFrame,
) -> Check:
    text = first_of(sentences, MOST_NAMED)
    finding = Finding(
        kind=kind,
        title=title,
        detail=" ".join(filter(None, [f"{text[:1].upper()}{text[1:]}.", apart, _REMEDY])),
        paths=(),
        severity=severity,
        table=rows,
    )
    return Check(
        kind=kind,
        title=title,
        result=f"a difference between {plural(len(counts), 'class', 'classes')}",
        finding=finding,
    )
