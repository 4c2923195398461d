"""Many numbers an image to two: a map on which similar images lie close together."""

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

COMPONENTS = 50  # principal components that t-SNE is given
LEAST = 10  # images below which neighbourhoods mean nothing
LARGEST = 100_000  # images that t-SNE places among each other; more are placed among these
PERPLEXITY = 30.0
SEED = 0
_EARLY, _LATE, _ADDING = 250, 500, 250  # iterations of openTSNE: exaggerated, plain, and when images are added
_EVERY = 10  # iterations between two reports
_FEW = 2000
_AT_ONCE = 4000  # images added to a map in one go


def place(
    features: np.ndarray, *, progress: Callable[[int, int], None] = lambda done, total: None, largest: int = LARGEST
) -> tuple[np.ndarray, str]:
    """Coordinates on a map: features standardised, then principal components, then t-SNE.

    t-SNE is that of openTSNE (Poličar et al. 2024, doi:10.18637/jss.v109.i03) with its defaults, begun from the first
    two principal components (Kobak and Berens 2019, doi:10.1038/s41467-019-13056-x). The same features give the
    same map on the same machine.

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
        Finite. Features that are the same in all images do not count.
    progress : callable
        Called with steps done and in all. What it raises ends the work, within about a second.
    largest : int
        Of more images, as many are chosen at random for t-SNE, and the others are placed among them.

    Returns
    -------
    ndarray of float32, shape (N, 2)
        Without unit; only who lies beside whom has a meaning.
    str
        How it was made, for people.
    """
    components = principal_components(features, COMPONENTS)
    if len(features) < LEAST or not components.any():
        return components[:, :2].astype(np.float32), "drawn along the two main directions in which they differ (PCA)"
    if len(features) <= largest:
        return _tsne(components, progress)[:, :2].astype(np.float32), "projected by t-SNE (openTSNE)"
    chosen = np.zeros(len(features), bool)
    chosen[np.random.default_rng(SEED).choice(len(features), largest, replace=False)] = True
    found = _tsne_and_rest(components, chosen, progress)
    return found, f"projected by t-SNE (openTSNE) of {largest:,} images chosen at random, the others placed among them"


def principal_components(features: np.ndarray, count: int) -> np.ndarray:
    """The first principal components of standardised features.

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
    count : int
        How many at most; there are never more than features that differ, and always two or more.

    Returns
    -------
    ndarray of float32, shape (N, 2..count)
        Sorted by variance, the sign such that the same features always give the same; 0 where there are too few.
    """
    if not len(features):
        return np.zeros((0, 2), np.float32)
    mean = features.mean(axis=0, dtype=np.float64)
    spread = features.std(axis=0, dtype=np.float64)
    varies = spread > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    if not varies.any():
        return np.zeros((len(features), 2), np.float32)
    standard = features[:, varies].astype(np.float32)
    standard -= mean[varies].astype(np.float32)
    standard /= spread[varies].astype(np.float32)
    covariance = standard.T @ standard / np.float32(len(standard))
    variance, axes = np.linalg.eigh(covariance.astype(np.float64))
    axes = axes[:, np.argsort(-variance, kind="stable")[: min(count, len(features))]]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    found = standard @ axes.astype(np.float32)
    return np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1]))))


def _tsne_and_rest(components: np.ndarray, chosen: np.ndarray, progress: Callable[[int, int], None]) -> np.ndarray:
    rest = np.flatnonzero(~chosen)
    chunks = np.array_split(rest, -(-len(rest) // _AT_ONCE))
    embedding = _tsne(components[chosen], progress, steps=_EARLY + _LATE + _ADDING * len(chunks))
    found = np.empty((len(components), 2), np.float32)
    for rows in chunks:
        found[rows] = embedding.transform(components[rows], n_iter=_ADDING)
    found[chosen] = embedding  # last: the first transform moves its centre
    return found


def _tsne(components: np.ndarray, progress: Callable[[int, int], None], *, steps: int = _EARLY + _LATE) -> Any:
    """An `openTSNE.TSNEEmbedding` of components (N, D): an array (N, 2) that reports when it is added to as well."""
    from openTSNE import TSNE  # late: it brings scikit-learn along, and pages import what lies above
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.initialization import rescale

    # a few images are placed sooner by one thread than by several that wait for each other
    threads = (os.cpu_count() or 1) if len(components) > _FEW else 1
    perplexity = min(PERPLEXITY, (len(components) - 1) / 3)
    done = 0

    def report(_iteration: int, _error: float, _embedding: np.ndarray) -> None:
        nonlocal done
        done += _EVERY
        progress(done, steps)

    neighbours = _interruptible(
        lambda: PerplexityBasedNN(components, perplexity, n_jobs=threads, random_state=SEED),
        lambda: progress(0, steps),
    )
    tsne = TSNE(
        early_exaggeration_iter=_EARLY,
        n_iter=_LATE,
        n_jobs=threads,
        random_state=SEED,
        callbacks=report,
        callbacks_every_iters=_EVERY,
    )
    return tsne.fit(affinities=neighbours, initialization=rescale(components[:, :2].astype(np.float64)))


def _interruptible(work: Callable[[], Any], check: Callable[[], None]) -> Any:
    """The result of `work`, done in a thread, so that `check` can end the wait for it by raising."""
    results: list[Any] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - it is raised again below, where it is waited for
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)  # one that nobody waits for does not hold up the process
    thread.start()
    check()  # once at least, however quick the work is
    while thread.is_alive():
        thread.join(0.25)
        check()
    if failures:
        raise failures.pop()
    return results.pop()
