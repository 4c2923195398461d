"""Tables 1 to 4 of Zamani et al. (2023), with measured beside published values, and tables of metrics."""

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
    """Settings and results of a run, as the tables need them.

    Attributes
    ----------
    run, name : str
        Identifier and name of the run.
    architecture, label : str
        Key of the network, and its name for display.
    recipe_kind : str
        ``original``, ``preprocessed`` or ``custom``.
    weights : str
        Description of the initial weights.
    dataset : str
        Name of the dataset.
    epochs : int or None
        Number of epochs; None for a probe.
    seed : int
        Seed of the run.
    mode : str
        ``fine-tune`` or ``probe``.
    seconds : mapping of str to float
        Seconds by phase and their ``total``; empty if unknown.
    cache_reused : bool
        Whether an earlier run had decoded and preprocessed the images.
    drawn : bool
        Whether the images are synthetic drawings.
    recipe : str
        Description of the preprocessing.
    settings : mapping
        Other settings, such as split seed, batch size, learning rate and optimizer.
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
        Sizes by network from `cfu_core.models.complexity.complexity`.
    labels : mapping of str to str
        Names of the networks for display.

    Returns
    -------
    pandas.DataFrame
        One row per network.
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
        Number of images by class and partition.

    Returns
    -------
    pandas.DataFrame
        One row per class and one for all. For classes named as in the paper ``Published`` and ``Difference``
        (measured minus published) hold texts in the order training / validation / test; the totals have them if the
        classes are those of the paper. Otherwise they are empty.
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
    """Return the columns that are not empty; `table_2` has published counts only for the classes of the paper."""
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
        Runs.

    Returns
    -------
    pandas.DataFrame
        One row per run, in the order of `in_paper_order`.
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
        Runs.

    Returns
    -------
    pandas.DataFrame
        One row per run, in the order of `in_paper_order`.
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
    """Return the columns of `table_3` or `table_4` to display; a downloaded file has all columns.

    These are the network and its images, mode and first weights where rows differ in them, the measured values, and
    then the other settings in which rows differ, so that no setting pushes a measured value out of sight. The
    preprocessing is a long text and comes last, unless network and images determine it. `describe_shared_settings`
    describes settings that all rows share.
    """
    first, last = list(SETTING_COLUMNS[:2]), "Preprocessing"
    differing = [
        name for name in SETTING_COLUMNS[2:] if name in table and name != last and table[name].nunique(dropna=False) > 1
    ]
    leading = [name for name in differing if name in ("Mode", "Began with")]
    values = [name for name in table if name not in (*SETTING_COLUMNS, "Run")]
    others = [name for name in differing if name not in leading]
    return [*first, *leading, *values, *others, *([last] if distinguishes(table, last, first) else [])]


def distinguishes(table: pd.DataFrame, name: str, known: Sequence[str]) -> bool:
    """Return whether a column differs between rows that are equal in `known`; missing values are equal."""
    return bool((table.groupby(list(known), dropna=False)[name].nunique(dropna=False) > 1).any())


def describe_shared_settings(table: pd.DataFrame) -> str:
    """Describe the training settings that all rows of `table_3` or `table_4` share, as in ``probe, began with ...``."""
    shared = {name: table[name].iloc[0] for name in SHARED_SETTINGS if table[name].nunique(dropna=False) == 1}
    return ", ".join(SHARED_SETTINGS[name](value) for name, value in shared.items() if not pd.isna(value))


def per_class_table(evaluation: Evaluation) -> pd.DataFrame:
    """Make a table of the metrics of each class, with the 95 % Wilson interval of the recall.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    pandas.DataFrame
        One row per class; undefined metrics are missing values.
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

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    pandas.DataFrame
        One row per metric; undefined metrics are missing values. The interval of the accuracy is the Wilson interval,
        the others are percentile bootstrap intervals over the test images.
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
        Comparisons that were made together.
    names : mapping of str to str
        Names of the runs for display, by identifier.

    Returns
    -------
    pandas.DataFrame
        The last column, named by `p_column`, is the p-value that the verdict quotes.
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
    """Return the name of the p-values of comparisons: adjusted by Holm's method if there are several."""
    return "p, adjusted (Holm)" if len(comparisons) > 1 else "p, exact McNemar"


def in_paper_order(results: Sequence[RunResult]) -> list[RunResult]:
    """Sort runs as the tables of the paper do; other runs follow in the given order.

    The order is AlexNet, GoogLeNet, ResNet-18, each with original before preprocessed images.
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
    """Return the seconds of a run outside `DISPLAYED_PHASES`; None if the total is not known yet.

    They are the time to load the images, to measure the fastest way to compute, and to write weights and checkpoints.
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
