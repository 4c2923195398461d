"""Repeats of a run with other seeds or over the folds of a cross-validation, and the spread of their results."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, NamedTuple

from cfu_core.errors import TrainingError
from cfu_core.job import State
from cfu_core.runs.planning import plan_runs, planned_dataset
from cfu_core.runs.run import Run
from cfu_core.runs.run_store import list_runs
from cfu_core.runs.short_names import names_among
from cfu_core.training.config import TrainingConfig

SEEDS = range(5)
FOLDS = 5


class Family(NamedTuple):
    """Finished runs that differ only in the seed, or only in the fold.

    Attributes
    ----------
    name : str
        Name of the runs without seed and fold, for display.
    varied : {"seeds", "folds"}
        Setting in which the runs differ.
    runs : list of Run
        Two or more runs, by ascending seed or fold.
    accuracies : list of float
        Accuracy of each run on its test images, 0 to 1, in the order of `runs`.
    correct, n_images : int
        Number of correctly classified test images and number of test images, summed over the runs. Over folds, each
        tested image is counted once; over seeds, each test image is counted once per run.
    """

    name: str
    varied: str
    runs: list[Run]
    accuracies: list[float]
    correct: int
    n_images: int

    @property
    def mean(self) -> float:
        """Mean of the accuracies, each run with equal weight."""
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float:
        """Sample standard deviation (n - 1) of the accuracies."""
        return stdev(self.accuracies)


def with_seeds(run: Run, seeds: Iterable[int] = SEEDS) -> list[TrainingConfig]:
    """Return the configuration of a run with each of `seeds`, in this order.

    Only `TrainingConfig.seed` is changed; the split seed, and so the split, is that of the run.

    Raises
    ------
    TrainingError
        A seed is negative or greater than 2147483647.
    """
    return [replace(run.config, seed=seed) for seed in seeds]


def in_folds(run: Run, folds: int = FOLDS) -> list[TrainingConfig]:
    """Return the configuration of a run for each fold of a cross-validation.

    Parameters
    ----------
    run : Run
        Run whose other settings, including the split seed, are used.
    folds : int
        Number of folds, 3 to 20.

    Returns
    -------
    list of TrainingConfig
        One per fold, by ascending fold.

    Raises
    ------
    TrainingError
        `folds` is less than 3 or greater than 20.
    """
    if folds < 1:
        raise TrainingError(f"{folds} folds were requested.", "A cross-validation has 3 to 20 folds.")
    return [replace(run.config, folds=folds, fold=fold) for fold in range(folds)]


class Repeats(NamedTuple):
    """Runs with the configurations given to `plan_repeats`.

    Attributes
    ----------
    new : list of Run
        Runs that were planned now, in the order of the configurations.
    existing : list of Run
        Runs that existed already, newest first; several of one configuration are possible.
    """

    new: list[Run]
    existing: list[Run]


def plan_repeats(run: Run, configs: Sequence[TrainingConfig]) -> Repeats:
    """Plan runs with those configurations that no run has yet.

    A run counts if its images, labels, groups, boxes and manually assigned partitions are those of `run`, and if it is
    finished, queued, running or paused. New runs use the compute options of `run`, and its dataset with the edits at
    the time it was planned. No worker is started.

    Parameters
    ----------
    run : Run
        Run to repeat.
    configs : sequence of TrainingConfig
        From `with_seeds` or `in_folds`, each once; one of them may be that of `run`.

    Raises
    ------
    CfuError
        The dataset has been deleted, is damaged or differs from that of the run, or a configuration cannot be trained
        (see `cfu_core.runs.planning.plan_runs`); no run is planned.
    StorageError
        The disk is full, or the home folder is not writable. Some of the runs may have been planned.
    """
    useful = (State.FINISHED, State.QUEUED, State.RUNNING, State.PAUSED)
    existing = [
        other
        for other in list_runs()
        if other.config in configs and _same_data(run, other) and other.status().state in useful
    ]
    missing = [config for config in configs if config not in {other.config for other in existing}]
    new = plan_runs(missing, planned_dataset(run), compute_options=run.compute_options) if missing else []
    return Repeats(new, existing)


def families(runs: Sequence[Run]) -> list[Family]:
    """Find finished runs that differ only in their seed, or only in their fold.

    Parameters
    ----------
    runs : sequence of Run
        Runs in any state; those without an evaluation are ignored. Of several runs with equal settings, the first is
        used.

    Returns
    -------
    list of Family
        First the families over seeds, then those over folds, each of two or more runs. A family over folds may lack
        folds. A run may be in one family of each kind. Empty if there is none.

    Raises
    ------
    StorageError
        ``evaluation.json`` of a run is damaged or not readable.
    """
    evaluated = [(run, evaluation) for run in runs if (evaluation := run.evaluation())]
    result: list[Family] = []
    for varied, field in (("seeds", "seed"), ("folds", "fold")):
        groups: dict[str, dict[int, tuple[Run, Any]]] = defaultdict(dict)
        for run, evaluation in evaluated:
            if varied == "seeds" or run.config.folds:
                data = run.plan.dataset
                key = f"{data.id} {data.digest} {_key(run.config, without=field)}"
                groups[key].setdefault(getattr(run.config, field), (run, evaluation))
        ordered = [[members[value] for value in sorted(members)] for members in groups.values() if len(members) > 1]
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


def _key(config: TrainingConfig, without: str) -> str:
    """Return a configuration as text, without one of its fields."""
    values = config.to_dict()
    del values[without]
    return json.dumps(values, sort_keys=True)
