"""The same run with other seeds or over the folds of a cross-validation, and how far the results spread."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, NamedTuple

from cfu_core.runs.planning import plan_runs, planned_dataset
from cfu_core.runs.short_names import names_among
from cfu_core.runs.store import Run
from cfu_core.training.config import TrainingConfig

SEEDS = range(5)
FOLDS = 5


class Family(NamedTuple):
    """Finished runs that differ by one thing alone.

    `varied` is ``"seeds"`` or ``"folds"``; `accuracies` on the test images, in the order of `runs`, from the lowest
    seed or the first fold. `correct` and `images` over all runs: of folds each image counts once.
    """

    name: str
    varied: str
    runs: list[Run]
    accuracies: list[float]
    correct: int
    images: int

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
    config = TrainingConfig.from_dict(run.config)
    return [replace(config, seed=seed) for seed in seeds]


def in_folds(run: Run, folds: int = FOLDS) -> list[TrainingConfig]:
    """The run's settings over every fold of a cross-validation, parted by its split seed."""
    config = TrainingConfig.from_dict(run.config)
    return [replace(config, folds=folds, fold=fold) for fold in range(folds)]


def still_to_do(run: Run, configs: Sequence[TrainingConfig], among: Sequence[Run]) -> list[TrainingConfig]:
    """Those of `configs` that none of the runs `among` is, on the same images and labels as `run`."""
    done = {_key(other.config) for other in among if _same_data(run, other)}
    return [config for config in configs if _key(config.to_dict()) not in done]


def plan_repeats(run: Run, configs: Sequence[TrainingConfig]) -> list[Run]:
    """Make runs of these configurations, computed as `run` was, on its dataset as it was. Raises as `plan_runs`."""
    return plan_runs(configs, planned_dataset(run), arithmetic=run.arithmetic) if configs else []


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
            if varied == "seeds" or run.config.get("folds"):
                data = run.spec["dataset"]
                key = f"{data['id']} {data['digest']} {_key(run.config, leave_out=field)}"
                groups[key].setdefault(run.config.get(field, 0), (run, evaluation))
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
        images=sum(evaluation.images for evaluation in evaluations),
    )


def _same_data(run: Run, other: Run) -> bool:
    one, two = run.spec["dataset"], other.spec["dataset"]
    return (one["id"], one["digest"]) == (two["id"], two["digest"])


def _key(config: dict[str, Any], leave_out: str = "") -> str:
    """A configuration as text, with what older runs did not write down."""
    whole = TrainingConfig.from_dict(config).to_dict()
    whole.pop(leave_out, None)
    return json.dumps(whole, sort_keys=True)
