"""Pairwise comparisons of runs on the same test images, corrected for the number of comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from cfu_core.evaluation.intervals import LEVEL, PairedComparison, compare_paired


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Comparison of a second run with a first run.

    Attributes
    ----------
    first, second : str
        Identifiers of the runs.
    n_images : int
        Number of images on which both runs were tested.
    paired : PairedComparison
        Difference of the accuracies with its interval, and the exact McNemar test.
    n_comparisons : int
        Number of comparisons for which the p-value is adjusted.
    p_adjusted : float
        p-value of the McNemar test, adjusted by Holm's method; equal to ``paired.p`` for a single comparison.
    """

    first: str
    second: str
    n_images: int
    paired: PairedComparison
    n_comparisons: int
    p_adjusted: float

    @property
    def verdict(self) -> str:
        """A sentence that says which run is better, and whether chance can explain the difference.

        "Unlikely to be chance" stands for an adjusted p-value below 0.05.
        """
        net = self.paired.only_second - self.paired.only_first
        if not self.paired.only_first and not self.paired.only_second:
            return f"No difference: both are right on the same images (of {self.n_images:,})."
        if net == 0:
            return f"As many right as the first, but not on the same images (of {self.n_images:,})."
        p = "p < 0.001" if self.p_adjusted < 0.001 else f"p {_rounded(self.p_adjusted)}"
        more = "more" if net > 0 else "fewer"
        judgement = "not enough to rule out chance" if self.p_adjusted >= 1 - LEVEL else "unlikely to be chance"
        adjusted = "adjusted " if self.n_comparisons > 1 else ""
        return f"{abs(net):,} of {self.n_images:,} {more} right than the first: {judgement} ({adjusted}{p})."

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON values.

        Returns
        -------
        dict
            Keys ``first``, ``second``, ``images`` (`n_images`), ``paired`` (a dict with the fields of
            `PairedComparison`), ``p_holm`` (`p_adjusted`) and ``verdict``. `n_comparisons` is omitted.
        """
        return {
            "first": self.first,
            "second": self.second,
            "images": self.n_images,
            "paired": asdict(self.paired),
            "p_holm": self.p_adjusted,
            "verdict": self.verdict,
        }


def _rounded(p: float) -> str:
    return "1.0" if p >= 0.995 else f"{p:.2g}"


def compare_pairwise(
    correct: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]] | None = None
) -> list[Comparison]:
    """Compare runs pairwise, and adjust the p-values for the number of comparisons by Holm's method.

    Parameters
    ----------
    correct : mapping of str to ndarray of bool, shape (N,)
        Whether each image was classified correctly, by identifier of the run. Both runs of a pair need the same images
        in the same order, at least two.
    pairs : sequence of (str, str), optional
        Identifiers of the runs to compare, first and second; by default all pairs, in the order of `correct`.

    Returns
    -------
    list of Comparison
        In the order of `pairs`; empty if there is no pair.

    Raises
    ------
    ValueError
        A pair has fewer than two images, or its arrays differ in length.
    KeyError
        A run of `pairs` is not in `correct`.

    References
    ----------
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6,
    pp. 65-70, 1979.
    """
    from statsmodels.stats.multitest import multipletests  # imported here because it takes a second

    chosen = list(combinations(correct, 2)) if pairs is None else list(pairs)
    if not chosen:
        return []
    found = [compare_paired(correct[first], correct[second]) for first, second in chosen]
    adjusted = multipletests([paired.p for paired in found], method="holm")[1]
    return [
        Comparison(
            first=first,
            second=second,
            n_images=len(correct[first]),
            paired=paired,
            n_comparisons=len(chosen),
            p_adjusted=float(p),
        )
        for (first, second), paired, p in zip(chosen, found, adjusted, strict=True)
    ]
