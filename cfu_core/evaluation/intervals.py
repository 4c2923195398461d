"""How sure a figure is, and whether two shares of correct predictions differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cfu_core.evaluation.summary_metrics import confusions_of, figures_of

LEVEL = 0.95
RESAMPLES = 9999
UNDEFINED = 2.0  # stands for NaN where SciPy would warn of it; no figure exceeds 1


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
    """The 95 % interval of a share of images, an accuracy or a recall, by Wilson's score.

    Raises
    ------
    ValueError
        There is no image.
    """
    from scipy.stats import binomtest  # late: pages read what was computed, and need not wait for SciPy

    interval = binomtest(correct, images).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrapped(
    confusion: Sequence[Sequence[int]] | np.ndarray, names: Sequence[str], *, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """The 95 % intervals of figures, by a percentile bootstrap over the images.

    Parameters
    ----------
    confusion : array of int, shape (C, C)
    names : sequence of str
        Fields of `cfu_core.evaluation.summary_metrics.Figures`. A resample in which a figure is undefined does not
        count.
    resamples : int

    Returns
    -------
    dict of str to (float, float)
        NaN where a figure is undefined in every resample.
    """
    from scipy.stats import bootstrap

    counts = np.asarray(confusion)
    true, predicted = (places.repeat(counts.ravel()) for places in np.indices(counts.shape).reshape(2, -1))

    def statistic(true: np.ndarray, predicted: np.ndarray, axis: int) -> Any:
        assert axis in (-1, true.ndim - 1)
        values = figures_of(confusions_of(true, predicted, len(counts)))
        return np.nan_to_num(np.stack([values[name] for name in names]), nan=UNDEFINED)

    found = bootstrap(
        (true, predicted),
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        method="percentile",
        confidence_level=LEVEL,
        rng=0,
        batch=999,
    )
    intervals = {}
    for name, values in zip(names, found.bootstrap_distribution, strict=True):
        defined = values[values != UNDEFINED]
        tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
        low, high = np.percentile(defined, tails) if len(defined) else (np.nan, np.nan)
        intervals[name] = (float(low), float(high))
    return intervals


def compare(first: np.ndarray, second: np.ndarray) -> Paired:
    """Compare two ways.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Which images each of them predicted correctly, in the same order.
    """
    return _compared((second.astype(np.int8) - first.astype(np.int8)).tobytes())


@lru_cache(maxsize=4096)  # whoever looks at many comparisons looks at most of them again and again
def _compared(content: bytes) -> Paired:
    """Of +1 where the second alone was right, -1 where the first alone was, an int8 for each image."""
    from scipy.stats import binomtest, bootstrap

    differences = np.frombuffer(content, np.int8).astype(int)
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
