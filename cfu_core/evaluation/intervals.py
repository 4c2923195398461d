"""How sure a share of correct predictions is, and whether two of them differ."""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 9999


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The second of two ways against the first, on the same images.

    Parameters
    ----------
    difference : float
        Of the accuracies, second minus first.
    low, high : float
        Its 95 % interval, by a percentile bootstrap over images.
    only_first, only_second : int
        Images that one of them alone predicted correctly.
    p : float
        Two-sided exact McNemar test of these two numbers.
    """

    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    p: float


def wilson(correct: int, images: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy, by Wilson's score."""
    from scipy.stats import binomtest  # late: pages read what was computed, and need not wait for SciPy

    interval = binomtest(correct, images).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def compare(first: np.ndarray, second: np.ndarray) -> Paired:
    """Compare two ways.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Which images each of them predicted correctly, in the same order.
    """
    from scipy.stats import binomtest, bootstrap

    differences = second.astype(int) - first.astype(int)
    found = bootstrap(
        (differences,), np.mean, n_resamples=RESAMPLES, method="percentile", confidence_level=LEVEL, rng=0, batch=999
    )
    only_first, only_second = int((differences < 0).sum()), int((differences > 0).sum())
    apart = only_first + only_second
    return Paired(
        difference=float(differences.mean()),
        low=float(found.confidence_interval.low),
        high=float(found.confidence_interval.high),
        only_first=only_first,
        only_second=only_second,
        p=float(binomtest(only_first, apart).pvalue) if apart else 1.0,
    )
