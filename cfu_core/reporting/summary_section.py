"""The title and the summary of a report."""

from collections.abc import Mapping, Sequence

from cfu_core.evaluation.intervals import LEVEL, wilson_interval
from cfu_core.evaluation.metrics import Evaluation
from cfu_core.evaluation.significance import Comparison
from cfu_core.reporting.table_format import format_p, join_words
from cfu_core.runs.comparison import preprocessing_pairs
from cfu_core.runs.run import Run
from cfu_core.runs.run_plan import PlannedDataset
from cfu_core.wording import plural

MANY = 4  # comparisons; of more, only the smallest p-value is given


def report_title(runs: Sequence[Run]) -> str:
    """Return the title of a report.

    For one run, its name and its settings; for several runs, their number, datasets, initial weights and modes.
    """
    if len(runs) == 1:
        run = runs[0]
        return f"{run.given_name}: {run.default_name}" if run.given_name else run.default_name
    datasets = join_words(_distinct(run.plan.dataset.name for run in runs))
    modes = join_words(_distinct(run.mode_label for run in runs))
    weights = join_words(_distinct(run.plan.weights_label for run in runs))
    return f"{len(runs)} runs on {datasets}: {weights}, {modes}"


def summary(
    runs: Sequence[Run],
    evaluations: Mapping[str, Evaluation],
    names: Mapping[str, str],
    comparisons: Sequence[Comparison],
) -> str:
    """Summarise runs in one paragraph.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs; at least one.
    evaluations : mapping of str to Evaluation
        Evaluation by identifier of the run.
    names : mapping of str to str
        Names of the runs for display, by identifier.
    comparisons : sequence of Comparison
        Comparisons of a run on original images (first) with a run that differs only in the preprocessing (second).

    Returns
    -------
    str
        Three sentences: which networks were trained on which images, the best accuracy on test images with its 95 %
        interval, and whether preprocessing made a difference (adjusted p-value below 0.05) or why it was not tested.
    """
    preprocessing = _preprocessing(comparisons, names) if comparisons else _not_tested(runs)
    return " ".join([_training(runs), best_accuracy(runs, evaluations, names), preprocessing])


def _distinct(values: object) -> list[str]:
    return list(dict.fromkeys(values))  # type: ignore[call-overload]


def _training(runs: Sequence[Run]) -> str:
    networks = _distinct(run.plan.architecture_label for run in runs)
    modes = join_words(_distinct(_mode(run) for run in runs), "or")
    weights = join_words(_distinct(run.plan.weights_label for run in runs), "or")
    kinds = _distinct(run.recipe.kind for run in runs)
    datasets = {(run.plan.dataset.id, run.plan.dataset.version): run.plan.dataset for run in runs}
    described = join_words([_dataset(dataset) for dataset in datasets.values()])
    return (
        f"In {plural(len(runs), 'run')}, {join_words(networks)} {'was' if len(networks) == 1 else 'were'} "
        f"{modes}, beginning with {weights}, on {join_words(kinds)} images of {described}."
    )


def _mode(run: Run) -> str:
    return "trained as a probe (only the last layer)" if run.mode == "probe" else "fine-tuned (all layers)"


def _dataset(dataset: PlannedDataset) -> str:
    kind = "drawn " if dataset.drawn else ""
    images = plural(dataset.images, f"{kind}image")
    return f"the dataset “{dataset.name}” ({images} of {plural(len(dataset.classes), 'class', 'classes')})"


def best_accuracy(runs: Sequence[Run], evaluations: Mapping[str, Evaluation], names: Mapping[str, str]) -> str:
    """Return a sentence on the best accuracy on test images, with its 95 % Wilson interval.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs; at least one.
    evaluations : mapping of str to Evaluation
        Evaluation by identifier of the run.
    names : mapping of str to str
        Names of the runs for display, by identifier.

    Returns
    -------
    str
        It names the run with the best accuracy, or says how many runs have it; of a single run, only its accuracy. If
        several runs have it, the interval is that of the first.
    """
    best = max(evaluations[run.id].accuracy for run in runs)
    winners = [run for run in runs if evaluations[run.id].accuracy == best]
    found = evaluations[winners[0].id]
    low, high = wilson_interval(found.correct, found.n_images)
    interval = f"95 % interval {_percent(low)} to {_percent(high)}"
    result = f"{_percent(found.accuracy)} ({interval}, {plural(found.n_images, 'test image')})"
    if len(runs) == 1:
        return f"The accuracy is {result}."
    by = f"“{names[winners[0].id]}”" if len(winners) == 1 else plural(len(winners), "run")
    return f"The best accuracy is {result}, reached by {by}."


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _not_tested(runs: Sequence[Run]) -> str:
    reason = "no two of the runs differ only in the preprocessing"
    if preprocessing_pairs(runs):
        reason = "runs that differ only in the preprocessing do not share at least two test images"
    return f"Whether preprocessing makes a difference was not tested, because {reason}."


def _preprocessing(comparisons: Sequence[Comparison], names: Mapping[str, str]) -> str:
    if len(comparisons) == 1:
        (comparison,) = comparisons
        verdict = "made a difference" if _significant(comparison) else "made no difference that chance cannot explain"
        return f"Preprocessing {verdict}: {_change(comparison)} ({_p(comparison)})."
    number = sum(map(_significant, comparisons))
    if len(comparisons) > MANY:
        details = f"smallest {_p(min(comparisons, key=lambda each: each.p_adjusted))}"
    else:
        details = "; ".join(f"“{names[each.second]}”: {_change(each)}, {_p(each)}" for each in comparisons)
    return (
        f"Preprocessing made a difference that chance is unlikely to explain in {number or 'none'} of "
        f"{len(comparisons)} comparisons ({details})."
    )


def _significant(comparison: Comparison) -> bool:
    return comparison.p_adjusted < 1 - LEVEL


def _change(comparison: Comparison) -> str:
    net = comparison.paired.only_second - comparison.paired.only_first
    images = plural(comparison.n_images, "test image")
    if net == 0:
        return f"with and without it the same number of {images} was right"
    return (
        f"with it {abs(net):,} {'more' if net > 0 else 'fewer'} of {images} {'was' if abs(net) == 1 else 'were'} right"
    )


def _p(comparison: Comparison) -> str:
    value = format_p(comparison.p_adjusted)
    adjusted = "adjusted " if comparison.n_comparisons > 1 else ""
    return f"{adjusted}p {value}" if value.startswith("<") else f"{adjusted}p = {value}"
