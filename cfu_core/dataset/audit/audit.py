"""What is wrong, or may be wrong, with a dataset: each finding with its reason, its images and remedies.

Everything is told from tables (the dataset, its survey, its split); no image is opened.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from cfu_core.dataset.audit.copies_and_leaks import copies
from cfu_core.dataset.audit.findings import Finding, Groups, Remedy, exclude
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import MINIMUM_IMAGES, Split
from cfu_core.dataset.survey.survey import Survey
from cfu_core.wording import plural

__all__ = ["Finding", "Groups", "Remedy", "audit"]

FAR = 3.5  # robust standard deviations; Iglewicz and Hoaglin (1993) label outliers by a modified z-score above 3.5
MAD_TO_SD = 1.4826  # of a normal distribution
LEAST_SPREAD = 0.05  # of log sharpness: images that are all alike must not make outliers of each other
TOO_MANY_CLIPPED = 0.25  # share of pixels that are black, or white: a quarter of the picture shows nothing
OFF_SIZE = 2.0  # times larger or smaller than the middle one, along the longer side
OFF_ASPECT = 1.5  # times wider or narrower than the middle one
HONEST_TEST = 10  # test images of a class below which one image is more than 10 % of its recall


def audit(dataset: Dataset, survey: Survey, split: Split) -> list[Finding]:
    """Every finding, the gravest first.

    Parameters
    ----------
    dataset : Dataset
        Excluded images are not looked at.
    survey : Survey
        Of the same dataset; what it has not measured yet is not judged.
    split : Split
        Of the same dataset.

    Returns
    -------
    list of Finding
    """
    if dataset.images.empty:
        return []
    images = dataset.images.assign(partition=dataset.images["path"].map(split.assignment))
    findings = [
        *_unreadable(images, survey),
        *copies(images, survey.copies),
        *_blurred(images, survey),
        *_exposed(images, survey),
        *_off_size(images),
        *_small_classes(dataset.counts, split),
    ]
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(findings, key=lambda finding: order[finding.severity])


def _unreadable(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    reasons = survey.table["unreadable"].to_numpy(str)
    paths = images["path"].to_numpy(str)[reasons != ""].tolist()
    if paths:
        yield Finding(
            kind="unreadable",
            title="Cannot be read",
            detail=f"{plural(len(paths), 'image')} cannot be decoded, for example: {reasons[reasons != ''][0]} A run stops at "
            "such an image. Exclude it, or mend the file and import again.",
            paths=tuple((path,) for path in paths),
            severity="error",
            remedies=(exclude(paths, "cannot be read"),),
        )


def _blurred(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    sharpness = survey.table["sharpness"].to_numpy(float)
    measured = sharpness[np.isfinite(sharpness)]
    if len(measured) < MINIMUM_IMAGES:
        return
    logs = np.log(np.maximum(sharpness, 1e-3))
    middle = np.nanmedian(logs)
    spread = max(LEAST_SPREAD, MAD_TO_SD * np.nanmedian(np.abs(logs - middle)))
    limit = float(np.exp(middle - FAR * spread))
    paths = images["path"][(logs < middle - FAR * spread)].tolist()
    if paths:
        yield _outliers(
            "blurred",
            "Blurred",
            f"{plural(len(paths), 'image')} are far less sharp than the others: below {limit:.3g}, where the middle image has "
            f"{np.exp(middle):.3g}; the limit lies {FAR:g} robust standard deviations (of the logarithm) below that. "
            "They may be out of focus or empty, and teach the network little.",
            paths,
        )


def _exposed(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    for kind, title, end in (
        ("underexposed", "Underexposed", "black"),
        ("overexposed", "Overexposed", "white"),
    ):
        share = survey.table[kind].to_numpy(float)
        paths = images["path"][share > TOO_MANY_CLIPPED].tolist()
        if paths:
            yield _outliers(
                kind,
                title,
                f"In {plural(len(paths), 'image')} more than {TOO_MANY_CLIPPED:.0%} of the pixels are {end} or nearly so. What "
                "was there is lost; no preprocessing brings it back.",
                paths,
            )


def _off_size(images: pd.DataFrame) -> Iterator[Finding]:
    width, height = images["width"].to_numpy(float), images["height"].to_numpy(float)
    longer, aspect = np.maximum(width, height), width / height
    usual, usual_aspect = np.median(longer), np.median(aspect)
    off = np.abs(np.log2(longer / usual)) > np.log2(OFF_SIZE)
    off |= np.abs(np.log2(aspect / usual_aspect)) > np.log2(OFF_ASPECT)
    paths = images["path"][off].tolist()
    if paths:
        yield _outliers(
            "off-size",
            "Unusual size",
            f"{plural(len(paths), 'image')} are more than {OFF_SIZE:g} times larger or smaller than the middle image (longer "
            f"side {usual:.0f} pixels), or much wider or narrower. They may come from another camera, or be cut-outs. "
            "Every image is brought to the network's size, so cells appear larger or smaller in them.",
            paths,
            severity="info",
        )


def _small_classes(counts: Mapping[str, int], split: Split) -> Iterator[Finding]:
    """No images to show: the class itself is the finding."""
    few = {label: count for label, count in counts.items() if count < MINIMUM_IMAGES}
    tested = {label: split.counts.get(label, {}).get("test", 0) for label in counts.keys() - few.keys()}
    rare = {label: number for label, number in sorted(tested.items()) if number < HONEST_TEST}
    if few:
        yield Finding(
            kind="small-class",
            title="Too few images to train",
            detail=f"{_listed(few)}. Training needs at least {MINIMUM_IMAGES} images of each class. Add images, or "
            "exclude the class.",
            paths=(),
            severity="error",
        )
    if rare:
        yield Finding(
            kind="small-test",
            title="Few images to test on",
            detail=f"In the test partition: {_listed(rare)}. Of so few, one image more or less changes the recall of "
            f"its class by {100 / max(1, max(rare.values())):.0f} points or more. Read these figures with care.",
            paths=(),
            severity="warning",
        )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {plural(count, 'image')}" for label, count in counts.items())


def _outliers(kind: str, title: str, detail: str, paths: list[str], severity: str = "warning") -> Finding:
    return Finding(
        kind=kind,
        title=title,
        detail=f"{detail} Look at them, and exclude what shows nothing.",
        paths=tuple((path,) for path in paths),
        severity=severity,
        remedies=(exclude(paths, title.lower()),),
    )
