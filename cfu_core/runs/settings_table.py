"""Table of the settings and results of several runs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.summary_metrics import summarize
from cfu_core.runs.run import Run
from cfu_core.runs.short_names import names_among

RESULTS = ("Accuracy", "Macro F1", "Balanced accuracy", "Seconds")
#: Names of settings for display, and the fields of `TrainingConfig` that hold them.
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
_NOT_FOR_PROBES = (
    *("Epochs", "Batch", "Learning rate", "Optimizer", "Schedule", "Patience", "Precision of arithmetic"),
    "Augmentation",
)


def settings_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Make a table of the settings and results of finished runs.

    Parameters
    ----------
    runs : sequence of Run
        Runs in the order of the table, each once; those without an evaluation are left out.

    Returns
    -------
    DataFrame
        One row per run, indexed by identifier. Columns ``Name`` (which distinguishes the runs), `RESULTS` (metrics
        from 0 to 1, and the total time in seconds), then the settings. Missing values: clip limit and tiles without
        CLAHE; the settings that do not affect a probe (epochs, batch size, settings of the optimizer, precision and
        augmentation); the fold of a single split. Empty, without columns, if no run has an evaluation.

    Raises
    ------
    StorageError
        ``evaluation.json`` or ``timing.json`` of a run is damaged or not readable.
    """
    names = names_among(runs, leave_out_shared=True)  # columns hold weights and mode
    rows = {
        run.id: {"Name": names[run.id], **_results(run, evaluation), **_settings(run)}
        for run in runs
        if (evaluation := run.evaluation())
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def differing_settings(table: pd.DataFrame) -> list[str]:
    """Return the names of the columns of `settings_table` that hold settings and differ between rows.

    Missing values are equal to each other.
    """
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
    settings = {
        "Network": run.plan.architecture_label,
        "Began with": run.plan.weights_label,
        "Images": recipe.kind,
        "Preprocessing": recipe.summary,
        "Clip limit": recipe.clip_limit if recipe.contrast == "clahe" else None,
        "Tiles": recipe.tiles if recipe.contrast == "clahe" else None,
        **{label: getattr(config, name) for label, name in _CONFIG.items()},
        "Fold": run.fold or None,
        "Augmentation": _augmentation(asdict(config.augmentation)),
        "Dataset": run.plan.dataset.name,
        "Dataset version": run.plan.dataset.version,
    }
    return settings | dict.fromkeys(_NOT_FOR_PROBES) if run.mode == "probe" else settings


def _augmentation(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in values.items() if value) or "none"
