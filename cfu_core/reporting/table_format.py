"""Tables of text for display, and the formats of their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import per_class_table

NONE = "–"  # a value that does not exist; a value that cannot be computed is "undefined"
UNDEFINED = "undefined"
#: Columns of `class_rows`.
CLASS_COLUMNS = (
    *("Class", "Images", "Predicted", "Correct", "Precision", "Recall", "Recall, 95 % interval", "Specificity", "F1"),
)


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table of text.

    Attributes
    ----------
    caption : str
        Text above the table.
    columns : sequence of str
        Names of the columns.
    rows : sequence of sequence of str
        Cells; each row has one for each column.
    text_columns : int
        Number of columns, from the left, that hold text; the others hold numbers and are aligned to the right.
    note : str
        Text below the table.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1
    note: str = ""


def format_fraction(value: float | None) -> str:
    """Format a metric between -1 and 1 with four decimals; None and NaN as "undefined"."""
    return UNDEFINED if value is None or pd.isna(value) else f"{value:.4f}"


def format_interval(low: float | None, high: float | None) -> str:
    """Format an interval as ``0.123 to 0.456``; as "undefined" if a limit is None or the lower limit is NaN."""
    return UNDEFINED if low is None or pd.isna(low) or high is None else f"{low:.3f} to {high:.3f}"


def format_difference(value: float | None) -> str:
    """Format the difference of two metrics with its sign and four decimals; None as a dash."""
    return NONE if value is None else f"{value:+.4f}".replace("-", "−")


def format_p(p: float) -> str:
    """Format a p-value with three decimals, without ``p =``; a value below 0.001 as ``< 0.001``."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_duration(seconds: float | None, *, sign: bool = False) -> str:
    """Format a duration as minutes:seconds, as the paper does.

    Parameters
    ----------
    seconds : float or None
        Duration, rounded to whole seconds; None is formatted as a dash.
    sign : bool
        Put a plus or minus sign in front, for a difference. Without it, the sign of a negative value is lost.
    """
    if seconds is None:
        return NONE
    minutes, rest = divmod(round(abs(seconds)), 60)
    before = ("−" if seconds < 0 else "+") if sign else ""
    return f"{before}{minutes}:{rest:02d}"


def join_words(words: Sequence[str], conjunction: str = "and") -> str:
    """Join words with commas and a final conjunction: ``a, b and c``. The result is empty if there are no words."""
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def class_rows(evaluation: Evaluation) -> list[list[str]]:
    """Return the metrics of each class as text.

    Returns
    -------
    list of list of str
        One row per class, in the order of `Evaluation.classes`, with the columns `CLASS_COLUMNS`. The interval of the
        recall is the 95 % Wilson interval.
    """
    return [
        [
            row["Class"],
            f"{row['Images']:,}",
            f"{row['Predicted']:,}",
            f"{row['Correct']:,}",
            format_fraction(row["Precision"]),
            format_fraction(row["Recall"]),
            format_interval(row["Recall, low"], row["Recall, high"]),
            format_fraction(row["Specificity"]),
            format_fraction(row["F1"]),
        ]
        for _, row in per_class_table(evaluation).iterrows()
    ]
