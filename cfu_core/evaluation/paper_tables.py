"""Tables 1 to 4 of the paper: what was measured here beside what was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cfu_core.evaluation.intervals import bootstrapped, wilson
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.significance import Comparison
from cfu_core.evaluation.summary_metrics import figures, specificity
from cfu_core.published import zamani_2023

WHO = (
    *("Network", "Images"),  # always on the screen; what follows, where it differs
    *("Mode", "Began with", "Epochs"),
    *("Dataset", "Preprocessing", "Seed", "Fold", "Split seed", "Batch size", "Learning rate", "Optimizer"),
    *("Schedule", "Patience"),
)
#: Fields of `cfu_core.evaluation.summary_metrics.Figures`, for people.
FIGURES = {
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
#: Of `WHO`, what every screen tells: in a column where rows differ, else once, in these words.
COMMON = {"Mode": "{}", "Began with": "began with {}", "Epochs": "{} epochs"}
SECONDS = ("decode", "preprocess", "transfer", "train", "validate", "test")  # the rest is "other"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What the tables need to know of a run.

    Parameters
    ----------
    architecture, label : str
        The network's key, and its name for people.
    recipe_kind : str
        ``original``, ``preprocessed`` or ``custom``.
    weights : str
        What the run began with, in words.
    epochs : int or None
        None where the mode has none.
    mode : str
        ``fine-tune`` or ``probe``.
    seconds : mapping
        By what they were spent on; empty when unknown.
    cache_reused : bool
        Decoding and preprocessing were done by an earlier run.
    drawn : bool
        The images are drawn, not photographed.
    recipe : str
        The preprocessing, in words.
    settings : mapping
        What else decided how the run went: split seed, batch size, learning rate, optimizer.
    evaluation : Evaluation or None
        None while the test images are unseen.
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
    """Depth and size of the networks, beside what was published and less it.

    The published parameters are rounded to millions, so a difference of less than half a million is none.

    Parameters
    ----------
    sizes : mapping of str to Complexity
        As `cfu_core.models.complexity.complexity` measures them.
    labels : mapping of str to str
        Names for people.
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
                "Layers, difference": _less(size.layers, published.layers if published else None),
                "Parameters, 1000 classes": size.parameters_imagenet,
                "Parameters, published (millions)": millions,
                "Parameters, difference (millions)": _less(size.parameters_imagenet / 1e6, millions),
                "Parameters, these classes": size.parameters,
                "Multiply-adds per image": size.multiply_adds,
            }
        )
    return pd.DataFrame(rows)


def table_2(counts: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Images per class and partition, with totals.

    Beside classes of the paper's names stand the published counts, and the counts less those, both in the order of
    the partitions: training / validation / test. The totals have them where the classes are the paper's.
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


def filled_columns(table: pd.DataFrame) -> list[str]:
    """Those in which anything stands: `table_2` has nothing published for classes that are not the paper's."""
    return [name for name in table if (table[name] != "").any()]


def _summed(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Of all classes, by partition."""
    parts = next(iter(counts.values()))
    return {part: sum(row[part] for row in counts.values()) for part in parts}


def table_3(results: Sequence[RunResult]) -> pd.DataFrame:
    """Seconds of each run, beside the published training time and less it, parted by what they were spent on."""
    rows = []
    for result in results:
        published = zamani_2023.RESULTS.get((result.architecture, result.recipe_kind))
        rows.append(
            {
                **_who(result),
                "Total (s)": result.seconds.get("total"),
                "Published total (s)": published.seconds if published else None,
                "Difference (s)": _less(result.seconds.get("total"), published.seconds if published else None),
                **{f"{name.capitalize()} (s)": result.seconds.get(name) for name in SECONDS},
                "Other (s)": other_seconds(result.seconds),
                "Prepared before": result.cache_reused,
            }
        )
    return _table(rows)


def table_4(results: Sequence[RunResult]) -> pd.DataFrame:
    """Precision, by each of its names, and accuracy on the test images, beside the published values and less them."""
    rows = []
    for result in results:
        published = zamani_2023.RESULTS.get((result.architecture, result.recipe_kind))
        evaluation = result.evaluation
        accuracy, macro, micro = (
            getattr(evaluation, name, None) for name in ("accuracy", "precision_macro", "precision_micro")
        )
        printed = published.precision if published else None
        rows.append(
            {
                **_who(result),
                "Accuracy": accuracy,
                "Published accuracy": published.accuracy if published else None,
                "Difference of accuracy": _less(accuracy, published.accuracy if published else None),
                "Precision, macro": macro,
                "Published precision": printed,
                "Difference of precision, macro": _less(macro, printed),
                "Precision, micro": micro,
                "Difference of precision, micro": _less(micro, printed),
                "Correct": evaluation.correct if evaluation else None,
                "Test images": evaluation.n_images if evaluation else None,
            }
        )
    return _table(rows)


def screen_columns(table: pd.DataFrame) -> list[str]:
    """Columns of `table_3` or `table_4` for a screen: the network and its images, what tells rows apart, the figures.

    The preprocessing, a long text, stands last, where the network and its images do not tell it. A file has all
    columns; what `in_common` says, a screen says once.
    """
    first, last = list(WHO[:2]), "Preprocessing"
    apart = [name for name in WHO[2:] if name in table and name != last and table[name].nunique(dropna=False) > 1]
    figures = [name for name in table if name not in (*WHO, "Run")]
    return [*first, *apart, *figures, *([last] if tells_more(table, last, first) else [])]


def tells_more(table: pd.DataFrame, name: str, known: Sequence[str]) -> bool:
    """Whether a column parts rows that are alike in the columns `known`; a missing value is one like any other."""
    return bool((table.groupby(list(known), dropna=False)[name].nunique(dropna=False) > 1).any())


def in_common(table: pd.DataFrame) -> str:
    """How every row of `table_3` or `table_4` was trained, as far as they share it: ``"probe, began with ..."``."""
    shared = {name: table[name].iloc[0] for name in COMMON if table[name].nunique(dropna=False) == 1}
    return ", ".join(COMMON[name].format(value) for name, value in shared.items() if not pd.isna(value))


def per_class_table(evaluation: Evaluation) -> pd.DataFrame:
    """One row a class, the 95 % interval of its recall by Wilson; an empty cell is an undefined figure."""
    specificities = specificity(np.asarray(evaluation.confusion))
    rows = []
    for c, spared in zip(evaluation.per_class, specificities, strict=True):
        low, high = wilson(c.correct, c.support) if c.support else (None, None)
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
                "Specificity": None if np.isnan(spared) else float(spared),
                "F1": c.f1,
            }
        )
    return pd.DataFrame(rows)


def figures_table(evaluation: Evaluation) -> pd.DataFrame:
    """All classes in one number, by each of its names, with 95 % intervals; an empty cell is an undefined figure.

    That of the accuracy is Wilson's, the others come from a percentile bootstrap over the test images.
    """
    found = figures(evaluation.confusion).to_dict()
    intervals = bootstrapped(evaluation.confusion, [name for name in found if name != "accuracy"])
    intervals["accuracy"] = wilson(evaluation.correct, evaluation.n_images)
    rows = []
    for name, label in FIGURES.items():
        low, high = intervals[name] if found[name] is not None else (None, None)
        rows.append({"Figure": label, "Value": found[name], "Low": low, "High": high})
    return pd.DataFrame(rows)


def comparison_table(comparisons: Sequence[Comparison], names: Mapping[str, str]) -> pd.DataFrame:
    """One row a pair of runs, with the verdict in words.

    Parameters
    ----------
    comparisons : sequence of Comparison
    names : mapping of str to str
        Of the runs, for people.
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
                "p, exact McNemar": c.paired.p,
                "p, Holm": c.p_holm,
            }
            for c in comparisons
        ]
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    return table.astype({"Epochs": "Int64"}) if len(table) else table  # whole numbers also where a probe has none


def _less(measured: float | None, published: float | None) -> float | None:
    """Measured minus published; None where either is missing."""
    return None if measured is None or published is None else measured - published


def other_seconds(seconds: Mapping[str, float]) -> float | None:
    """Of loading, measuring, and writing weights and checkpoints; None while a run has not come that far."""
    if "total" not in seconds:
        return None
    return seconds["total"] - sum(seconds.get(name, 0.0) for name in SECONDS)


def _who(result: RunResult) -> dict[str, Any]:
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
