"""Partitions that a source gives its images: how many images are in each, and what is in several of them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.partition_names import PARTITIONS
from cfu_core.dataset.splitting import HELD_OUT_SHARE
from cfu_core.wording import first_of, listed, plural

_MOST_NAMED = 3  # groups in a message


def describe_partitions(rows: Sequence[Mapping[str, Any]]) -> list[ImportIssue]:
    """Describe the partitions that a source gives, and the leaks between them.

    Parameters
    ----------
    rows : sequence of Mapping
        Rows of a dataset's table with ``path``, ``group``, ``digest`` and ``given_partition``.

    Returns
    -------
    list of ImportIssue
        Of the kind ``partitions``: the numbers of images, and what the program draws; byte-identical images in several
        partitions; and groups in several partitions. Empty if no image has a given partition.
    """
    given = [row for row in rows if row["given_partition"]]
    if not given:
        return []
    counts = Counter(row["given_partition"] for row in given)
    numbers = ", ".join(f"{counts[name]:,} {name}" for name in PARTITIONS if counts[name])
    details = [f"The source divides its images: {numbers}. {_completion(counts, len(rows) - len(given))}"]
    copies = _in_several(given, "digest")
    if copies:
        sets = plural(len(copies), "set of identical images is", "sets of identical images are")
        details.append(
            f"{sets} in several of these partitions, such as {copies[0][0]['path']} and {copies[0][1]['path']}. The "
            "network would be tested on images that it was trained on."
        )
    groups = _in_several([row for row in given if row["group"]], "group")
    if groups:
        names = first_of([members[0]["group"] for members in groups], _MOST_NAMED)
        details.append(
            f"{plural(len(groups), 'group is', 'groups are')} in several of these partitions: {names}. The network "
            "would be tested on a dish or donor that it was trained on."
        )
    return [ImportIssue(path="", kind="partitions", detail=detail) for detail in details]


def _completion(counts: Mapping[str, int], free: int) -> str:
    """Say how the program completes the split: the partitions that the source lacks, and images without one."""
    lacking = [name for name in PARTITIONS if not counts[name]]
    held_out = [name for name in lacking if name != "training"]
    if not lacking and not free:
        return "This is the split of the dataset."
    sentences = []
    if held_out and counts["training"]:
        share = f"{100 * HELD_OUT_SHARE:.0f} %{' each' if len(held_out) > 1 else ''}"
        sentences.append(
            f"For {listed(held_out)}, of which it gives none, the program draws {share} of the "
            "training images of every class."
        )
    elif lacking and not free:
        sentences.append(
            f"It gives no image for {listed(lacking)}, and there is none that the program could draw: move images on "
            "Explore before training."
        )
    if free:
        where = f"drawn for training and {listed(held_out)}" if held_out else "for training"
        sentences.append(
            f"{plural(free, 'other image has', 'other images have')} no partition: those of a group, or identical with "
            f"an image, that has one are in the same partition, and the others are {where}."
        )
    return " ".join(sentences)


def _in_several(rows: Sequence[Mapping[str, Any]], key: str) -> list[list[Mapping[str, Any]]]:
    """Return one image of each partition for each value of `key` that occurs in several partitions."""
    shared: defaultdict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: row["path"]):
        shared[row[key]].setdefault(row["given_partition"], row)
    return [list(members.values()) for members in shared.values() if len(members) > 1]
