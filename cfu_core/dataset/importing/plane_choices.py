"""Which picture of a file with several an import uses, what it leaves out, and one choice for all files."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from cfu_core.dataset.dataset import Dataset, ImportIssue
from cfu_core.errors import ImageError
from cfu_core.imaging.combined_planes import combinations
from cfu_core.imaging.decoding import open_pictures
from cfu_core.imaging.planes import COMPOSITE, FUSED, Pictures, sharpest_plane
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


#: Which picture to use of each file: the sharpest one of a channel, all focal planes fused, or all channels.
Wanted = Literal["sharpest", "fused", "composite"]


class PlaneChanges(NamedTuple):
    """One choice for all files with several pictures.

    Attributes
    ----------
    changes : dict of str to int
        New picture by path, for an edit of the kind ``plane``; only of images whose picture changes.
    impossible : list of str
        Paths of the images whose file does not have what is wanted, and keeps its picture.
    """

    changes: dict[str, int]
    impossible: list[str]


def choose_planes(dataset: Dataset, wanted: Wanted, *, channel: int = 0) -> PlaneChanges:
    """Choose the picture of all images of a dataset whose file has several.

    Parameters
    ----------
    dataset : Dataset
        A saved dataset. Only its files with several pictures are opened, and only decoded if the sharpest picture is
        wanted.
    wanted : {"sharpest", "fused", "composite"}
        Which picture to use of each file.
    channel : int
        Number of the channel of which the sharpest picture is wanted, from 0. A file with fewer channels is
        impossible.

    Returns
    -------
    PlaneChanges
        It is not applied; `cfu_core.dataset.edits.edit_dataset` does that, records it, and checks each picture.

    Raises
    ------
    ValueError
        There is no such choice.
    StorageError
        The image store is not readable.
    """
    if wanted not in ("sharpest", "fused", "composite"):
        raise ValueError(f"there is no choice {wanted!r}")
    changes: dict[str, int] = {}
    impossible: list[str] = []
    for row in dataset.images.index[dataset.images["plane"].notna()]:
        path = dataset.images["path"].iat[row]
        try:
            pictures = open_pictures(dataset.read_bytes(row))
            if pictures is None or pictures.count == 1:  # all images from before pictures were chosen have a number
                continue
            chosen = _choose(pictures, wanted, channel)
        except (ImageError, ValueError):
            chosen = None
        if chosen is None:
            impossible.append(path)
        elif chosen != dataset.plane(row):
            changes[path] = chosen
    return PlaneChanges(changes, impossible)


def _choose(pictures: Pictures, wanted: Wanted, channel: int) -> int | None:
    """Return the wanted picture of a file; None if it is impossible."""
    if wanted == "sharpest":
        channels = dict(zip(pictures.axes, pictures.shape, strict=True)).get("channel", 1)
        return sharpest_plane(pictures, channel=channel) if channel < channels else None
    combined = FUSED if wanted == "fused" else COMPOSITE
    return combined if combined in combinations(pictures) else None


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
