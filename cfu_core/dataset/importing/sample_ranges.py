"""Range of samples of more than 8 bits, chosen once for all images of an import that have the same type of samples."""

from collections.abc import Sequence
from typing import Any

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.imaging.sample_range import ChosenRange, SampleStatistics, choose_range, kind_in_words, sample_kinds
from cfu_core.wording import plural


def assign_ranges(rows: Sequence[dict[str, Any]]) -> list[ImportIssue]:
    """Add a range of samples to the rows of images that have more than 8 bits.

    Images whose samples are of the same kind share one range, whatever their class, so that their brightness can be
    compared.

    Parameters
    ----------
    rows : sequence of dict
        Rows of a dataset's table. ``samples`` is the `SampleStatistics` of an image of more than 8 bits, and missing or
        None for other images. ``samples`` becomes the kind of the samples, and ``black`` and ``white`` are added; for
        other images it becomes ``""``.

    Returns
    -------
    list of ImportIssue
        For each kind, which range was chosen and why, and how many images have samples outside of it.
    """
    deep = [row for row in rows if row.get("samples") is not None]
    statistics: list[SampleStatistics] = [row["samples"] for row in deep]
    for row in rows:
        row["samples"] = ""
    groups: dict[str, list[SampleStatistics]] = {}
    first: dict[str, str] = {}
    for row, found, kind in zip(deep, statistics, sample_kinds(statistics), strict=True):
        row["samples"] = kind
        groups.setdefault(kind, []).append(found)
        first[kind] = min(row["path"], first.get(kind, row["path"]))
    chosen = {kind: choose_range(members) for kind, members in groups.items()}
    for row in deep:
        row["black"], row["white"] = chosen[row["samples"]].range
    return [
        ImportIssue(path=first[kind], kind="range", detail=_describe(kind, groups[kind], chosen[kind]))
        for kind in sorted(groups)
    ]


def _describe(kind: str, samples: Sequence[SampleStatistics], chosen: ChosenRange) -> str:
    black, white = chosen.range
    clipped = sum(each.lowest < black or each.highest > white for each in samples)
    undefined = sum(each.not_finite > 0 for each in samples)
    text = (
        f"{plural(len(samples), 'image has', 'images have')} samples of {kind_in_words(kind)}. {black:g} is shown as "
        f"black and {white:g} as white, in all of them: {chosen.reason}."
    )
    if clipped:
        text += (
            f" {plural(clipped, 'image has', 'images have')} single values outside of this range, which are clipped."
        )
    if undefined:
        text += (
            f" {plural(undefined, 'image has', 'images have')} values that are not numbers, which are shown as black."
        )
    return text
