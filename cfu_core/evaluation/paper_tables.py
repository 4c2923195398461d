"""Tables 1 to 4 of Zamani et al. (2023) with measured and published values, and tables of metrics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cfu_core.evaluation.intervals import bootstrap_intervals, wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.significance import Comparison
from cfu_core.evaluation.summary_metrics import specificity, summarize
from cfu_core.published import zamani_2023
from cfu_core.wording import plural

#: Columns of `table_3` and `table_4` that describe a run.
SETTING_COLUMNS = (
    *("Network", "Images"),  # always displayed; the others only where they differ
    *("Mode", "Began with", "Epochs"),
    *("Dataset", "Preprocessing", "Seed", "Fold", "Split seed", "Batch size", "Learning rate", "Optimizer"),
    *("Schedule", "Patience"),
)
#: Display names of the fields of `cfu_core.evaluation.summary_metrics.SummaryMetrics`.
SUMMARY_METRICS = {
    "accuracy": "Accuracy (equals micro precision, recall and F1)",
    "balanced_accuracy": "Balanced accuracy",
    "precision_macro": "Precision, macro",
    "recall_macro": "Recall, macro",
    "f1_macro": "F1, macro",
    "precision_weighted": "Precision, weighted",
    "recall_weighted": "Recall, weighted",
    "f1_weighted": "F1, weighted",
    "kappa": "Cohen's kappa",
    "matthews": "Matthews correlation",
}
#: Settings of `SETTING_COLUMNS` that are described in a sentence where all rows share them.
SHARED_SETTINGS: dict[str, Callable[[Any], str]] = {
    "Mode": str,
    "Began with": "began with {}".format,
    "Epochs": lambda epochs: plural(epochs, "epoch"),
}
DISPLAYED_PHASES = ("decode", "preprocess", "transfer", "train", "validate", "test")  # the rest of the time is "other"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Settings and results of a run, as `table_3` and `table_4` need them.

    Attributes
    ----------
    run, name : str
        Identifier and name of the run.
    architecture, label : str
        Key of the network in `cfu_core.models.registry.ARCHITECTURES`, and its name for display.
    recipe_kind : str
        ``original``, ``preprocessed`` or ``custom``.
    weights : str
        Description of the initial weights, for example ``ImageNet weights``.
    dataset : str
        Name of the dataset.
    epochs : int or None
        Number of epochs; None for a probe.
    seed : int
        Seed of the training.
    mode : str
        ``fine-tune`` or ``probe``.
    seconds : mapping of str to float
        Seconds by phase (`cfu_core.runs.phase_timer.PHASES`) and their ``total``; empty if unknown.
    cache_reused : bool
        Whether the images had been decoded and preprocessed before the run, for example by another run.
    drawn : bool
        Whether the images are synthetic drawings.
    recipe : str
        Description of the preprocessing.
    settings : mapping of str to object
        Other settings by the name of the field, such as ``split_seed``, ``batch_size`` or ``optimizer``. In a table,
        the column ``Batch size`` holds ``batch_size``.
    evaluation : Evaluation or None
        Metrics on the test images; None until the run is tested.
    """

    run: str
    name: str
    architecture: str
    label: str
    recipe_kind: str
    weights: str
    dataset: str
    epochs: int | None
    seed: int
    mode: str = "fine-tune"
    seconds: Mapping[str, float] = field(default_factory=dict)
    cache_reused: bool = False
    drawn: bool = False
    recipe: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Evaluation | None = None


def table_1(sizes: Mapping[str, Any], labels: Mapping[str, str]) -> pd.DataFrame:
    """Make Table 1: depth and size of the networks, the published values and the differences.

    The published numbers of parameters are rounded to millions, so a difference below half a million is not
    meaningful.

    Parameters
    ----------
    sizes : mapping of str to Complexity
        Size by key of the network, from `cfu_core.models.complexity.complexity`.
    labels : mapping of str to str
        Name for display of every network in `sizes`, by its key.

    Returns
    -------
    pandas.DataFrame
        One row per network, in the order of `sizes`. Differences are measured minus published. Published values and
        differences are missing for networks that are not in the paper. Without networks, a table without columns.
    """
    rows = []
    for key, size in sizes.items():
        published = zamani_2023.TABLE_1.get(key)
        millions = published.parameters_millions if published else None
        rows.append(
            {
                "Network": labels[key],
                "Layers": size.layers,
                "Layers, published": published.layers if published else None,
                "Layers, difference": _difference(size.layers, published.layers if published else None),
                "Parameters, 1000 classes": size.parameters_imagenet,
                "Parameters, published (millions)": millions,
                "Parameters, difference (millions)": _difference(size.parameters_imagenet / 1e6, millions),
                "Parameters, these classes": size.parameters,
                "Multiply-adds per image": size.multiply_adds,
            }
        )
    return pd.DataFrame(rows)


def table_2(counts: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Make Table 2: number of images by class and partition, with totals.

    Parameters
    ----------
    counts : mapping of str to mapping of str to int
        Number of images by class and partition; at least one class. Every class has the partitions ``training``,
        ``validation`` and ``test``.

    Returns
    -------
    pandas.DataFrame
        One row per class, in the order of `counts`, and a last row ``All``. Columns ``Class``, one per partition,
        ``Total``, ``Published`` and ``Difference`` (measured minus published). The last two are texts such as
        ``146 / 31 / 31``, in the order training / validation / test. They are empty for a class whose name is not in
        the paper, and in the row ``All`` unless the classes are exactly those of the paper.
    """
    printed: dict[str, Mapping[str, int]] = {
        name: zamani_2023.TABLE_2[name] for name in counts if name in zamani_2023.TABLE_2
    }
    if set(counts) == set(zamani_2023.TABLE_2):
        printed["All"] = _summed(zamani_2023.TABLE_2)
    rows = []
    for name, parts in {**counts, "All": _summed(counts)}.items():
        published = printed.get(name, {})
        less = {part: parts[part] - number for part, number in published.items()}
        rows.append(
            {
                "Class": name,
                **{part.capitalize(): number for part, number in parts.items()},
                "Total": sum(parts.values()),
                "Published": " / ".join(str(number) for number in published.values()),
                "Difference": " / ".join(f"{number:+d}" if number else "0" for number in less.values()),
            }
        )
    return pd.DataFrame(rows)


def nonempty_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of `table_2` that have a value other than an empty text in at least one row."""
    return [name for name in table if (table[name] != "").any()]


def _summed(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Add up the counts of all classes by partition."""
    parts = next(iter(counts.values()))
    return {part: sum(row[part] for row in counts.values()) for part in parts}


def table_3(results: Sequence[RunResult]) -> pd.DataFrame:
    """Make Table 3: seconds of each run by phase, the published training time and the difference.

    Parameters
    ----------
    results : sequence of RunResult
        Runs in any order.

    Returns
    -------
    pandas.DataFrame
        One row per run, in the order of `in_paper_order`: the settings (`SETTING_COLUMNS`, as far as a run has them),
        ``Run``, ``Total (s)``, the published total and the difference (measured minus published), one column per phase,
        ``Other (s)`` (see `other_seconds`), and ``Prepared before`` (whether the images had been prepared before the
        run). Unknown times are missing, and so are the published values of networks and kinds of images that are not
        in the paper. Without runs, a table without columns.
    """
    rows = []
    for result in in_paper_order(results):
        published = zamani_2023.RESULTS.get((result.architecture, result.recipe_kind))
        rows.append(
            {
                **_setting_columns(result),
                "Total (s)": result.seconds.get("total"),
                "Published total (s)": published.seconds if published else None,
                "Difference (s)": _difference(result.seconds.get("total"), published.seconds if published else None),
                **{f"{name.capitalize()} (s)": result.seconds.get(name) for name in DISPLAYED_PHASES},
                "Other (s)": other_seconds(result.seconds),
                "Prepared before": result.cache_reused,
            }
        )
    return _table(rows)


def table_4(results: Sequence[RunResult]) -> pd.DataFrame:
    """Make Table 4: macro and micro precision and accuracy on the test images, published values and differences.

    Parameters
    ----------
    results : sequence of RunResult
        Runs in any order.

    Returns
    -------
    pandas.DataFrame
        One row per run, in the order of `in_paper_order`: the settings (`SETTING_COLUMNS`, as far as a run has them),
        ``Run``, the metrics as fractions (0 to 1) with the published values and the differences (measured minus
        published), and the number of correct and of all test images. Both macro and micro precision are compared with
        the one published precision. Metrics of a run without an evaluation are missing, and so are the published values
        of networks and kinds of images that are not in the paper. Without runs, a table without columns.
    """
    rows = []
    for result in in_paper_order(results):
        published = zamani_2023.RESULTS.get((result.architecture, result.recipe_kind))
        evaluation = result.evaluation
        accuracy, macro, micro = (
            getattr(evaluation, name, None) for name in ("accuracy", "precision_macro", "precision_micro")
        )
        printed = published.precision if published else None
        rows.append(
            {
                **_setting_columns(result),
                "Accuracy": accuracy,
                "Published accuracy": published.accuracy if published else None,
                "Difference of accuracy": _difference(accuracy, published.accuracy if published else None),
                "Precision, macro": macro,
                "Published precision": printed,
                "Difference of precision, macro": _difference(macro, printed),
                "Precision, micro": micro,
                "Difference of precision, micro": _difference(micro, printed),
                "Correct": evaluation.correct if evaluation else None,
                "Test images": evaluation.n_images if evaluation else None,
            }
        )
    return _table(rows)


def display_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of `table_3` or `table_4` to display, in order.

    The order is: network and images; mode and initial weights, each if rows differ in it; measured and published
    values; the other settings in which rows differ; the preprocessing, if rows with equal network and images differ in
    it. Values come before most settings so that a narrow screen shows them. A downloaded file has all columns. The
    table must have at least one row. `describe_shared_settings` describes settings that all rows share.
    """
    first, last = list(SETTING_COLUMNS[:2]), "Preprocessing"
    differing = [
        name for name in SETTING_COLUMNS[2:] if name in table and name != last and table[name].nunique(dropna=False) > 1
    ]
    leading = [name for name in differing if name in ("Mode", "Began with")]
    values = [name for name in table if name not in (*SETTING_COLUMNS, "Run")]
    others = [name for name in differing if name not in leading]
    return [*first, *leading, *values, *others, *([last] if varies_within(table, last, first) else [])]


def varies_within(table: pd.DataFrame, name: str, groups: Sequence[str]) -> bool:
    """Return whether a column has different values in rows that are equal in other columns.

    Parameters
    ----------
    table : pandas.DataFrame
        Contains the column `name` and the columns `groups`.
    name : str
        Column whose values are compared.
    groups : sequence of str
        One or more columns; rows with equal values in all of them form a group. Missing values are equal to each other,
        in `name` and in `groups`.

    Returns
    -------
    bool
        True if at least one group has two different values in column `name`.
    """
    return bool((table.groupby(list(groups), dropna=False)[name].nunique(dropna=False) > 1).any())


def describe_shared_settings(table: pd.DataFrame) -> str:
    """Describe mode, initial weights and epochs, as far as all rows of `table_3` or `table_4` share them.

    The result is, for example, ``fine-tune, began with ImageNet weights, 10 epochs``; empty if the rows share none. The
    table must have at least one row.
    """
    shared = {name: table[name].iloc[0] for name in SHARED_SETTINGS if table[name].nunique(dropna=False) == 1}
    return ", ".join(SHARED_SETTINGS[name](value) for name, value in shared.items() if not pd.isna(value))


def per_class_table(evaluation: Evaluation) -> pd.DataFrame:
    """Make a table of the metrics of each class, with the 95 % Wilson interval of the recall.

    Returns
    -------
    pandas.DataFrame
        One row per class, in the order of `Evaluation.classes`. Columns ``Class``, ``Images``, ``Predicted``,
        ``Correct`` (numbers of images), ``Precision``, ``Recall``, ``Recall, low``, ``Recall, high``, ``Specificity``
        and ``F1`` (0 to 1). Undefined metrics are missing values.
    """
    specificities = specificity(np.asarray(evaluation.confusion))
    rows = []
    for c, class_specificity in zip(evaluation.per_class, specificities, strict=True):
        low, high = wilson_interval(c.correct, c.support) if c.support else (None, None)
        rows.append(
            {
                "Class": c.name,
                "Images": c.support,
                "Predicted": c.predicted,
                "Correct": c.correct,
                "Precision": c.precision,
                "Recall": c.recall,
                "Recall, low": low,
                "Recall, high": high,
                "Specificity": None if np.isnan(class_specificity) else float(class_specificity),
                "F1": c.f1,
            }
        )
    return pd.DataFrame(rows)


def summary_metrics_table(evaluation: Evaluation) -> pd.DataFrame:
    """Make a table of the summary metrics with 95 % intervals.

    Returns
    -------
    pandas.DataFrame
        One row per metric, in the order of `SUMMARY_METRICS`. Columns ``Figure`` (name of the metric), ``Value``,
        ``Low`` and ``High``. Undefined metrics are missing values. The interval of the accuracy is the Wilson interval;
        the other intervals are percentile bootstrap intervals over the test images, and missing if there is one image.
    """
    found = summarize(evaluation.confusion).to_dict()
    intervals = bootstrap_intervals(evaluation.confusion, [name for name in found if name != "accuracy"])
    intervals["accuracy"] = wilson_interval(evaluation.correct, evaluation.n_images)
    rows = []
    for name, label in SUMMARY_METRICS.items():
        low, high = intervals[name] if found[name] is not None else (None, None)
        rows.append({"Figure": label, "Value": found[name], "Low": low, "High": high})
    return pd.DataFrame(rows)


def comparison_table(comparisons: Sequence[Comparison], names: Mapping[str, str]) -> pd.DataFrame:
    """Make a table of comparisons, one row per pair of runs.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Comparisons that were corrected together, all from one call of `compare_pairwise`.
    names : mapping of str to str
        Names for display of all compared runs, by identifier.

    Returns
    -------
    pandas.DataFrame
        Rows in the order of `comparisons`. Columns ``First`` and ``Second`` (names of the runs), ``Verdict on the
        second``, ``Difference`` (of the accuracies, second minus first), ``Low`` and ``High`` (its 95 % interval),
        ``Only first right`` and ``Only second right`` (numbers of images), and the p-value that the verdict quotes, in
        the column that `p_column` names. Without comparisons, a table without columns.
    """
    return pd.DataFrame(
        [
            {
                "First": names[c.first],
                "Second": names[c.second],
                "Verdict on the second": c.verdict,
                "Difference": c.paired.difference,
                "Low": c.paired.low,
                "High": c.paired.high,
                "Only first right": c.paired.only_first,
                "Only second right": c.paired.only_second,
                p_column(comparisons): c.p_adjusted,
            }
            for c in comparisons
        ]
    )


def p_column(comparisons: Sequence[Comparison]) -> str:
    """Return the column name of the p-values: ``p, adjusted (Holm)`` for several comparisons, else that of one test."""
    return "p, adjusted (Holm)" if len(comparisons) > 1 else "p, exact McNemar"


def in_paper_order(results: Sequence[RunResult]) -> list[RunResult]:
    """Sort runs as the tables of the paper do: AlexNet, GoogLeNet, ResNet-18, each with original images first.

    Runs with equal network and kind of images stay in the given order. Runs with other networks or recipes follow at
    the end, in the given order.
    """
    order = list(zamani_2023.RESULTS)
    position = {key: number for number, key in enumerate(order)}
    return sorted(results, key=lambda result: position.get((result.architecture, result.recipe_kind), len(order)))


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    return table.astype({"Epochs": "Int64"}) if len(table) else table  # integers, although a probe has no epochs


def _difference(measured: float | None, published: float | None) -> float | None:
    """Return measured minus published; None if either is missing."""
    return None if measured is None or published is None else measured - published


def other_seconds(seconds: Mapping[str, float]) -> float | None:
    """Return the seconds of a run outside `DISPLAYED_PHASES`.

    They are mainly the time to load the images, to measure the fastest way to compute, and to write weights and
    checkpoints.

    Parameters
    ----------
    seconds : mapping of str to float
        Seconds by phase and their ``total``.

    Returns
    -------
    float or None
        None if there is no ``total``, because the run has not measured its time yet.
    """
    if "total" not in seconds:
        return None
    return seconds["total"] - sum(seconds.get(name, 0.0) for name in DISPLAYED_PHASES)


def _setting_columns(result: RunResult) -> dict[str, Any]:
    return {
        "Network": result.label,
        "Images": result.recipe_kind,
        "Mode": result.mode,
        "Began with": result.weights,
        "Epochs": result.epochs,
        "Dataset": f"{result.dataset} (drawn)" if result.drawn and "drawn" not in result.dataset else result.dataset,
        "Preprocessing": result.recipe,
        "Seed": result.seed,
        **{name.replace("_", " ").capitalize(): value for name, value in result.settings.items()},
        "Run": result.run,
    }
