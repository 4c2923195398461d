"""Findings about copies: identical files, near duplicates, one image under two classes, leaks between partitions."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cfu_core.dataset.audit.findings import Finding, Groups, Remedy, exclude
from cfu_core.dataset.splitting import PARTITIONS
from cfu_core.wording import plural


class _Copies(NamedTuple):
    """Groups of rows, one after the other; in the order of their first rows."""

    rows: np.ndarray  # (R,)
    starts: np.ndarray  # (G,): where each group begins in `rows`

    @property
    def group(self) -> np.ndarray:
        """The number of the group of each of `rows`."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.rows)))

    def mixed(self, codes: np.ndarray) -> "_Copies":
        """The groups in which not all rows have the same code."""
        if not len(self.rows):
            return self
        inside = codes[self.rows]
        mixed = np.minimum.reduceat(inside, self.starts) < np.maximum.reduceat(inside, self.starts)
        kept = mixed[self.group]
        group = self.group[kept]
        return _Copies(self.rows[kept], np.flatnonzero(np.diff(group, prepend=-1)))

    def named(self, paths: np.ndarray) -> Groups:
        names = paths[self.rows].tolist()
        ends = np.append(self.starts[1:], len(names)).tolist()
        return tuple(tuple(names[start:end]) for start, end in zip(self.starts.tolist(), ends, strict=True))


def copies(images: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[Finding]:
    """What is found about copies.

    Parameters
    ----------
    images : pandas.DataFrame
        A dataset's table with the column ``partition``.
    pairs : pandas.DataFrame
        ``path_a``, ``path_b`` and ``kind``, as in a survey; paths that are not among the images are passed over.
    """
    row_of = pd.Series(np.arange(len(images)), index=images["path"])
    ends = np.stack([row_of.reindex(pairs[name]).to_numpy(float) for name in ("path_a", "path_b")], axis=1)
    here = np.isfinite(ends).all(axis=1)  # a copy of what is excluded is none
    digest, label = (pd.factorize(images[name])[0] for name in ("digest", "label"))
    partition = pd.Categorical(images["partition"], categories=PARTITIONS).codes
    paths = images["path"].to_numpy(object)
    same = _grouped(len(images), _chained(digest))
    alike = _grouped(len(images), np.vstack([_chained(digest), ends[here].astype(int)]))
    near, two, leak = alike.mixed(digest), alike.mixed(label), alike.mixed(partition)
    if len(same.rows):
        yield Finding(
            kind="byte-duplicate",
            title="Identical files",
            detail=f"{_in_groups(same)} are the same file under several names. They count several times in training "
            "and in every figure. Keep one of each.",
            paths=same.named(paths),
            severity="warning",
            remedies=(_keep_one(images, same),),
        )
    if len(near.rows):
        yield Finding(
            kind="near-duplicate",
            title="Near duplicates",
            detail=f"{_in_groups(near)} show the same picture{_kinds(pairs['kind'][here])}. They count several times "
            "in training, and across partitions they make results look too good. Keep one of each, or see to it that "
            "they lie in one partition.",
            paths=near.named(paths),
            severity="warning",
            remedies=(_keep_one(images, near),),
        )
    if len(two.rows):
        yield Finding(
            kind="two-labels",
            title="The same image under two classes",
            detail=f"{_in_groups(two)} are copies of each other but carry different classes. At least one of them is "
            "wrong, and the network is taught both. Look at them and change the class, or exclude them.",
            paths=two.named(paths),
            severity="error",
            remedies=(exclude(paths[two.rows].tolist(), "the same image under two classes", "Exclude all"),),
        )
    if len(leak.rows):
        yield Finding(
            kind="leak",
            title="Copies in different partitions (leak)",
            detail=f"{_in_groups(leak)} are copies of each other and lie in different partitions. What the network "
            "learned is then tested on itself, and the test accuracy is too high. Move them together, or keep one.",
            paths=leak.named(paths),
            severity="error",
            remedies=(_together(paths, partition, leak), _keep_one(images, leak)),
        )


def _in_groups(groups: _Copies) -> str:
    count = len(groups.starts)
    return f"{plural(len(groups.rows), 'image')} in {count:,} group{'' if count == 1 else 's'}"


def _kinds(kinds: pd.Series) -> str:
    """How the copies differ from each other, the most frequent first."""
    counts = kinds[kinds != "identical"].value_counts()
    return ": " + ", ".join(f"{count:,} pairs {kind}" for kind, count in counts.items()) if len(counts) else ""


def _keep_one(images: pd.DataFrame, groups: _Copies) -> Remedy:
    """The largest stays; of equal ones that in training, then the first by path."""
    area = (images["width"] * images["height"]).to_numpy()[groups.rows]
    trained = (images["partition"] == "training").to_numpy()[groups.rows]
    best_first = np.lexsort((groups.rows, ~trained, -area, groups.group))
    others = np.ones(len(groups.rows), bool)
    others[best_first[groups.starts]] = False
    paths = images["path"].to_numpy(object)[groups.rows[others]]
    return exclude(paths.tolist(), "a copy of an image that is kept", "Keep one of each")


def _together(paths: np.ndarray, partition: np.ndarray, groups: _Copies) -> Remedy:
    """All of a group to training where one is in training already, else to where most are."""
    there = [np.add.reduceat(partition[groups.rows] == code, groups.starts) for code in range(len(PARTITIONS))]
    training, validation, test = there
    target = np.select([training > 0, validation > test], [0, 1], 2)[groups.group]
    moved = target != partition[groups.rows]
    changes = dict(
        zip(paths[groups.rows[moved]].tolist(), np.array(PARTITIONS, object)[target[moved]].tolist(), strict=True)
    )
    return Remedy(label="Move to one partition", kind="partition", changes=changes, why="copies belong together")


def _chained(codes: np.ndarray) -> np.ndarray:
    """Pairs of rows, (P, 2), that tie together all rows of one code."""
    order = np.argsort(codes, kind="stable")
    equal = codes[order][1:] == codes[order][:-1]
    return np.stack([order[:-1][equal], order[1:][equal]], axis=1)


def _grouped(size: int, pairs: np.ndarray) -> _Copies:
    """Rows that hang together by pairs, directly or in a chain; rows without a pair are left out."""
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    component = connected_components(links, directed=False)[1]
    _, first, number = np.unique(component, return_index=True, return_counts=True)
    rows = np.flatnonzero(number[component] > 1)
    rows = rows[np.argsort(first[component[rows]], kind="stable")]
    return _Copies(rows, np.flatnonzero(np.diff(component[rows], prepend=-1)))
