"""Finished runs, two by two, on the test images that both have seen."""

from collections.abc import Sequence
from itertools import combinations

from cfu_core.errors import RunError
from cfu_core.evaluation.significance import Comparison, compare_pairwise
from cfu_core.runs.run import Run


def preprocessing_pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs on original images, each beside those that differ from it by the preprocessing alone.

    Parameters
    ----------
    runs : sequence of Run

    Returns
    -------
    list of (Run, Run)
        The run on original images first.
    """
    plain = [run for run in runs if run.recipe.kind == "original"]
    treated = [run for run in runs if run.recipe.kind != "original"]
    return [(one, other) for one in plain for other in treated if _protocol(one) == _protocol(other)]


def compare_runs(runs: Sequence[Run], pairs: Sequence[tuple[Run, Run]] | None = None) -> list[Comparison]:
    """Compare two runs at a time that were tested on the same images; Holm's correction goes over all of these.

    Parameters
    ----------
    runs : sequence of Run
        Each once.
    pairs : sequence of (Run, Run), optional
        Of these runs; by default every two. Those tested on other images are left out.

    Returns
    -------
    list of Comparison
        By the identifiers of the runs.

    Raises
    ------
    RunError
        A run has no predictions.
    """
    right = {}
    for run in runs:
        table = run.predictions()
        if table is None:
            raise RunError(f"The run {run.id} has no predictions.", "It has not finished.", "Choose runs that have.")
        right[run.id] = (table["true"] == table["predicted"]).set_axis(table["path"]).sort_index()
    chosen = list(combinations(runs, 2)) if pairs is None else pairs
    same = [(a.id, b.id) for a, b in chosen if right[a.id].index.equals(right[b.id].index)]
    return compare_pairwise({run: hits.to_numpy() for run, hits in right.items()}, same)


def _protocol(run: Run) -> dict[str, object]:
    """All that decides a run but its recipe."""
    return {**run.config.to_dict(), "recipe": None, "version": run.plan.dataset.version}
