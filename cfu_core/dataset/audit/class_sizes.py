"""Checks of class sizes: too few images to train, or few images to test."""

from collections.abc import Mapping

import numpy as np

from cfu_core.dataset.audit.checks import Check
from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.audit.limits import make_limit
from cfu_core.dataset.splitting import MINIMUM_IMAGES, Split
from cfu_core.wording import plural

MINIMUM_TESTED = (
    10.0  # test images of a class; of fewer, one image changes the recall by more than 10 percentage points
)


def small_classes(counts: Mapping[str, int], split: Split, limits: Mapping[str, float]) -> list[Check]:
    """Find classes with too few images to train or to test.

    Parameters
    ----------
    counts : Mapping of str to int
        Number of images by class.
    split : Split
        Split of the dataset. A class that it does not contain has no test images.
    limits : Mapping of str to float
        Limits that were moved, by the kind of finding.

    Returns
    -------
    list of Check
        ``small-class``, whose finding is an error and names the classes with fewer than `MINIMUM_IMAGES` images;
        ``small-test``, whose finding is a warning and names the larger classes with fewer test images than the limit,
        by default `MINIMUM_TESTED`. Both findings have no paths and no remedies, because the class itself is too small.
    """
    few = {label: count for label, count in counts.items() if count < MINIMUM_IMAGES}
    tested = {
        label: split.counts.get(label, {}).get("test", 0) for label, count in sorted(counts.items()) if label not in few
    }
    limit = make_limit(
        "small-test", MINIMUM_TESTED, np.array(list(tested.values()), float), limits, classes=tuple(tested)
    )
    rare = {label: number for label, number in tested.items() if number < limit.value}
    no_training = no_test = None
    if few:
        no_training = Finding(
            kind="small-class",
            title="Too few images to train",
            detail=f"{_listed(few)}. Training needs at least {MINIMUM_IMAGES} images of each class. Add images, or "
            "exclude the class.",
            paths=(),
            severity="error",
        )
    if rare:
        points = 100 / max(1, max(rare.values()))
        no_test = Finding(
            kind="small-test",
            title="Few images to test",
            detail=f"In the test partition: {_listed(rare)}. With so few, a single image changes the recall of its "
            f"class by {points:.0f} percentage points or more. Interpret the recall of "
            f"{'this class' if len(rare) == 1 else 'these classes'} with care.",
            paths=(),
            severity="warning",
        )
    return [
        Check(
            kind="small-class",
            title="Too few images to train",
            result=f"{len(few)} of {plural(len(counts), 'class', 'classes')}",
            finding=no_training,
        ),
        Check(
            kind="small-test",
            title="Few images to test",
            result=f"{len(rare)} of {plural(len(tested), 'class', 'classes')}",
            finding=no_test,
            limit=limit if tested else None,
        ),
    ]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {plural(count, 'image')}" for label, count in counts.items())
