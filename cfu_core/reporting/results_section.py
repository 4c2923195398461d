"""What runs gave, for a report: the paper's Tables 3 and 4, every figure with its interval, and whether runs differ."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import (
    DISPLAYED_PHASES,
    in_paper_order,
    p_column,
    per_class_table,
    summary_metrics_table,
    table_3,
)
from cfu_core.evaluation.significance import Comparison
from cfu_core.published import zamani_2023
from cfu_core.reporting.table_format import NONE, Printed, between, chance, clock, share, signed
from cfu_core.runs.comparison import compare_runs, preprocessing_pairs
from cfu_core.runs.run import Run
from cfu_core.runs.run_result import result_of


def published(run: Run) -> zamani_2023.PublishedResult | None:
    """What the paper gives for a run's network and images."""
    return zamani_2023.RESULTS.get((run.config.architecture, run.recipe.kind))


def _in_paper_order(runs: Sequence[Run]) -> list[Run]:
    by_id = {run.id: run for run in runs}
    return [by_id[result.run] for result in in_paper_order([result_of(run) for run in runs])]


def accuracy_table(runs: Sequence[Run], evaluations: Mapping[str, Evaluation], names: Mapping[str, str]) -> Printed:
    """Table 4, accuracy: measured beside published; `evaluations` and `names` by identifier."""
    rows = []
    for run in _in_paper_order(runs):
        found, printed = evaluations[run.id], published(run)
        rows.append(
            [
                names[run.id],
                f"{found.correct} of {found.n_images}",
                share(found.accuracy),
                between(*wilson_interval(found.correct, found.n_images)),
                share(printed.accuracy) if printed else NONE,
                signed(found.accuracy - printed.accuracy if printed else None),
            ]
        )
    return Printed(
        caption="Table 4, accuracy on the test images",
        columns=["Run", "Correct", "Measured", "95 % interval", "Published", "Difference"],
        rows=rows,
        note="Interval: Wilson. Published: on the paper's own photographs; the difference is measured minus published.",
    )


def precision_table(runs: Sequence[Run], evaluations: Mapping[str, Evaluation], names: Mapping[str, str]) -> Printed:
    """Table 4, precision by each of its names: measured beside published."""
    rows = []
    for run in _in_paper_order(runs):
        found, printed = evaluations[run.id], published(run)
        rows.append(
            [
                names[run.id],
                share(found.precision_macro),
                share(found.precision_micro),
                share(printed.precision) if printed else NONE,
                signed(found.precision_macro - printed.precision if printed else None),
                signed(found.precision_micro - printed.precision if printed else None),
            ]
        )
    return Printed(
        caption="Table 4, precision on the test images",
        columns=["Run", "Macro", "Micro", "Published", "Difference, macro", "Difference, micro"],
        rows=rows,
        note="Macro: the mean of the classes' precision; a class that was never predicted counts as 0. Micro: all "
        "correct over all predictions, which equals the accuracy. " + zamani_2023.REMARKS[0],
    )


def time_table(runs: Sequence[Run], names: Mapping[str, str]) -> Printed:
    """Table 3: the time of each run, measured beside published, and what it went into."""
    runs = _in_paper_order(runs)
    table = table_3([result_of(run) for run in runs])
    possible = [f"{name.capitalize()} (s)" for name in (*DISPLAYED_PHASES, "other")]
    parts = [name for name in possible if (table[name].fillna(0) >= 0.05).any()]
    rows = []
    for run, (_, row) in zip(runs, table.iterrows(), strict=True):
        printed, total = published(run), row["Total (s)"]
        total = None if pd.isna(total) else float(total)
        seconds = float(printed.seconds) if printed else None
        rows.append(
            [
                names[run.id],
                *("undefined" if pd.isna(row[part]) else f"{row[part]:.1f}" for part in parts),
                "undefined" if total is None else f"{total:.1f}",
                "undefined" if total is None else clock(total),
                clock(seconds),
                NONE if total is None or seconds is None else clock(total - seconds, sign=True),
            ]
        )
    reused = [names[run.id] for run in runs if (run.timing() or {}).get("cache_reused")]
    before = f" The images of {', '.join(reused)} had been prepared by an earlier run." if reused else ""
    return Printed(
        caption="Table 3, time in seconds, and in minutes:seconds beside the published one",
        columns=["Run", *(part.removesuffix(" (s)") for part in parts), "Total", "Min:s", "Published", "Difference"],
        rows=rows,
        note=f"Published: training on the paper's own computer.{before} " + zamani_2023.REMARKS[2],
    )


def verdict_tables(runs: Sequence[Run], names: Mapping[str, str]) -> list[Printed]:
    """Whether runs differ: original against preprocessed where there are such pairs, and every two."""
    pairs = preprocessing_pairs(runs)
    asked: list[tuple[str, Sequence[tuple[Run, Run]] | None]] = (
        [("Original against preprocessed, nothing else changed", pairs)] if pairs else []
    )
    if len(runs) > 2 or not pairs:
        asked.append(("Each two runs", None))
    found = [(caption, compare_runs(runs, which)) for caption, which in asked]
    return [_verdicts(caption, comparisons, names) for caption, comparisons in found if comparisons]


def _verdicts(caption: str, comparisons: Sequence[Comparison], names: Mapping[str, str]) -> Printed:
    rows = [
        [
            names[c.first],
            names[c.second],
            c.verdict,
            signed(c.paired.difference),
            f"{c.paired.low:+.3f} to {c.paired.high:+.3f}".replace("-", "−"),
            f"{c.paired.only_first} / {c.paired.only_second}",
            chance(c.p_adjusted),
        ]
        for c in comparisons
    ]
    adjusted = f", adjusted for the {len(rows)} comparisons of this table (Holm)" if len(rows) > 1 else ""
    return Printed(
        caption=caption,
        columns=[
            *("First", "Second", "The second against the first", "Difference", "95 % interval"),
            *("Right: only first / second", p_column(comparisons)),
        ],
        rows=rows,
        words=3,
        note="On the same test images. Difference: of the accuracies, with its interval by a bootstrap over the "
        f"images. p: exact McNemar test{adjusted}. Below 0.05 a difference is called unlikely to be chance.",
    )


def class_table(evaluation: Evaluation) -> Printed:
    """Every class of one run."""
    rows = [
        [
            row["Class"],
            f"{row['Images']:,}",
            f"{row['Predicted']:,}",
            f"{row['Correct']:,}",
            share(row["Precision"]),
            share(row["Recall"]),
            between(row["Recall, low"], row["Recall, high"]),
            share(row["Specificity"]),
            share(row["F1"]),
        ]
        for _, row in per_class_table(evaluation).iterrows()
    ]
    return Printed(
        caption="Each class",
        columns=[
            *("Class", "Images", "Predicted", "Correct", "Precision", "Recall", "Recall, 95 %", "Specificity", "F1"),
        ],
        rows=rows,
        note="Interval: Wilson. Undefined: nothing was called this class, or there is no image of it.",
    )


def all_figures_table(evaluation: Evaluation) -> Printed:
    """All classes of one run in one number, by each of its names."""
    rows = [
        [row["Figure"], share(row["Value"]), between(row["Low"], row["High"])]
        for _, row in summary_metrics_table(evaluation).iterrows()
    ]
    return Printed(
        caption="All classes in one number",
        columns=["Figure", "Value", "95 % interval"],
        rows=rows,
        note=f"Intervals: Wilson's for the accuracy, for the others a percentile bootstrap over the "
        f"{evaluation.n_images} test images.",
    )
