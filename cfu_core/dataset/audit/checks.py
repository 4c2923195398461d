"""A check of the audit: what was asked, the answer with counts, the finding if there is one, and the limit it uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.audit.limits import Limit
from cfu_core.wording import plural

#: Severities with their names for users, the most severe first.
SEVERITIES = {"error": "error", "warning": "warning", "info": "remark"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """One check of the audit and its result.

    Attributes
    ----------
    kind : str
        Keyword, which is also that of its finding.
    title : str
        What is looked for, such as ``Blurred``.
    result : str
        What was found, such as ``0 of 728 images``.
    finding : Finding or None
        None if nothing was found.
    limit : Limit or None
        The limit that the user can move, with the measure to which it applies; None if the check has none.
    """

    kind: str
    title: str
    result: str
    finding: Finding | None = None
    limit: Limit | None = None

    @property
    def severity(self) -> str:
        """``error``, ``warning`` or ``info`` of the finding; ``""`` if nothing was found."""
        return self.finding.severity if self.finding else ""

    def to_dict(self) -> dict[str, Any]:
        """Return kind, title, result, severity, detail, paths, and the limit with its default and unit as JSON values.

        The limits are None for a check that has none. Detail and paths are empty if nothing was found.
        """
        return {
            "kind": self.kind,
            "title": self.title,
            "result": self.result,
            "severity": self.severity,
            "detail": self.finding.detail if self.finding else "",
            "paths": [list(group) for group in self.finding.paths] if self.finding else [],
            "limit": self.limit.value if self.limit else None,
            "default_limit": self.limit.default if self.limit else None,
            "unit": self.limit.facts.unit.strip() if self.limit else "",
        }

    @property
    def text(self) -> str:
        """Title and result, and the limit if it was changed, in one line."""
        changed = f"; {self.limit.change}" if self.limit and self.limit.changed else ""
        return f"{self.title}: {self.result}{changed}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """All checks of a dataset.

    Attributes
    ----------
    checks : tuple of Check
        In a fixed order, also those that found nothing.
    """

    checks: tuple[Check, ...]

    @property
    def findings(self) -> list[Finding]:
        """The findings, the most severe first; of equally severe ones, in the order of the checks."""
        found = [check.finding for check in self.checks if check.finding]
        return sorted(found, key=lambda finding: list(SEVERITIES).index(finding.severity))

    @property
    def summary(self) -> str:
        """Number of checks, and of those that found something by severity, as a sentence."""
        counts = [sum(check.severity == severity for check in self.checks) for severity in SEVERITIES]
        found = [plural(count, name) for count, name in zip(counts, SEVERITIES.values(), strict=True) if count]
        return f"{plural(len(self.checks), 'check')}: {', '.join(found) or 'nothing found'}."


def count_images(finding: Finding | None, examined: int, unmeasured: int = 0) -> str:
    """Return the result of a check of images: ``3 of 728 images``.

    Parameters
    ----------
    finding : Finding or None
        Its paths are counted.
    examined : int
        Number of images that were examined.
    unmeasured : int
        Number of images that could not be examined yet.
    """
    found = sum(len(group) for group in finding.paths) if finding else 0
    waiting = f"; {unmeasured:,} not measured yet" if unmeasured else ""
    return f"{found:,} of {plural(examined, 'image')}{waiting}"


def one_of(findings: Sequence[Finding], kind: str) -> Finding | None:
    """Return the finding of a kind, or None."""
    return next((finding for finding in findings if finding.kind == kind), None)
