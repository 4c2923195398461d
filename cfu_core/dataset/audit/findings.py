"""What an audit tells: a finding with its reason, its images, and edits that would mend it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Paths of images; those that belong together (copies) in one inner tuple.
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """An edit that would mend a finding; `kind` and `changes` are those of `cfu_core.dataset.edits.edit_dataset`."""

    label: str
    kind: str
    changes: Mapping[str, Any]
    why: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a person should look at.

    Parameters
    ----------
    kind : str
        One word, for filters.
    title, detail : str
        For people: what it is; what was found, why it matters, what to do.
    paths : tuple of tuple of str
        The images; those that belong together (copies) in one inner tuple.
    severity : {"error", "warning", "info"}
        ``error`` where results would be wrong.
    remedies : tuple of Remedy
    """

    kind: str
    title: str
    detail: str
    paths: Groups
    severity: str
    remedies: tuple[Remedy, ...] = ()


def exclude(paths: Iterable[str], why: str, label: str = "Exclude") -> Remedy:
    """The remedy to leave images out."""
    return Remedy(label=label, kind="exclude", changes=dict.fromkeys(paths), why=why)
