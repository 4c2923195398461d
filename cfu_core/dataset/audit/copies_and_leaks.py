"""Findings about copies: identical files, near duplicates, one image in two classes, leaks between partitions."""

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
    """Groups of rows, concatenated in the order of their first rows."""

    rows: np.ndarray  # (R,)
    starts: np.ndarray  # (G,), index in `rows` of the first row of each group

    @property
    def group(self) -> np.ndarray:
        """Index of the group of each of `rows`."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.rows)))

    def mixed(self, codes: np.ndarray) -> "_Copies":
        """Return the groups in which not all rows have the same code; rows with the code -1 do not matter."""
        if not len(self.rows):
            return self
        code = codes[self.rows]
        lowest = np.minimum.reduceat(np.where(code < 0, code.max(), code), self.starts)
        mixed = lowest < np.maximum.reduceat(code, self.starts)
        kept = mixed[self.group]
        group = self.group[kept]
        return _Copies(self.rows[kept], np.flatnonzero(np.diff(group, prepend=-1)))

    def paths(self, paths: np.ndarray) -> Groups:
        """Return the groups as paths."""
        names = paths[self.rows].tolist()
        ends = np.append(self.starts[1:], len(names)).tolist()
        return tuple(tuple(names[start:end]) for start, end in zip(self.starts.tolist(), ends, strict=True))


def copy_findings(images: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[Finding]:
    """Find identical files, near duplicates, copies in several classes and copies in several partitions.

    Copies of copies are in one group, even if they are not a pair.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset, sorted by path and with a RangeIndex, with the additional column ``partition``
        (``training``, ``validation`` or ``test``).
    pairs : pandas.DataFrame
        Pairs of copies from a survey: ``path_a``, ``path_b`` and ``kind``. Pairs with a path that is not in `images`
        are ignored.

    Yields
    ------
    Finding
        At most one of each kind, in this order, with one tuple of paths per group of copies:

        - ``byte-duplicate`` (a warning): identical files;
        - ``near-duplicate`` (a warning): groups of copies that are not all identical files;
        - ``two-labels`` (an error): groups of copies with different classes;
        - ``leak`` (an error): groups of copies in different partitions.

        The remedy of ``two-labels`` excludes all images. The remedy of the other kinds excludes all but the image with
        the most pixels in each group; of equally large ones, a training image, then the first by path, is kept. The
        finding ``leak`` has another remedy before it, which moves each group to one partition: to training if one of
        its images is there, otherwise to the partition with more of its images, in a tie to the test partition.
    """
    row_of = pd.Series(np.arange(len(images)), index=images["path"])
    ends = np.stack([row_of.reindex(pairs[name]).to_numpy(float) for name in ("path_a", "path_b")], axis=1)
    present = np.isfinite(ends).all(axis=1)  # copies of excluded images do not matter
    digest, label = (pd.factorize(images[name].where(images[name] != ""))[0] for name in ("digest", "label"))
    partition = pd.Categorical(images["partition"], categories=PARTITIONS).codes
    paths = images["path"].to_numpy(object)
    identical = _connected(len(images), _linked(digest))
    similar = _connected(len(images), np.vstack([_linked(digest), ends[present].astype(int)]))
    near, two, leak = similar.mixed(digest), similar.mixed(label), similar.mixed(partition)
    if len(identical.rows):
        yield Finding(
            kind="byte-duplicate",
            title="Identical files",
            detail=f"{_in_groups(identical)} are identical files with different names. They count several times in "
            "training and in every metric. Keep one of each.",
            paths=identical.paths(paths),
            severity="warning",
            remedies=(_keep_one(images, identical),),
        )
    if len(near.rows):
        yield Finding(
            kind="near-duplicate",
            title="Near duplicates",
            detail=f"{_in_groups(near)} show the same picture{_kinds(pairs['kind'][present])}. They count several "
            "times in training, and in different partitions they bias the results upwards. Keep one of each, or move "
            "them to one partition.",
            paths=near.paths(paths),
            severity="warning",
            remedies=(_keep_one(images, near),),
        )
    if len(two.rows):
        yield Finding(
            kind="two-labels",
            title="The same image in two classes",
            detail=f"{_in_groups(two)} are copies of each other but have different classes. At least one class is "
            "wrong, and the network learns both. Look at the images and change the class, or exclude them.",
            paths=two.paths(paths),
            severity="error",
            remedies=(exclude(paths[two.rows].tolist(), "the same image in two classes", "Exclude all"),),
        )
    if len(leak.rows):
        yield Finding(
            kind="leak",
            title="Copies in different partitions (leak)",
            detail=f"{_in_groups(leak)} are copies of each other in different partitions. The network is then tested "
            "on images that it was trained on, and the test accuracy is too high. Move them to one partition, or keep "
            "one of each.",
            paths=leak.paths(paths),
            severity="error",
            remedies=(_move_together(paths, partition, leak), _keep_one(images, leak)),
        )


def _in_groups(groups: _Copies) -> str:
    return f"{plural(len(groups.rows), 'image')} in {plural(len(groups.starts), 'group')}"


def _kinds(kinds: pd.Series) -> str:
    """List how the copies differ from each other, the most frequent kind first."""
    counts = kinds[kinds != "identical"].value_counts()
    return ": " + ", ".join(f"{plural(count, 'pair')} {kind}" for kind, count in counts.items()) if len(counts) else ""


def _keep_one(images: pd.DataFrame, groups: _Copies) -> Remedy:
    """Keep the largest image of each group; of equally large ones, one in training, then the first by path."""
    area = (images["width"] * images["height"]).to_numpy()[groups.rows]
    trained = (images["partition"] == "training").to_numpy()[groups.rows]
    best_first = np.lexsort((groups.rows, ~trained, -area, groups.group))
    others = np.ones(len(groups.rows), bool)
    others[best_first[groups.starts]] = False
    paths = images["path"].to_numpy(object)[groups.rows[others]]
    return exclude(paths.tolist(), "a copy of an image that is kept", "Keep one of each")


def _move_together(paths: np.ndarray, partition: np.ndarray, groups: _Copies) -> Remedy:
    """Move each group to training if one of its images is there, else to the partition that holds most of them."""
    training, validation, test = (
        np.add.reduceat(partition[groups.rows] == code, groups.starts) for code in range(len(PARTITIONS))
    )
    target = np.select([training > 0, validation > test], [0, 1], 2)[groups.group]
    moved = target != partition[groups.rows]
    changes = dict(
        zip(paths[groups.rows[moved]].tolist(), np.array(PARTITIONS, object)[target[moved]].tolist(), strict=True)
    )
    return Remedy(label="Move to one partition", kind="partition", changes=changes, why="copies belong together")


def _linked(codes: np.ndarray) -> np.ndarray:
    """Return pairs of rows, (P, 2), that connect all rows with the same code."""
    order = np.argsort(codes, kind="stable")
    equal = codes[order][1:] == codes[order][:-1]
    return np.stack([order[:-1][equal], order[1:][equal]], axis=1)


def _connected(size: int, pairs: np.ndarray) -> _Copies:
    """Return the connected components of rows linked by pairs; rows without a pair are left out."""
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    component = connected_components(links, directed=False)[1]
    _, first, number = np.unique(component, return_index=True, return_counts=True)
    rows = np.flatnonzero(number[component] > 1)
    rows = rows[np.argsort(first[component[rows]], kind="stable")]
    return _Copies(rows, np.flatnonzero(np.diff(component[rows], prepend=-1)))
