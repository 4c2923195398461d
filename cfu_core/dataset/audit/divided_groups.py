"""Findings about groups (a dish, a donor): groups that are in several partitions, and datasets without groups."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from cfu_core.dataset.audit.copies_and_leaks import copy_findings
from cfu_core.dataset.audit.findings import Finding, Remedy
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.wording import first_of, plural

MOST_NAMED = 3  # groups in the text of a finding


class GroupRest(NamedTuple):
    """A group of which only a part is about to be moved to a partition."""

    group: str
    selected: tuple[str, ...]  # paths
    others: tuple[str, ...]  # paths of the images that would remain in another partition

    def describe(self, assignment: Mapping[str, str]) -> str:
        """Return a sentence for users; `assignment` holds the present partition of each image."""
        places = pd.Series([assignment[path] for path in self.others]).value_counts()
        where = " and ".join(f"{places[name]:,} more in {name}" for name in PARTITIONS if name in places)
        return (
            f"{plural(len(self.selected), 'selected image is', 'selected images are')} of the group {self.group} (a "
            f"dish, a donor), which has {where}."
        )


def rest_of_groups(
    images: pd.DataFrame, assignment: Mapping[str, str], paths: Sequence[str], *, partition: str
) -> list[GroupRest]:
    """Find the groups that a move of some of their images would divide, or leave divided.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset, with the columns ``path`` and ``group``.
    assignment : Mapping of str to str
        Present partition of each image, by path.
    paths : sequence of str
        Paths of the images to move.
    partition : str
        Where they are to be moved.

    Returns
    -------
    list of GroupRest
        In the order of the names of the groups; empty if no group has another image outside this partition.
    """
    chosen = images["path"].isin(paths)
    affected = images[images["group"].isin(set(images["group"][chosen]) - {""})]
    outside = ~chosen[affected.index] & (affected["path"].map(assignment) != partition)
    found = []
    for group, table in affected.groupby("group"):
        selected, others = chosen[table.index], outside[table.index]
        if others.any():
            found.append(GroupRest(str(group), tuple(table["path"][selected]), tuple(table["path"][others])))
    return found


def divided_groups(images: pd.DataFrame, manual: Mapping[str, str]) -> Iterator[Finding]:
    """Find groups whose images are in several partitions.

    A split that is drawn keeps a group together, so only a manual move, or partitions that the source gives, can divide
    one.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset with the columns ``path``, ``group`` (empty where unknown), ``given_partition`` (empty
        where the source gives none) and ``partition``.
    manual : Mapping of str to str
        Partitions that were assigned manually, by path.

    Yields
    ------
    Finding
        At most one, an error of the kind ``divided-group`` with one tuple of paths per group. Its first remedy moves
        each group to the partition of most of its images, of equals the first of `PARTITIONS`; its second undoes the
        manual moves of the groups that are then in one partition.
    """
    known = images[images["group"] != ""]
    divided = known[known.groupby("group")["partition"].transform("nunique") > 1]
    if divided.empty:
        return
    counts = pd.crosstab(divided["group"], divided["partition"]).reindex(columns=PARTITIONS, fill_value=0)
    target = divided["group"].map(counts.idxmax(axis=1))
    together = divided["partition"] != target
    moves = dict(zip(divided["path"][together], target[together], strict=True))
    back = _back(divided, manual)
    remedies = [
        Remedy(
            label="Move each group together", kind="partition", changes=moves, why="a group belongs in one partition"
        )
    ]
    if back:
        remedies.append(
            Remedy(label="Back to the split", kind="partition", changes=back, why="the split had each group together")
        )
    or_back = ", or put the images back where the split had them" if back else ""
    yield Finding(
        kind="divided-group",
        title="Groups in several partitions (leak)",
        detail=f"{_named(counts)}. The images were moved manually, or the source gives their partitions. The network "
        "is then tested on a dish or donor that it was trained on, and the test accuracy is too high. Move each group "
        f"to the partition that has most of its images{or_back}.",
        paths=tuple(tuple(paths) for _, paths in divided.groupby("group")["path"]),
        severity="error",
        remedies=tuple(remedies),
    )


def _back(divided: pd.DataFrame, manual: Mapping[str, str]) -> dict[str, None]:
    """Return the manually moved images of the groups that the split, without manual moves, has in one partition."""
    by_group = divided["group"]
    moved = divided["path"].isin(manual)
    given = divided["given_partition"].where(divided["given_partition"] != "").groupby(by_group).nunique() <= 1
    rest = divided["partition"].where(~moved).groupby(by_group).nunique() <= 1
    return dict.fromkeys(divided["path"][moved & by_group.map(given & rest)])


def leaks(images: pd.DataFrame, manual: Mapping[str, str]) -> Iterator[Finding]:
    """Find groups and byte-identical images in several partitions, all that `Split.divided_groups` counts.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset as for `divided_groups`, sorted by path and with a RangeIndex, with the columns ``label``,
        ``digest``, ``width`` and ``height`` (pixels).
    manual : Mapping of str to str
        Partitions that were assigned manually, by path.

    Yields
    ------
    Finding
        At most one of the kind ``divided-group`` and one of the kind ``leak``.
    """
    yield from divided_groups(images, manual)
    no_pairs = pd.DataFrame(columns=["path_a", "path_b", "kind"])
    yield from (finding for finding in copy_findings(images, no_pairs) if finding.kind == "leak")


def _named(counts: pd.DataFrame) -> str:
    groups = [
        f"{group} ({', '.join(f'{row[name]} {name}' for name in PARTITIONS if row[name])})"
        for group, row in counts.iterrows()
    ]
    return f"{plural(len(counts), 'group is', 'groups are')} in several partitions: {first_of(groups, MOST_NAMED)}"


def unknown_groups(images: pd.DataFrame) -> Iterator[Finding]:
    """Find out whether no group is known at all.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset with the column ``group`` (empty where unknown).

    Yields
    ------
    Finding
        At most one, of the kind ``no-groups`` and the severity ``info``, without paths and remedies.
    """
    if (images["group"] == "").all():
        yield Finding(
            kind="no-groups",
            title="No dish or donor is known",
            detail="Images of one dish or donor may be on both sides of the split, in training and in test. The test "
            "accuracy may then be too high for images of a new dish. If the file names contain the dish or the donor, "
            "open the History panel, Groups from file names, and describe them by a pattern; or import again with a "
            "manifest that has a column for the group. New groups make a new split.",
            paths=(),
            severity="info",
        )
