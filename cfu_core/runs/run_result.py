"""Conversion of a run to a row of the paper's tables."""

from cfu_core.evaluation.paper_tables import RunResult
from cfu_core.runs.run import Run


def result_of(run: Run) -> RunResult:
    """Return the settings and results of a run for `cfu_core.evaluation.paper_tables`.

    The run may be unfinished: times and evaluation are then incomplete or missing. Settings that a probe does not use,
    such as the learning rate, are left out.

    Raises
    ------
    StorageError
        ``timing.json`` or ``evaluation.json`` is damaged or not readable.
    """
    timing = run.timing() or {}
    training = () if run.mode == "probe" else ("batch_size", "learning_rate", "optimizer", "schedule", "patience")
    return RunResult(
        run=run.id,
        name=run.name,
        architecture=run.config.architecture,
        label=run.plan.architecture_label,
        recipe_kind=run.recipe.kind,
        weights=run.plan.weights_label,
        dataset=run.plan.dataset.name,
        epochs=None if run.mode == "probe" else run.config.epochs,
        mode=run.mode,
        seed=run.config.seed,
        seconds=timing.get("seconds", {}),
        cache_reused=timing.get("cache_reused", False),
        drawn=run.plan.dataset.drawn,
        recipe=run.recipe.summary,
        settings={"fold": run.fold, **{name: getattr(run.config, name) for name in ("split_seed", *training)}},
        evaluation=run.evaluation(),
    )
