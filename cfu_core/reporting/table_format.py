"""Tables as they are printed: words and figures in their final form."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

NONE = "–"  # there is no such value; one that exists but cannot be worked out is undefined


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A table of text.

    Parameters
    ----------
    caption : str
    columns : sequence of str
    rows : sequence of sequence of str
        As many cells each as there are columns.
    words : int
        How many columns, from the left, hold words; the others hold figures.
    note : str
        Beneath it.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    note: str = ""


def share(value: float | None) -> str:
    """A figure between -1 and 1."""
    return "undefined" if value is None or pd.isna(value) else f"{value:.4f}"


def between(low: float | None, high: float | None) -> str:
    """An interval."""
    return "undefined" if low is None or pd.isna(low) or high is None else f"{low:.3f} to {high:.3f}"


def signed(value: float | None) -> str:
    """A difference of two such figures."""
    return NONE if value is None else f"{value:+.4f}".replace("-", "−")


def chance(p: float) -> str:
    """A probability of chance."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def clock(seconds: float | None, *, sign: bool = False) -> str:
    """Minutes and seconds, as the paper prints them."""
    if seconds is None:
        return NONE
    minutes, rest = divmod(round(abs(seconds)), 60)
    before = ("−" if seconds < 0 else "+") if sign else ""
    return f"{before}{minutes}:{rest:02d}"
