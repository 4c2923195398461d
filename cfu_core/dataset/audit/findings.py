"""A finding of the audit: what was found and why it matters, its images, and edits that fix it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Paths of images; images that belong together (copies) are in one inner tuple.
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """An edit that fixes a finding.

    Attributes
    ----------
    label : str
        Text of the button.
    kind : str
        Kind of the edit, as for `cfu_core.dataset.edits.edit_dataset`: ``exclude`` or ``partition``.
    changes : Mapping
        New values by path, as for `cfu_core.dataset.edits.edit_dataset`.
    why : str
        Reason for the log of edits.
    """

    label: str
    kind: str
    changes: Mapping[str, Any]
    why: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that the user should check.

    Attributes
    ----------
    kind : str
        Keyword for filters and links, that of its check; `cfu_core.dataset.audit.audit.audit` lists them.
    title : str
        Short name for display.
    detail : str
        What was found, why it matters and what to do.
    paths : tuple of tuple of str
        The images; images that belong together (copies) are in one inner tuple. Empty for findings about classes.
    severity : {"error", "warning", "info"}
        ``error`` if training would fail or results would be wrong, ``warning`` if results may be affected, ``info``
        otherwise.
    remedies : tuple of Remedy
        Alternative edits that fix the finding; may be empty.
    table : tuple of tuple of str
        Rows of a table that belongs to the detail, the first with the headings; empty if there is none.
    """

    kind: str
    title: str
    detail: str
    paths: Groups
    severity: str
    remedies: tuple[Remedy, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


def exclude(paths: Iterable[str], why: str, label: str = "Exclude") -> Remedy:
    """Return a remedy that excludes images.

    Parameters
    ----------
    paths : iterable of str
        Paths of the images.
    why : str
        Reason for the log of edits.
    label : str, default: "Exclude"
        Text of the button.
    """
    return Remedy(label=label, kind="exclude", changes=dict.fromkeys(paths), why=why)
