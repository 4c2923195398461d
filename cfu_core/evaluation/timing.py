"""Time of runs by phase, and the additional time due to preprocessing."""

from collections.abc import Mapping, Sequence

from cfu_core.evaluation.paper_tables import DISPLAYED_PHASES, RunResult, other_seconds
from cfu_core.wording import plural


def seconds_by_phase(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of a run by phase.

    Parameters
    ----------
    seconds : mapping of str to float
        Seconds of a run by phase, and their ``total``, as in ``timing.json``.

    Returns
    -------
    dict of str to float
        Seconds of each of `DISPLAYED_PHASES` (0 for a phase that is not in `seconds`), and ``other``: the rest of the
        total, at least 0; 0 without a total.
    """
    spent = {name: seconds.get(name, 0.0) for name in DISPLAYED_PHASES}
    return spent | {"other": max(0.0, other_seconds(seconds) or 0.0)}


def preprocessing_cost(results: Sequence[RunResult]) -> str:
    """Compare the time of runs with and without preprocessing in a few sentences.

    Each run on original images is paired with each run on preprocessed images (`RunResult.recipe_kind`
    ``preprocessed``) that has the same network, dataset, mode, initial weights, seed, epochs and other settings. The
    times of all pairs are added up, so a run in several pairs counts several times. Pairs without times are ignored.

    Parameters
    ----------
    results : sequence of RunResult
        Runs in any order.

    Returns
    -------
    str
        Total seconds with and without preprocessing, their ratio, and the part of the difference that is due to
        decoding and preprocessing; also the number of runs whose images had been prepared before. Empty if no pair
        has times.
    """
    pairs = [
        (plain, treated)
        for plain in results
        for treated in results
        if plain.recipe_kind == "original" and treated.recipe_kind == "preprocessed" and _same_settings(plain, treated)
    ]
    pairs = [(a, b) for a, b in pairs if a.seconds and b.seconds]
    if not pairs:
        return ""
    plain, treated = (sum(pair[side].seconds["total"] for pair in pairs) for side in (0, 1))
    difference = treated - plain
    runs = plural(len(pairs), "run")
    sentences = (
        f"With preprocessing {runs} took {treated:.1f} s; without, {runs} took {plain:.1f} s. That is "
        f"{treated / plain:.2f} times as long. "
    )
    prepared = sum(_preparation(b) - _preparation(a) for a, b in pairs)
    sentences += (
        f"Of the difference of {difference:+.1f} s, {prepared:+.1f} s are decoding and preprocessing, and "
        f"{difference - prepared:+.1f} s everything else."
    )
    reused = sum(result.cache_reused for pair in pairs for result in pair)
    if reused:
        sentences += f" In {reused} of these {2 * len(pairs)} runs the images had been prepared before."
    return sentences


def _same_settings(one: RunResult, other: RunResult) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("architecture", "dataset", "mode", "weights", "seed", "epochs", "settings")
    )


def _preparation(result: RunResult) -> float:
    spent = seconds_by_phase(result.seconds)
    return spent["decode"] + spent["preprocess"]
