"""The audit of a dataset: everything that is wrong or may be wrong with it, with reasons, images and remedies.

The checks follow from tables (the dataset, its survey, its split); no image is opened.
"""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from cfu_core.dataset.audit.checks import Audit, Check, count_images, one_of
from cfu_core.dataset.audit.class_sizes import small_classes
from cfu_core.dataset.audit.copies_and_leaks import copy_findings
from cfu_core.dataset.audit.decoder_warnings import decoder_warnings
from cfu_core.dataset.audit.divided_groups import divided_groups, unknown_groups
from cfu_core.dataset.audit.file_differences import file_differences
from cfu_core.dataset.audit.image_quality import (
    blurred,
    exposed,
    unmeasured,
    unreadable,
    unusual_size,
    without_colony,
)
from cfu_core.dataset.audit.left_out_files import left_out
from cfu_core.dataset.audit.shortcuts import shortcuts
from cfu_core.dataset.audit.unlabelled import unlabelled
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.left_out import left_out_files
from cfu_core.dataset.splitting import Split
from cfu_core.dataset.survey.survey import Survey
from cfu_core.wording import plural

_COPIES = {
    "byte-duplicate": "Identical files",
    "near-duplicate": "Near duplicates",
    "two-labels": "Copies in several classes",
    "leak": "Copies in several partitions",
}
#: Differences of files that explain a shortcut.
_SAME_CAUSE = {
    "shortcut-samples": ("depth-by-class", "range-by-class"),
    "shortcut-file-type": ("type-by-class",),
    "shortcut-image-size": ("pixels-by-class",),
}


def audit(
    dataset: Dataset,
    survey: Survey,
    split: Split,
    limits: Mapping[str, float],
    comparisons: tuple[Check, ...] | None = None,
) -> Audit:
    """Make all checks of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Excluded images are ignored.
    survey : Survey
        Survey of this dataset in the same version, with one row per image of ``dataset.images``. An image that is not
        yet measured can only be in findings about its file and byte-identical copies.
    split : Split
        Split of this dataset in the same version. It determines the leaks and the number of test images of a class.
    limits : Mapping of str to float
        Limits that were moved, from `cfu_core.dataset.audit.limits.read_limits`.
    comparisons : tuple of Check, optional
        Result of `compare_classes` for the same dataset and survey, if it is known already; empty to leave it out.

    Returns
    -------
    Audit
        In this order: ``left-out``; ``unreadable`` and ``decoder-warning``; ``byte-duplicate``, ``near-duplicate``,
        ``two-labels`` and ``leak``; ``divided-group``, ``no-groups`` and ``unlabelled``; ``blurred``, ``underexposed``,
        ``overexposed``, ``off-size``, ``off-shape`` and ``no-colony``; ``small-class`` and ``small-test``; then those
        of `compare_classes`. No checks if all images are excluded.
    """
    if dataset.images.empty:
        return Audit(checks=())
    images = dataset.images.assign(partition=dataset.images["path"].map(split.assignment))
    return Audit(
        checks=(
            _left_out(dataset),
            unreadable(images, survey),
            _decoder_warnings(images, survey),
            *_copies(images, survey),
            *_groups(images, dataset.partitions),
            _unlabelled(images),
            blurred(images, survey, limits),
            *exposed(images, survey, limits),
            *unusual_size(images, limits),
            without_colony(images, survey),
            *small_classes(dataset.counts, split, limits),
            *(compare_classes(dataset, survey) if comparisons is None else comparisons),
        )
    )


def compare_classes(dataset: Dataset, survey: Survey) -> tuple[Check, ...]:
    """Compare the classes of a dataset by their files, and by what is no colony; this is the slow part of an audit.

    Parameters
    ----------
    dataset, survey
        As for `audit`. Images without a class are left out.

    Returns
    -------
    tuple of Check
        Those of `cfu_core.dataset.audit.file_differences.file_differences`, then those of
        `cfu_core.dataset.audit.shortcuts.shortcuts`; empty if all images are excluded. A shortcut that a difference of
        the files explains has no finding of its own.
    """
    if dataset.images.empty:
        return ()
    files = file_differences(dataset.images, survey)
    found = {check.kind: check.title for check in files if check.finding}
    checked = []
    for check in shortcuts(dataset.images, survey):
        title = next((found[kind] for kind in _SAME_CAUSE.get(check.kind, ()) if kind in found), "")
        checked.append(replace(check, finding=None, result=f"{check.result}; see {title}") if title else check)
    return (*files, *checked)


def _left_out(dataset: Dataset) -> Check:
    number = len(left_out_files(dataset))
    return Check(
        kind="left-out",
        title="Files left out at the import",
        result=plural(number, "file"),
        finding=next(left_out(dataset), None),
    )


def _copies(images: pd.DataFrame, survey: Survey) -> list[Check]:
    findings = list(copy_findings(images, survey.copies))
    waiting = unmeasured(survey)
    return [
        Check(
            kind=kind,
            title=title,
            # identical files are known from the import
            result=count_images(one_of(findings, kind), len(images), 0 if kind == "byte-duplicate" else waiting),
            finding=one_of(findings, kind),
        )
        for kind, title in _COPIES.items()
    ]


def _decoder_warnings(images: pd.DataFrame, survey: Survey) -> Check:
    finding, waiting = next(decoder_warnings(images, survey), None), unmeasured(survey)
    result = count_images(finding, len(images) - waiting, waiting)
    return Check(kind="decoder-warning", title="Decoder warnings", result=result, finding=finding)


def _unlabelled(images: pd.DataFrame) -> Check:
    finding = next(unlabelled(images), None)
    result = count_images(finding, len(images))
    return Check(kind="unlabelled", title="Images without a class", result=result, finding=finding)


def _groups(images: pd.DataFrame, manual: Mapping[str, str]) -> list[Check]:
    divided, unknown = next(divided_groups(images, manual), None), next(unknown_groups(images), None)
    groups = images["group"][images["group"] != ""]
    without = len(images) - len(groups)
    return [
        Check(
            kind="divided-group",
            title="Groups in several partitions",
            result=f"{len(divided.paths) if divided else 0} of {plural(groups.nunique(), 'group')}"
            if len(groups)
            else "no group is known",
            finding=divided,
        ),
        Check(
            kind="no-groups",
            title="Images without a known dish or donor",
            result=f"{without:,} of {plural(len(images), 'image')}",
            finding=unknown,
        ),
    ]
