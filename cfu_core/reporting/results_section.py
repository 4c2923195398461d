"""Results of runs in a report: Tables 3 and 4 of the paper, metrics with intervals, and comparisons of runs."""

from collections.abc import Mapping, Sequence

import pandas as pd

from cfu_core.evaluation.intervals import wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.paper_tables import (
    DISPLAYED_PHASES,
    in_paper_order,
    p_column,
    summary_metrics_table,
    table_3,
)
from cfu_core.evaluation.significance import Comparison
from cfu_core.published import zamani_2023
from cfu_core.reporting.table_format import (
    CLASS_COLUMNS,
    NONE,
    UNDEFINED,
    TextTable,
    class_rows,
    format_difference,
    format_duration,
    format_fraction,
    format_interval,
    format_p,
)
from cfu_core.runs.comparison import compare_runs, preprocessing_pairs
from cfu_core.runs.run import Run
from cfu_core.runs.run_result import result_of
from cfu_core.wording import plural


def published_result(run: Run) -> zamani_2023.PublishedResult | None:
    """Return the result of the paper for the network of a run and its kind of images (original or preprocessed).

    None if the paper has no result for the network, or if the recipe is a custom one.
    """
    return zamani_2023.RESULTS.get((run.config.architecture, run.recipe.kind))


def _in_paper_order(runs: Sequence[Run]) -> list[Run]:
    by_id = {run.id: run for run in runs}
    return [by_id[result.run] for result in in_paper_order([result_of(run) for run in runs])]


def accuracy_table(runs: Sequence[Run], evaluations: Mapping[str, Evaluation], names: Mapping[str, str]) -> TextTable:
    """Make the part of Table 4 on accuracy, with 95 % Wilson intervals and published values.

    Parameters
    ----------
    runs : sequence of Run
        Runs in any order; the rows are in the order of `cfu_core.evaluation.paper_tables.in_paper_order`.
    evaluations : mapping of str to Evaluation
        Evaluation by identifier of the run.
    names : mapping of str to str
        Names of the runs for display, by identifier.

    Returns
    -------
    TextTable
        One row per run. The published value and the difference (measured minus published) are a dash if the paper has
        no result for the network and the kind of images.

    Raises
    ------
    StorageError
        A file with the results or the times of a run is damaged or not readable.
    """
    rows = []
    for run in _in_paper_order(runs):
        found, printed = evaluations[run.id], published_result(run)
        rows.append(
            [
                names[run.id],
                run.mode_label,
                run.plan.weights_label,
                f"{found.correct} of {found.n_images}",
                format_fraction(found.accuracy),
                format_interval(*wilson_interval(found.correct, found.n_images)),
                format_fraction(printed.accuracy) if printed else NONE,
                format_difference(found.accuracy - printed.accuracy if printed else None),
            ]
        )
    return TextTable(
        caption="Table 4, accuracy on the test images",
        columns=["Run", "Mode", "Began with", "Correct", "Measured", "95 % interval", "Published", "Difference"],
        rows=rows,
        text_columns=3,
        note="Interval: Wilson. Published: on the photographs of the paper. Difference: measured minus published.",
    )


def precision_table(runs: Sequence[Run], evaluations: Mapping[str, Evaluation], names: Mapping[str, str]) -> TextTable:
    """Make the part of Table 4 on macro and micro precision, with published values.

    Both are compared with the one published precision, because the paper does not say which of the two it is.

    Parameters
    ----------
    runs : sequence of Run
        Runs in any order; the rows are in the order of `cfu_core.evaluation.paper_tables.in_paper_order`.
    evaluations : mapping of str to Evaluation
        Evaluation by identifier of the run.
    names : mapping of str to str
        Names of the runs for display, by identifier.

    Returns
    -------
    TextTable
        One row per run; published values and differences are a dash where the paper has no result.

    Raises
    ------
    StorageError
        A file with the results or the times of a run is damaged or not readable.
    """
    rows = []
    for run in _in_paper_order(runs):
        found, printed = evaluations[run.id], published_result(run)
        rows.append(
            [
                names[run.id],
                format_fraction(found.precision_macro),
                format_fraction(found.precision_micro),
                format_fraction(printed.precision) if printed else NONE,
                format_difference(found.precision_macro - printed.precision if printed else None),
                format_difference(found.precision_micro - printed.precision if printed else None),
            ]
        )
    return TextTable(
        caption="Table 4, precision on the test images",
        columns=["Run", "Macro", "Micro", "Published", "Difference, macro", "Difference, micro"],
        rows=rows,
        note="Macro: mean of the precision over classes; a class that was never predicted counts as 0. Micro: number "
        "of correct predictions over all predictions, which equals the accuracy. " + zamani_2023.REMARKS[0],
    )


def time_table(runs: Sequence[Run], names: Mapping[str, str]) -> TextTable:
    """Make Table 3: the time of each run by phase, with the published training times.

    Parameters
    ----------
    runs : sequence of Run
        Runs in any order; the rows are in the order of `cfu_core.evaluation.paper_tables.in_paper_order`.
    names : mapping of str to str
        Names of the runs for display, by identifier.

    Returns
    -------
    TextTable
        One row per run: seconds by phase and in total; total, published time and difference (measured minus published)
        in minutes:seconds. Phases that took less than 0.05 s in all runs are left out. Times that were not measured are
        "undefined"; published times and differences are a dash where the paper has no result.

    Raises
    ------
    StorageError
        A file with the results or the times of a run is damaged or not readable.
    """
    runs = _in_paper_order(runs)
    table = table_3([result_of(run) for run in runs])
    possible = [f"{name.capitalize()} (s)" for name in (*DISPLAYED_PHASES, "other")]
    parts = [name for name in possible if (table[name].fillna(0) >= 0.05).any()]
    rows = []
    for run, (_, row) in zip(runs, table.iterrows(), strict=True):
        printed, total = published_result(run), row["Total (s)"]
        total = None if pd.isna(total) else float(total)
        seconds = float(printed.seconds) if printed else None
        rows.append(
            [
                names[run.id],
                *(UNDEFINED if pd.isna(row[part]) else f"{row[part]:.1f}" for part in parts),
                UNDEFINED if total is None else f"{total:.1f}",
                UNDEFINED if total is None else format_duration(total),
                format_duration(seconds),
                NONE if total is None or seconds is None else format_duration(total - seconds, sign=True),
            ]
        )
    reused = [names[run.id] for run in runs if (run.timing() or {}).get("cache_reused")]
    before = f" The images had been prepared before the run of: {'; '.join(reused)}." if reused else ""
    return TextTable(
        caption="Table 3, time in seconds, and in minutes:seconds beside the published one",
        columns=["Run", *(part.removesuffix(" (s)") for part in parts), "Total", "Min:s", "Published", "Difference"],
        rows=rows,
        note=f"Published: training on the computer of the paper.{before} " + zamani_2023.REMARKS[2],
    )


def comparison_tables(
    runs: Sequence[Run], preprocessing: Sequence[Comparison], names: Mapping[str, str]
) -> list[TextTable]:
    """Make tables of the comparisons of original with preprocessed images, and of all pairs of runs.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs.
    preprocessing : sequence of Comparison
        Comparisons of runs that differ only in the preprocessing, from `compare_preprocessing`.
    names : mapping of str to str
        Names of the runs for display, by identifier.

    Returns
    -------
    list of TextTable
        Up to two tables. The first is omitted if `preprocessing` is empty; the second if no two runs can be compared
        (`compare_runs`), or if two runs have their only comparison in the first table. The p-values of each table are
        adjusted for the number of its rows.

    Raises
    ------
    RunError
        A run has not finished.
    """
    found = [("Original against preprocessed, with otherwise equal settings", preprocessing)]
    if len(runs) > 2 or not preprocessing:
        found.append(("All pairs of runs", compare_runs(runs)))
    return [_comparisons(caption, comparisons, names) for caption, comparisons in found if comparisons]


def compare_preprocessing(runs: Sequence[Run]) -> list[Comparison]:
    """Compare runs on original images (first) with the runs that differ from them only in the preprocessing (second).

    Returns
    -------
    list of Comparison
        p-values are adjusted for their number by Holm's method. Empty if no two runs differ only in the preprocessing
        and were tested on the same images, at least two.

    Raises
    ------
    RunError
        There is such a pair, and a run has not finished.
    """
    pairs = preprocessing_pairs(runs)
    return compare_runs(runs, pairs) if pairs else []


def _comparisons(caption: str, comparisons: Sequence[Comparison], names: Mapping[str, str]) -> TextTable:
    rows = [
        [
            names[c.first],
            names[c.second],
            c.verdict,
            format_difference(c.paired.difference),
            f"{c.paired.low:+.3f} to {c.paired.high:+.3f}".replace("-", "−"),
            f"{c.paired.only_first} / {c.paired.only_second}",
            format_p(c.p_adjusted),
        ]
        for c in comparisons
    ]
    adjusted = f", adjusted for the {len(rows)} comparisons of this table (Holm)" if len(rows) > 1 else ""
    return TextTable(
        caption=caption,
        columns=[
            *("First", "Second", "Verdict on the second", "Difference", "95 % interval"),
            *("Only first / only second right", p_column(comparisons)),
        ],
        rows=rows,
        text_columns=3,
        note="On the same test images. Difference: of the accuracies, with a bootstrap interval over the images. p: "
        f"exact McNemar test{adjusted}. With p below 0.05 a difference is unlikely to be chance.",
    )


def class_table(evaluation: Evaluation) -> TextTable:
    """Make a table of the metrics of each class of one run: one row per class, with columns `CLASS_COLUMNS`."""
    return TextTable(
        caption="Each class",
        columns=CLASS_COLUMNS,
        rows=class_rows(evaluation),
        note="Interval: Wilson. Undefined: no image was predicted as this class, or there is no image of it.",
    )


def summary_table(evaluation: Evaluation) -> TextTable:
    """Make a table of the summary metrics of one run with 95 % intervals, one row per metric.

    Undefined metrics and limits are "undefined", also the limits of a bootstrap over one test image.
    """
    over = plural(evaluation.n_images, "test image")
    return TextTable(
        caption="All classes",
        columns=["Metric", "Value", "95 % interval"],
        rows=[
            [row["Figure"], format_fraction(row["Value"]), format_interval(row["Low"], row["High"])]
            for _, row in summary_metrics_table(evaluation).iterrows()
        ],
        note=f"Intervals: Wilson for the accuracy, for the others a percentile bootstrap over the {over}.",
    )
