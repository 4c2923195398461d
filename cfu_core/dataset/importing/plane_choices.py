"""Which picture of a file with several an import uses, and what it leaves out."""

from collections.abc import Sequence
from typing import Any

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.imaging.samples import PlaneChoice
from cfu_core.wording import plural


def assign_planes(rows: Sequence[dict[str, Any]]) -> list[ImportIssue]:
    """Add the number of the used picture to the rows of images whose file has several.

    Parameters
    ----------
    rows : sequence of dict
        Rows of a dataset's table. ``plane`` is the `PlaneChoice` of an image, or missing or None. It becomes the number
        of the picture, from 0, if the file has several; otherwise None.

    Returns
    -------
    list of ImportIssue
        One for all files with the same numbers of pictures: what they have, which picture is used, and what is left
        out.
    """
    groups: dict[tuple, list[str]] = {}
    for row in rows:
        choice: PlaneChoice | None = row.get("plane")
        row["plane"] = choice.index if choice is not None and choice.count > 1 else None
        if choice is not None and not choice.complete:
            what = (choice.count, choice.axes, choice.main, choice.others, choice.missing, choice.extra_channels)
            groups.setdefault(what, []).append(row["path"])
    return [
        ImportIssue(path=min(paths), kind="plane", detail=_describe(len(paths), *what))
        for what, paths in groups.items()
    ]


def _describe(
    images: int, count: int, axes: tuple[str, ...], main: bool, others: int, missing: int, extra_channels: int
) -> str:
    text = f"{plural(images, 'file has', 'files have')}"
    if count > 1:
        nouns = " and ".join(f"{axis}s" for axis in axes)
        fixed = [axis for axis in ("position", "channel") if axis in axes]
        first = set(axes) <= {"position", "channel"}
        used = "the main one" if main else "the first" if first else "the sharpest"
        used += "".join(f" of the first {noun}" for noun in fixed if used == "the sharpest")
        each = " each" if images > 1 else ""
        text += f" {count} pictures{each} ({nouns}). Of them, {used} is used; another one can be chosen on Explore."
    elif others:
        text += f" {plural(others, 'picture')} of another size beside the largest one, which is used."
        others = 0
    if others:
        text += f" {plural(others, 'picture')} of another size {'is' if others == 1 else 'are'} left out."
    if missing:
        text += f" {plural(missing, 'more picture is', 'more pictures are')} described but not in the file."
    if extra_channels:
        named = plural(extra_channels, "channel that is", "channels that are") + " neither colour nor alpha"
        text += f" Left out: {named}." if count > 1 else f" {named}, left out."
    return text
