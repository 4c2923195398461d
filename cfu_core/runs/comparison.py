"""Pairwise comparisons of finished runs on the same test images."""

from collections.abc import Sequence
from itertools import combinations

from cfu_core.errors import RunError
from cfu_core.evaluation.significance import Comparison, compare_pairwise
from cfu_core.runs.run import Run


def preprocessing_pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Pair each run on original images with the runs that differ from it only in the preprocessing.

    The runs of a pair have the same dataset version and the same configuration except for the recipe.

    Parameters
    ----------
    runs : sequence of Run
        Runs in any state, each once.

    Returns
    -------
    list of (Run, Run)
        First the run on original images, second the run on preprocessed images. Ordered by the first run, then by the
        second, as in `runs`. Empty if there is no such pair.
    """
    plain = [run for run in runs if run.recipe.kind == "original"]
    treated = [run for run in runs if run.recipe.kind != "original"]
    return [(one, other) for one in plain for other in treated if _protocol(one) == _protocol(other)]


def compare_runs(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]] | None = None) -> list[Comparison]:
    """Compare runs pairwise on the same test images, corrected for the number of comparisons (Holm).

    Parameters
    ----------
    runs : sequence of Run
        Finished runs, each once.
    pairs : sequence of (Run, Run), optional
        Pairs of these runs; all pairs by default. Pairs that were not tested on the same images, or on only one image,
        are left out, and not counted in the correction. Images are the same if their paths are equal, and the datasets
        have the same identifier (in any version) or the same digest.

    Returns
    -------
    list of Comparison
        In the order of `pairs`; `Comparison.first` and `Comparison.second` are identifiers of runs. Empty if all pairs
        are left out.

    Raises
    ------
    RunError
        A run has no predictions, because it has not finished.

    References
    ----------
    .. [1] Q. McNemar, "Note on the Sampling Error of the Difference between Correlated Proportions or Percentages",
       Psychometrika 12, pp. 153-157, 1947.
    .. [2] S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6,
       pp. 65-70, 1979.
    """
    right = {}
    for run in runs:
        table = run.predictions()
        if table is None:
            raise RunError(f"The run {run.id} has no predictions.", "It has not finished.", "Choose finished runs.")
        right[run.id] = (table["true"] == table["predicted"]).set_axis(table["path"]).sort_index()
    chosen = list(combinations(runs, 2)) if pairs is None else pairs
    same = [
        (a.id, b.id)
        for a, b in chosen
        if len(right[a.id]) > 1 and right[a.id].index.equals(right[b.id].index) and _same_dataset(a, b)
    ]
    return compare_pairwise({run: hits.to_numpy() for run, hits in right.items()}, same)


def _same_dataset(one: Run, other: Run) -> bool:
    first, second = one.plan.dataset, other.plan.dataset
    return first.id == second.id or first.digest == second.digest


def _protocol(run: Run) -> dict[str, object]:
    """Return everything that determines the result of a run except its recipe."""
    return {**run.config.to_dict(), "recipe": None, "version": run.plan.dataset.version}
