"""Where the time of runs went, and what preprocessing had to do with it."""

from collections.abc import Sequence

from cfu_core.evaluation.paper_tables import SECONDS, RunResult, other_seconds


def phases(result: RunResult) -> dict[str, float]:
    """Seconds of a run by phase, adding up to its whole time; what no phase claims is ``Other``."""
    spent = {name.capitalize(): result.seconds.get(name, 0.0) for name in SECONDS}
    return spent | {"Other": max(0.0, other_seconds(result.seconds) or 0.0)}


def finding(results: Sequence[RunResult]) -> str:
    """What preprocessed images cost against original ones, in a sentence counted from these runs.

    Parameters
    ----------
    results : sequence of RunResult
        Each run on original images is put beside those on preprocessed ones that share its network, dataset, mode,
        first weights, seed, epochs and other settings.

    Returns
    -------
    str
        Empty where there is no such pair.
    """
    pairs = [
        (plain, treated)
        for plain in results
        for treated in results
        if plain.recipe_kind == "original" and treated.recipe_kind == "preprocessed" and _alike(plain, treated)
    ]
    pairs = [(a, b) for a, b in pairs if a.seconds and b.seconds]
    if not pairs:
        return ""
    plain, treated = (sum(pair[side].seconds["total"] for pair in pairs) for side in (0, 1))
    more = treated - plain
    many = f"Over {len(pairs)} pairs of runs" if len(pairs) > 1 else "In the one pair of runs"
    said = (
        f"{many} those on preprocessed images took {treated:.1f} s and those on original ones {plain:.1f} s, "
        f"{treated / plain:.2f} times as long. "
    )
    prepared = sum(_preparing(b) - _preparing(a) for a, b in pairs)
    said += (
        f"The difference of {more:+.1f} s: {prepared:+.1f} s of decoding and preprocessing, "
        f"{more - prepared:+.1f} s of everything else."
    )
    reused = sum(result.cache_reused for pair in pairs for result in pair)
    if reused:
        said += f" In {reused} of the {2 * len(pairs)} runs the images had been prepared by an earlier run."
    return said


def _alike(one: RunResult, other: RunResult) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("architecture", "dataset", "mode", "weights", "seed", "epochs", "settings")
    )


def _preparing(result: RunResult) -> float:
    spent = phases(result)
    return spent["Decode"] + spent["Preprocess"]
