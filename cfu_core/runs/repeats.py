"""The same run with other seeds or over the folds of a cross-validation, and how far the results spread."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, NamedTuple

from cfu_core.job import State
from cfu_core.runs.planning import plan_runs, planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.runs.short_names import names_among
from cfu_core.training.config import TrainingConfig

SEEDS = range(5)
FOLDS = 5


class Family(NamedTuple):
    """Finished runs that differ by one thing alone.

    `varied` is ``"seeds"`` or ``"folds"``; `accuracies` on the test images, in the order of `runs`, from the lowest
    seed or the first fold. `correct` and `n_images` over all runs: of folds each image counts once.
    """

    name: str
    varied: str
    runs: list[Run]
    accuracies: list[float]
    correct: int
    n_images: int

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """The standard deviation of the accuracies, of a sample (n - 1)."""
        return stdev(self.accuracies)


def with_seeds(run: Run, seeds: Iterable[int] = SEEDS) -> list[TrainingConfig]:
    """The run's settings, once with each seed; the split stays the same."""
    return [replace(run.config, seed=seed) for seed in seeds]


def in_folds(run: Run, folds: int = FOLDS) -> list[TrainingConfig]:
    """The run's settings over every fold of a cross-validation, parted by its split seed."""
    return [replace(run.config, folds=folds, fold=fold) for fold in range(folds)]


class Repeats(NamedTuple):
    """Runs with given configurations: those that were planned now, and those that were there already."""

    new: list[Run]
    existing: list[Run]


def plan_repeats(run: Run, configs: Sequence[TrainingConfig]) -> Repeats:
    """Plan the configurations that no run has yet, computed as `run` was, on its dataset as it was then.

    A run counts as there if it has finished, waits, trains or is paused, on the same images and labels as `run`.

    Raises
    ------
    CfuError
        As from `cfu_core.runs.planning.plan_runs`.
    """
    useful = (State.FINISHED, State.QUEUED, State.RUNNING, State.PAUSED)
    existing = [
        other
        for other in list_runs()
        if other.config in configs and _same_data(run, other) and other.status().state in useful
    ]
    left = [config for config in configs if config not in {other.config for other in existing}]
    new = plan_runs(left, planned_dataset(run), compute_options=run.compute_options) if left else []
    return Repeats(new, existing)


def families(runs: Sequence[Run]) -> list[Family]:
    """Finished runs that differ by their seed alone, or by their fold alone; two or more each.

    Parameters
    ----------
    runs : sequence of Run
        Of several with the same settings the first one counts.
    """
    found = [(run, evaluation) for run in runs if (evaluation := run.evaluation())]
    result: list[Family] = []
    for varied, field in (("seeds", "seed"), ("folds", "fold")):
        groups: dict[str, dict[int, tuple[Run, Any]]] = defaultdict(dict)
        for run, evaluation in found:
            if varied == "seeds" or run.config.folds:
                data = run.plan.dataset
                key = f"{data.id} {data.digest} {_key(run.config, leave_out=field)}"
                groups[key].setdefault(getattr(run.config, field), (run, evaluation))
        ordered = [[members[place] for place in sorted(members)] for members in groups.values() if len(members) > 1]
        names = names_among([members[0][0] for members in ordered], ignoring=("seed", "fold"))
        result += [_family(names[members[0][0].id], varied, members) for members in ordered]
    return result


def _family(name: str, varied: str, members: Sequence[tuple[Run, Any]]) -> Family:
    evaluations = [evaluation for _, evaluation in members]
    return Family(
        name=name,
        varied=varied,
        runs=[run for run, _ in members],
        accuracies=[evaluation.accuracy for evaluation in evaluations],
        correct=sum(evaluation.correct for evaluation in evaluations),
        n_images=sum(evaluation.n_images for evaluation in evaluations),
    )


def _same_data(run: Run, other: Run) -> bool:
    one, two = run.plan.dataset, other.plan.dataset
    return (one.id, one.digest) == (two.id, two.digest)


def _key(config: TrainingConfig, leave_out: str) -> str:
    """Return a configuration as text, without one of its fields."""
    values = config.to_dict()
    del values[leave_out]
    return json.dumps(values, sort_keys=True)
