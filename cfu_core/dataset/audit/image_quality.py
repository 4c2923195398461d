"""Checks of single images: unreadable, blurred, badly exposed, of unusual size or shape, without a colony."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cfu_core.dataset.audit.checks import Check, count_images
from cfu_core.dataset.audit.findings import Finding, exclude
from cfu_core.dataset.audit.limits import Limit, make_limit
from cfu_core.dataset.survey.survey import Survey
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.wording import plural

OUTLIER_SCORE = 3.5  # robust standard deviations
MAD_TO_SD = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
MINIMUM_SD = 0.05  # of the logarithm of edge widths, so that in a set of nearly equal images none is an outlier
MINIMUM_MEASURED = 3  # images, below which no image is compared with the others
MINIMUM_OF_CLASS = 3  # measured images of a class, below which its images are compared with the whole dataset
MAXIMUM_CLIPPED = 25.0  # per cent of pixels that are black, or white: a quarter of the image shows nothing
SIZE_RATIO = 2.0  # of the longer side to its median, and its inverse
ASPECT_RATIO = 1.5  # of the aspect ratio to its median, and its inverse


def unreadable(images: pd.DataFrame, survey: Survey) -> Check:
    """Find images that cannot be decoded.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order.

    Returns
    -------
    Check
        Its finding is an error, with a remedy that excludes the images.
    """
    reasons = survey.table["unreadable"].to_numpy(str)
    paths = images["path"].to_numpy(str)[reasons != ""].tolist()
    finding = None
    if paths:
        finding = Finding(
            kind="unreadable",
            title="Cannot be read",
            detail=f"{plural(len(paths), 'image')} cannot be decoded, for example: {reasons[reasons != ''][0]} A "
            "training run stops at such an image. Exclude it, or fix the file and import again.",
            paths=tuple((path,) for path in paths),
            severity="error",
            remedies=(exclude(paths, "cannot be read"),),
        )
    decoded = int(survey.table["brightness"].notna().sum()) + len(paths)
    result = count_images(finding, decoded, len(images) - decoded)
    return Check(kind="unreadable", title="Images that cannot be read", result=result, finding=finding)


def blurred(images: pd.DataFrame, survey: Survey, limits: Mapping[str, float]) -> Check:
    """Find images whose edges are much wider than those of a typical image of their class.

    The width of the edges of the colony is divided by the median of its class, or of the dataset for images without a
    class and for classes with fewer than `MINIMUM_OF_CLASS` measured images. Classes are compared with themselves
    because cells of one kind can be larger and smoother than those of another. The default limit is that of Iglewicz
    and Hoaglin for outliers: a modified z-score of 3.5, here of the logarithm, with a robust standard deviation (1.4826
    times the median absolute deviation, but at least 0.05). Only wide edges count. The limit is rounded up to a whole
    percentage.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Images that are not yet measured, cannot be
        decoded or have no edges are ignored.
    limits : Mapping of str to float
        Limits that were moved, by the kind of finding.

    Returns
    -------
    Check
        Its finding is a warning, with a remedy that excludes the images. It has no limit if fewer than
        `MINIMUM_MEASURED` images are measured.

    References
    ----------
    B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers", ASQC Quality Press, 1993.
    """
    widths = pd.Series(survey.table["edge_width"].to_numpy(float))
    measured = int(widths.notna().sum())
    limit = finding = None
    if measured >= MINIMUM_MEASURED:
        by_class = widths.groupby(images["label"].to_numpy())
        enough = (by_class.transform("count") >= MINIMUM_OF_CLASS) & (images["label"] != "").to_numpy()
        typical = by_class.transform("median").where(enough, widths.median())
        relative = np.log(widths / typical)
        deviation = max(MINIMUM_SD, MAD_TO_SD * float(relative.abs().median()))
        default = float(np.ceil(100 * np.exp(OUTLIER_SCORE * deviation)))
        limit = make_limit("blurred", default, 100 * np.exp(relative.to_numpy(float)), limits)
        finding = _beyond(
            limit,
            images,
            "Blurred",
            "{count} much less sharp than a typical image of {their} class: the edges of the colony are more than "
            f"{limit.value - 100:.0f} % wider. Such images may be out of focus, or the dish moved, and the network "
            "learns little from them.",
        )
    return Check(
        kind="blurred",
        title="Blurred",
        result=count_images(finding, measured, unmeasured(survey)),
        finding=finding,
        limit=limit,
    )


def exposed(images: pd.DataFrame, survey: Survey, limits: Mapping[str, float]) -> list[Check]:
    """Find underexposed and overexposed images: by default, more than a quarter of the pixels are black, or white.

    Black is a lightness L* of at most 2, white of at least 98 (on a scale from 0 to 100).

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Images that are not yet measured, or cannot be
        decoded, are ignored.
    limits : Mapping of str to float
        Limits that were moved, by the kind of finding.

    Returns
    -------
    list of Check
        ``underexposed`` and ``overexposed``. Their findings are warnings, with a remedy that excludes the images.
    """
    checks = []
    for kind, title, named in (
        ("underexposed", "Underexposed", "black"),
        ("overexposed", "Overexposed", "white"),
    ):
        share = 100 * survey.table[kind].to_numpy(float)
        limit = make_limit(kind, MAXIMUM_CLIPPED, share, limits)
        finding = _beyond(
            limit,
            images,
            title,
            f"In {{images}} more than {limit.value:.0f} % of the pixels are {named} or nearly so. Their detail is "
            "lost; no preprocessing recovers it.",
        )
        result = count_images(finding, int(np.isfinite(share).sum()), unmeasured(survey))
        checks.append(Check(kind=kind, title=title, result=result, finding=finding, limit=limit))
    return checks


def unusual_size(images: pd.DataFrame, limits: Mapping[str, float]) -> list[Check]:
    """Find images whose longer side, or whose ratio of width to height, differs much from the median.

    By default, the longer side is more than twice the median or less than half of it, or the ratio is more than 1.5
    times the median or less than two thirds of it.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset, not empty.
    limits : Mapping of str to float
        Limits that were moved, by the kind of finding.

    Returns
    -------
    list of Check
        ``off-size`` and ``off-shape``. Their findings have the severity ``info`` and a remedy that excludes the images.
    """
    width, height = images["width"].to_numpy(float), images["height"].to_numpy(float)
    longer = np.maximum(width, height)
    size = make_limit("off-size", SIZE_RATIO, _times(longer), limits)
    shape = make_limit("off-shape", ASPECT_RATIO, _times(width / height), limits)
    unusual_sizes = _beyond(
        size,
        images,
        "Unusual size",
        f"{{count}} more than {size.value:g} times larger or smaller than the median image (longer side "
        f"{np.median(longer):.0f} pixels). Such images may come from another camera, or be cropped. Every image is "
        "resized to the network's input, so cells appear larger or smaller in them.",
        severity="info",
    )
    unusual_shapes = _beyond(
        shape,
        images,
        "Unusual ratio of width to height",
        f"{{count}} more than {shape.value:g} times wider or narrower than the median image (width divided by height "
        f"{np.median(width / height):.2f}). Such images may be cropped. Every image is resized to a square, so cells "
        "appear stretched in them.",
        severity="info",
    )
    return [
        Check(kind=limit.kind, title=title, result=count_images(finding, len(images)), finding=finding, limit=limit)
        for limit, title, finding in (
            (size, "Unusual size", unusual_sizes),
            (shape, "Unusual ratio of width to height", unusual_shapes),
        )
    ]


def without_colony(images: pd.DataFrame, survey: Survey) -> Check:
    """Find images in which no colony was found, and for which no box was given or drawn.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Images that are not yet measured, or cannot be
        decoded, are ignored.

    Returns
    -------
    Check
        Its finding has the severity ``info`` and a remedy that excludes the images.
    """
    decoded = survey.table["brightness"].notna().to_numpy()
    found = survey.table["colony_left"].notna().to_numpy() | images[BOX_COLUMNS[0]].notna().to_numpy()
    paths = images["path"][decoded & ~found].tolist()
    finding = None
    if paths:
        finding = _listed(
            "no-colony",
            "No colony found",
            f"In {plural(len(paths), 'image')} nothing differs clearly from the background, and no box was drawn. They "
            "may be empty or far out of focus. The step Crop of the preprocessing leaves them whole. Draw a box on "
            "Preprocess if there is a colony.",
            paths,
            "info",
        )
    result = count_images(finding, int(decoded.sum()), unmeasured(survey))
    return Check(kind="no-colony", title="Images without a colony", result=result, finding=finding)


def _times(values: np.ndarray) -> np.ndarray:
    """How many times values are larger or smaller than their median, 1 or more."""
    ratio = values / np.median(values)
    return np.maximum(ratio, 1 / ratio)


def unmeasured(survey: Survey) -> int:
    """Return the number of images that are neither measured nor known to be unreadable."""
    return int((survey.table["brightness"].isna() & (survey.table["unreadable"] == "")).sum())


def _beyond(
    limit: Limit, images: pd.DataFrame, title: str, detail: str, *, severity: str = "warning"
) -> Finding | None:
    """Return the finding about the images beyond a limit; the detail may contain {count}, {images} and {their}."""
    paths = images["path"][limit.exceeded].tolist()
    if not paths:
        return None
    named = detail.format(
        count=plural(len(paths), "image is", "images are"),
        images=plural(len(paths), "image"),
        their="its" if len(paths) == 1 else "their",
    )
    return _listed(limit.kind, title, named, paths, severity)


def _listed(kind: str, title: str, detail: str, paths: list[str], severity: str) -> Finding:
    return Finding(
        kind=kind,
        title=title,
        detail=f"{detail} Exclude images that show nothing.",
        paths=tuple((path,) for path in paths),
        severity=severity,
        remedies=(exclude(paths, title.lower()),),
    )
