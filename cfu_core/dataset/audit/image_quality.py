"""Findings about single images: unreadable, blurred, badly exposed, of unusual size."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cfu_core.dataset.audit.findings import Finding, exclude
from cfu_core.dataset.survey.survey import Survey
from cfu_core.wording import plural

OUTLIER_SCORE = 3.5  # robust standard deviations
MAD_TO_SD = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
MINIMUM_SD = 0.05  # of log sharpness, so that in a set of nearly equal images none is an outlier
MINIMUM_MEASURED = 3  # images, below which no image is compared with the others
MAXIMUM_CLIPPED = 0.25  # fraction of pixels that are black, or white: a quarter of the image shows nothing
SIZE_RATIO = 2.0  # of the longer side to its median, and its inverse
ASPECT_RATIO = 1.5  # of the aspect ratio to its median, and its inverse


def unreadable(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    """Find images that cannot be decoded.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order; images that are not yet measured are not listed.

    Yields
    ------
    Finding
        At most one, an error of the kind ``unreadable`` that lists all such images, with a remedy that excludes them.
    """
    reasons = survey.table["unreadable"].to_numpy(str)
    paths = images["path"].to_numpy(str)[reasons != ""].tolist()
    if paths:
        yield Finding(
            kind="unreadable",
            title="Cannot be read",
            detail=f"{plural(len(paths), 'image')} cannot be decoded, for example: {reasons[reasons != ''][0]} A "
            "training run stops at such an image. Exclude it, or fix the file and import again.",
            paths=tuple((path,) for path in paths),
            severity="error",
            remedies=(exclude(paths, "cannot be read"),),
        )


def blurred(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    """Find images that are much less sharp than a typical image of the dataset.

    The modified z-score of an image is the difference of its log sharpness from the median, in robust standard
    deviations (1.4826 times the median absolute deviation, but at least 0.05). Iglewicz and Hoaglin label a value as
    an outlier if the absolute value of its modified z-score is above 3.5; here only low outliers count.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Images that are not yet measured, or cannot be
        decoded, are ignored.

    Yields
    ------
    Finding
        At most one, a warning of the kind ``blurred`` that lists all blurred images, with a remedy that excludes them;
        none if fewer than `MINIMUM_MEASURED` images are measured.

    References
    ----------
    B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers", ASQC Quality Press, 1993.
    """
    sharpness = survey.table["sharpness"].to_numpy(float)
    measured = sharpness[np.isfinite(sharpness)]
    if len(measured) < MINIMUM_MEASURED:
        return
    logs = np.log(np.maximum(sharpness, 1e-3))
    median = np.nanmedian(logs)
    deviation = max(MINIMUM_SD, MAD_TO_SD * np.nanmedian(np.abs(logs - median)))
    limit = median - OUTLIER_SCORE * deviation
    paths = images["path"][(logs < limit)].tolist()
    if paths:
        yield _outliers(
            "blurred",
            "Blurred",
            f"{plural(len(paths), 'image is', 'images are')} much less sharp than a typical image here: below "
            f"{np.exp(limit):.3g}, where the median is {np.exp(median):.3g}. "
            "Such images may be out of focus or empty, and the network learns little from them.",
            paths,
        )


def exposed(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    """Find underexposed and overexposed images: more than a quarter of the pixels are black, or white.

    Black is a lightness L* of at most 2, white of at least 98 (on a scale from 0 to 100).

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Images that are not yet measured, or cannot be
        decoded, are ignored.

    Yields
    ------
    Finding
        At most two warnings, of the kinds ``underexposed`` and ``overexposed``. Each lists all such images and has a
        remedy that excludes them.
    """
    for kind, title, extreme in (
        ("underexposed", "Underexposed", "black"),
        ("overexposed", "Overexposed", "white"),
    ):
        share = survey.table[kind].to_numpy(float)
        paths = images["path"][share > MAXIMUM_CLIPPED].tolist()
        if paths:
            yield _outliers(
                kind,
                title,
                f"In {plural(len(paths), 'image')} more than {MAXIMUM_CLIPPED:.0%} of the pixels are {extreme} or "
                "nearly so. Their detail is lost; no preprocessing recovers it.",
                paths,
            )


def unusual_size(images: pd.DataFrame) -> Iterator[Finding]:
    """Find images whose longer side or aspect ratio differs much from the median.

    The longer side is more than twice the median or less than half of it, or the aspect ratio (width divided by height)
    is more than 1.5 times the median or less than two thirds of it.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset, not empty.

    Yields
    ------
    Finding
        At most one, of the kind ``off-size`` and the severity ``info``, which lists all such images and has a remedy
        that excludes them.
    """
    width, height = images["width"].to_numpy(float), images["height"].to_numpy(float)
    longer, aspect = np.maximum(width, height), width / height
    median, median_aspect = np.median(longer), np.median(aspect)
    unusual = np.abs(np.log2(longer / median)) > np.log2(SIZE_RATIO)
    unusual |= np.abs(np.log2(aspect / median_aspect)) > np.log2(ASPECT_RATIO)
    paths = images["path"][unusual].tolist()
    if paths:
        yield _outliers(
            "off-size",
            "Unusual size",
            f"{plural(len(paths), 'image is', 'images are')} more than {SIZE_RATIO:g} times larger or smaller than the "
            f"median image (longer side {median:.0f} pixels), or much wider or narrower. "
            "Such images may come from another camera, or be cropped. Every image is resized to the network's input, "
            "so cells appear larger or smaller in them.",
            paths,
            severity="info",
        )


def _outliers(kind: str, title: str, detail: str, paths: list[str], severity: str = "warning") -> Finding:
    return Finding(
        kind=kind,
        title=title,
        detail=f"{detail} Exclude images that show nothing.",
        paths=tuple((path,) for path in paths),
        severity=severity,
        remedies=(exclude(paths, title.lower()),),
    )
