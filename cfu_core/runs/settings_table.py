"""What runs were asked for, side by side: one table of settings and results."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.summary_metrics import summarize
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among

RESULTS = ("Accuracy", "Macro F1", "Balanced accuracy", "Seconds")
#: Settings by the words that people read, and where they stand in a run's configuration.
_CONFIG = {
    "Mode": "mode",
    "Epochs": "epochs",
    "Batch": "batch_size",
    "Learning rate": "learning_rate",
    "Optimizer": "optimizer",
    "Schedule": "schedule",
    "Patience": "patience",
    "Precision of arithmetic": "precision",
    "Seed": "seed",
    "Split seed": "split_seed",
}
_NOT_OF_PROBES = ("Epochs", "Batch", "Learning rate", "Optimizer", "Schedule", "Patience")


def specs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Finished runs, a row each.

    Parameters
    ----------
    runs : sequence of Run
        Those without an evaluation are left out.

    Returns
    -------
    DataFrame
        By the runs' identifiers. ``Name``, `RESULTS`, then settings; what a run has no use for is missing.
    """
    names = names_among(runs)
    rows = {
        run.id: {"Name": names[run.id], **_results(run, evaluation), **_settings(run)}
        for run in runs
        if (evaluation := run.evaluation())
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def differing(table: pd.DataFrame) -> list[str]:
    """The settings of `specs_table` that are not the same in all its rows."""
    settings = [name for name in table if name not in ("Name", *RESULTS)]
    return [name for name in settings if table[name].nunique(dropna=False) > 1]


def _results(run: Run, evaluation: Evaluation) -> dict[str, float | None]:
    all_classes = summarize(evaluation.confusion)
    seconds = (run.timing() or {}).get("seconds", {})
    return {
        "Accuracy": evaluation.accuracy,
        "Macro F1": all_classes.f1_macro,
        "Balanced accuracy": all_classes.balanced_accuracy,
        "Seconds": seconds.get("total"),
    }


def _settings(run: Run) -> dict[str, Any]:
    config, recipe = run.config, run.recipe
    found = {words: getattr(config, name) for words, name in _CONFIG.items()}
    if run.mode == "probe":
        found |= dict.fromkeys(_NOT_OF_PROBES)
    return {
        "Network": run.plan.architecture_label,
        "Began with": run.plan.weights_label,
        "Images": recipe.kind,
        "Preprocessing": recipe.summary,
        "Clip limit": recipe.clip_limit if recipe.contrast == "clahe" else None,
        "Tiles": recipe.tiles if recipe.contrast == "clahe" else None,
        **found,
        "Fold": run.fold or None,
        "Augmentation": _augmentation(asdict(config.augmentation)),
        "Dataset": run.plan.dataset.name,
        "Dataset version": run.plan.dataset.version,
    }


def _augmentation(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in values.items() if value) or "none"
