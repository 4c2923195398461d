"""Whether runs differ, judged on the same test images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cfu_core.evaluation.intervals import LEVEL, Paired, compare


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The second of two runs against the first.

    Parameters
    ----------
    first, second : str
    n_images : int
        That both were tested on.
    paired : Paired
        The difference with its interval, and the exact McNemar test.
    p_holm : float
        The test's p by Holm (1979), for all comparisons that are shown together.
    """

    first: str
    second: str
    n_images: int
    paired: Paired
    p_holm: float

    @property
    def verdict(self) -> str:
        """In plain language, which of them is better, and whether that could be chance."""
        net = self.paired.only_second - self.paired.only_first
        if not self.paired.only_first and not self.paired.only_second:
            return f"The same on each of the {self.n_images} images."
        p = f"p = {self.p_holm:.2g}" if self.p_holm >= 0.001 else "p < 0.001"
        if net == 0:
            return f"As many right of {self.n_images} images, not always the same ones."
        images = "1 image" if abs(net) == 1 else f"{abs(net)} images"
        which = "better" if net > 0 else "worse"
        judged = "this could be chance" if self.p_holm >= 1 - LEVEL else "this is hardly chance"
        return f"{images} {which} of {self.n_images}; {judged}: {p}."


def compare_all(correct: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]] | None = None) -> list[Comparison]:
    """Compare runs two by two, with Holm's correction over these comparisons.

    Parameters
    ----------
    correct : mapping of str to ndarray of bool, shape (N,)
        By run, which of the same images it predicted correctly, in the same order.
    pairs : sequence of (str, str), optional
        By default each with each.
    """
    from statsmodels.stats.multitest import multipletests  # late: it takes a second

    chosen = list(combinations(correct, 2)) if pairs is None else list(pairs)
    if not chosen:
        return []
    found = [compare(correct[first], correct[second]) for first, second in chosen]
    corrected = multipletests([paired.p for paired in found], method="holm")[1]
    return [
        Comparison(first=first, second=second, n_images=len(correct[first]), paired=paired, p_holm=float(p))
        for (first, second), paired, p in zip(chosen, found, corrected, strict=True)
    ]
