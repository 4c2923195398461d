"""Findings about class sizes: too few images to train, or few images to test."""

from collections.abc import Iterator, Mapping

from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.splitting import MINIMUM_IMAGES, Split
from cfu_core.wording import plural

MINIMUM_TESTED = 10  # test images of a class; of fewer, one image changes the recall by more than 10 percentage points


def small_classes(counts: Mapping[str, int], split: Split) -> Iterator[Finding]:
    """Find classes with too few images to train or to test.

    Parameters
    ----------
    counts : Mapping of str to int
        Number of images by class.
    split : Split
        Split of the dataset. A class that it does not contain has no test images.

    Yields
    ------
    Finding
        At most two. ``small-class`` (an error) names the classes with fewer than `MINIMUM_IMAGES` images;
        ``small-test`` (a warning) names the larger classes with fewer than `MINIMUM_TESTED` test images. Both have no
        paths and no remedies, because the class itself is too small.
    """
    few = {label: count for label, count in counts.items() if count < MINIMUM_IMAGES}
    tested = {label: split.counts.get(label, {}).get("test", 0) for label in counts.keys() - few.keys()}
    rare = {label: number for label, number in sorted(tested.items()) if number < MINIMUM_TESTED}
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
        points = 100 / max(1, max(rare.values()))
        yield Finding(
            kind="small-test",
            title="Few images to test",
            detail=f"In the test partition: {_listed(rare)}. With so few, a single image changes the recall of its "
            f"class by {points:.0f} percentage points or more. Interpret the recall of "
            f"{'this class' if len(rare) == 1 else 'these classes'} with care.",
            paths=(),
            severity="warning",
        )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {plural(count, 'image')}" for label, count in counts.items())
