"""Confidence intervals of metrics, and the paired comparison of two sets of predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cfu_core.evaluation.summary_metrics import confusion_matrices, summarize_many

LEVEL = 0.95
RESAMPLES = 9999
UNDEFINED = 2.0  # replaces NaN, of which SciPy would warn; no metric exceeds 1


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Comparison of two sets of predictions for the same images.

    Attributes
    ----------
    difference : float
        Difference of the accuracies, second minus first, from -1 to 1.
    low, high : float
        95 % interval of the difference, by a percentile bootstrap over images (9999 resamples, fixed seed).
    only_first, only_second : int
        Number of images that are classified correctly only in the first set, and only in the second set.
    p : float
        p-value of the two-sided exact McNemar test; 1 if both sets are correct on the same images.
    """

    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    p: float


def wilson_interval(correct: int, n_images: int) -> tuple[float, float]:
    """Compute the 95 % Wilson score interval of a proportion such as an accuracy or a recall.

    Parameters
    ----------
    correct : int
        Number of successes, for example of correctly classified images.
    n_images : int
        Number of trials.

    Returns
    -------
    tuple of (float, float)
        Lower and upper bound, from 0 to 1.

    Raises
    ------
    ValueError
        `n_images` is less than 1, or `correct` is negative or greater than `n_images`.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
    Statistical Association 22, pp. 209-212, 1927.
    """
    from scipy.stats import binomtest  # imported here because SciPy is slow, and most pages read saved results

    interval = binomtest(correct, n_images).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_intervals(
    confusion: Sequence[Sequence[int]] | np.ndarray, names: Sequence[str], *, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float]]:
    """Compute 95 % intervals of summary metrics by a percentile bootstrap over the images.

    Parameters
    ----------
    confusion : array_like of int, shape (C, C)
        Confusion matrix: rows true, columns predicted.
    names : sequence of str
        Names of one or more metrics: fields of `cfu_core.evaluation.summary_metrics.SummaryMetrics`.
    resamples : int
        Number of resamples, at least 1, drawn with a fixed seed. Resamples in which a metric is undefined are ignored
        for this metric.

    Returns
    -------
    dict of str to (float, float)
        Lower and upper bound by name of the metric; NaN if the metric is undefined in every resample, or if the matrix
        has fewer than two images.

    Raises
    ------
    ValueError
        `names` is empty, or `resamples` is less than 1.
    KeyError
        A name is not the name of a metric.

    References
    ----------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.
    """
    from scipy.stats import bootstrap

    counts = np.asarray(confusion)
    if counts.sum() < 2:
        return dict.fromkeys(names, (np.nan, np.nan))
    true, predicted = (indices.repeat(counts.ravel()) for indices in np.indices(counts.shape).reshape(2, -1))

    def statistic(true: np.ndarray, predicted: np.ndarray, axis: int) -> Any:
        assert axis in (-1, true.ndim - 1)
        values = summarize_many(confusion_matrices(true, predicted, len(counts)))
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


def compare_paired(first: np.ndarray, second: np.ndarray) -> PairedComparison:
    """Compare two sets of predictions for the same images: difference of accuracies, its interval, and McNemar test.

    Parameters
    ----------
    first, second : ndarray of bool, shape (N,)
        Whether each image is classified correctly in the first and in the second set; the same images in the same
        order, at least two.

    Raises
    ------
    ValueError
        There are fewer than two images, or `first` and `second` differ in length.

    References
    ----------
    .. [1] Q. McNemar, "Note on the Sampling Error of the Difference between Correlated Proportions or Percentages",
       Psychometrika 12, pp. 153-157, 1947; here with the exact binomial distribution.
    .. [2] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.
    """
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} images")
    return _compare_differences((second.astype(np.int8) - first.astype(np.int8)).tobytes())


@lru_cache(maxsize=4096)  # a page shows the same comparisons again at each interaction
def _compare_differences(content: bytes) -> PairedComparison:
    """Compare from an int8 per image: +1 if only the second set is correct, -1 if only the first, else 0."""
    from scipy.stats import binomtest, bootstrap

    differences = np.frombuffer(content, np.int8).astype(int)
    found = bootstrap(
        (differences,), np.mean, n_resamples=RESAMPLES, method="percentile", confidence_level=LEVEL, rng=0, batch=999
    )
    only_first, only_second = int((differences < 0).sum()), int((differences > 0).sum())
    discordant = only_first + only_second
    return PairedComparison(
        difference=float(differences.mean()),
        low=float(found.confidence_interval.low),
        high=float(found.confidence_interval.high),
        only_first=only_first,
        only_second=only_second,
        p=float(binomtest(only_first, discordant).pvalue) if discordant else 1.0,
    )
