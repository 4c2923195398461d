"""What is wrong, or may be wrong, with a dataset: each finding with its reason, its images and remedies.

Everything is told from tables (the dataset, its survey, its split); no image is opened.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cfu_core.dataset.catalog import Dataset
from cfu_core.dataset.splitting import MINIMUM_IMAGES, Split
from cfu_core.dataset.survey import Survey

FAR = 3.5  # robust standard deviations; Iglewicz and Hoaglin (1993) label outliers by a modified z-score above 3.5
MAD_TO_SD = 1.4826  # of a normal distribution
LEAST_SPREAD = 0.05  # of log sharpness: images that are all alike must not make outliers of each other
TOO_MANY_CLIPPED = 0.25  # share of pixels that are black, or white: a quarter of the picture shows nothing
OFF_SIZE = 2.0  # times larger or smaller than the middle one, along the longer side
OFF_ASPECT = 1.5  # times wider or narrower than the middle one
HONEST_TEST = 10  # test images of a class below which one image is more than 10 % of its recall

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """An edit that would mend a finding; `kind` and `changes` are those of `cfu_core.dataset.edits.edit_dataset`."""

    label: str
    kind: str
    changes: Mapping[str, Any]
    why: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a person should look at.

    Parameters
    ----------
    kind : str
        One word, for filters.
    title, detail : str
        For people: what it is; what was found, why it matters, what to do.
    paths : tuple of tuple of str
        The images; those that belong together (copies) in one inner tuple.
    severity : {"error", "warning", "info"}
        ``error`` where results would be wrong.
    remedies : tuple of Remedy
    """

    kind: str
    title: str
    detail: str
    paths: Groups
    severity: str
    remedies: tuple[Remedy, ...] = field(default=())


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
    images = dataset.images.assign(partition=dataset.images["path"].map(split.assignment))
    findings = [
        *_unreadable(images, survey),
        *_copies(images, survey),
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
            detail=f"{_images(len(paths))} cannot be decoded, for example: {reasons[reasons != ''][0]} A run stops at "
            "such an image. Exclude it, or mend the file and import again.",
            paths=tuple((path,) for path in paths),
            severity="error",
            remedies=(_exclude(paths, "cannot be read"),),
        )


def _copies(images: pd.DataFrame, survey: Survey) -> Iterator[Finding]:
    """Identical files, near duplicates, and what follows from both: two labels, leaks."""
    row_of = pd.Series(np.arange(len(images)), index=images["path"])
    digest = pd.factorize(images["digest"])[0]
    pairs = survey.copies[["path_a", "path_b"]]
    ends = np.stack([pairs[name].map(row_of).to_numpy(float) for name in pairs], axis=1)
    ends = ends[np.isfinite(ends).all(axis=1)].astype(int)  # a copy that is excluded is none
    same = _components(len(images), _chained(digest))
    alike = _components(len(images), np.vstack([_chained(digest), ends]))
    identical = _groups(same)
    near = [rows for rows in _groups(alike) if len(np.unique(digest[rows])) > 1]
    label, partition = images["label"].to_numpy(str), images["partition"].to_numpy(str)
    both = _groups(alike)

    yield from _finding_of(
        images,
        identical,
        "byte-duplicate",
        "Identical files",
        lambda n, g: (
            f"{_images(n)} in {g} groups are the same file under several names. They count several times in "
            "training and in every figure. Identical files always lie in one partition."
        ),
    )
    yield from _finding_of(
        images,
        near,
        "near-duplicate",
        "Near duplicates",
        lambda n, g: (
            f"{_images(n)} in {g} groups show the same picture: saved again, resized, mirrored, turned or "
            "cropped. Keep one of each, or see to it that they lie in one partition."
        ),
    )
    yield from _finding_of(
        images,
        [rows for rows in both if len(set(label[rows])) > 1],
        "two-labels",
        "The same image under two classes",
        lambda n, g: (
            f"{_images(n)} in {g} groups are copies of each other but carry different classes. At least one "
            "of them is wrong: look at them and change the class, or exclude them."
        ),
        severity="error",
        remedies=lambda rows: (_exclude(_paths(images, rows), "the same image under two classes", "Exclude all"),),
    )
    yield from _finding_of(
        images,
        [rows for rows in both if len(set(partition[rows])) > 1],
        "leak",
        "Copies in different partitions (leak)",
        lambda n, g: (
            f"{_images(n)} in {g} groups are copies of each other and lie in different partitions. What the "
            "network learned is then tested on itself, and the test accuracy is too high."
        ),
        severity="error",
        remedies=lambda rows: (_together(images, rows), _keep_one(images, rows)),
    )


def _finding_of(
    images: pd.DataFrame,
    groups: list[np.ndarray],
    kind: str,
    title: str,
    detail: Callable[[int, int], str],
    severity: str = "warning",
    remedies: Callable[[list[np.ndarray]], tuple[Remedy, ...]] | None = None,
) -> Iterator[Finding]:
    """A finding about copies, by default with the remedy to keep one of each."""
    if groups:
        yield Finding(
            kind=kind,
            title=title,
            detail=detail(sum(map(len, groups)), len(groups)),
            paths=tuple(tuple(images["path"].iloc[rows]) for rows in groups),
            severity=severity,
            remedies=remedies(groups) if remedies else (_keep_one(images, groups),),
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
            f"{_images(len(paths))} are far less sharp than the others: below {limit:.3g}, where the middle image has "
            f"{np.exp(middle):.3g}. They may be out of focus or empty.",
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
                f"In {_images(len(paths))} more than {TOO_MANY_CLIPPED:.0%} of the pixels are {end} or nearly so. What "
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
            f"{_images(len(paths))} are more than {OFF_SIZE:g} times larger or smaller than the middle image (longer "
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
    return ", ".join(f"{label} {_images(count)}" for label, count in counts.items())


def _outliers(kind: str, title: str, detail: str, paths: list[str], severity: str = "warning") -> Finding:
    return Finding(
        kind=kind,
        title=title,
        detail=f"{detail} Look at them, and exclude what shows nothing.",
        paths=tuple((path,) for path in paths),
        severity=severity,
        remedies=(_exclude(paths, title.lower()),),
    )


def _exclude(paths: list[str], why: str, label: str = "Exclude") -> Remedy:
    return Remedy(label=label, kind="exclude", changes=dict.fromkeys(paths), why=why)


def _keep_one(images: pd.DataFrame, groups: list[np.ndarray]) -> Remedy:
    """The largest stays; of equal ones that in training, then the first by name."""
    area = (images["width"] * images["height"]).to_numpy()
    training = (images["partition"] == "training").to_numpy()
    others: list[str] = []
    for rows in groups:
        best = max(rows, key=lambda row: (area[row], training[row], -row))
        others += [images["path"].iat[row] for row in rows if row != best]
    return Remedy(
        label="Keep one of each", kind="exclude", changes=dict.fromkeys(others), why="a copy of an image that is kept"
    )


def _together(images: pd.DataFrame, groups: list[np.ndarray]) -> Remedy:
    """All of a group to training where one is in training already, else to where most are."""
    partition = images["partition"].to_numpy(str)
    changes: dict[str, str] = {}
    for rows in groups:
        there = partition[rows].tolist()
        target = "training" if "training" in there else max(sorted(set(there)), key=there.count)
        changes |= {images["path"].iat[row]: target for row in rows if partition[row] != target}
    return Remedy(label="Move to one partition", kind="partition", changes=changes, why="copies belong together")


def _paths(images: pd.DataFrame, groups: list[np.ndarray]) -> list[str]:
    return [images["path"].iat[row] for rows in groups for row in rows]


def _chained(codes: np.ndarray) -> np.ndarray:
    """Pairs of rows, (P, 2), that tie together all rows of one code."""
    order = np.argsort(codes, kind="stable")
    equal = codes[order][1:] == codes[order][:-1]
    return np.stack([order[:-1][equal], order[1:][equal]], axis=1)


def _components(size: int, pairs: np.ndarray) -> np.ndarray:
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return connected_components(links, directed=False)[1]


def _groups(component: np.ndarray) -> list[np.ndarray]:
    """Rows of every component with more than one row; in the order of their first rows."""
    order = np.argsort(component, kind="stable")
    order = order[np.bincount(component)[component[order]] > 1]
    parts = np.split(order, np.flatnonzero(np.diff(component[order])) + 1) if len(order) else []
    return sorted(parts, key=lambda rows: rows[0])


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
