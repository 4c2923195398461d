"""Embedding of feature vectors in two dimensions: a map on which similar images are close to each other."""

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

COMPONENTS = 50  # principal components that t-SNE receives
MIN_IMAGES = 10  # with fewer images, t-SNE has no meaningful neighbourhoods
MAX_TSNE_IMAGES = 100_000  # of more images, the others are added to the finished map
PERPLEXITY = 30.0
SEED = 0
_EXAGGERATED = 120  # iterations of early exaggeration
_PLAIN, _PLAIN_OF_MANY, _ADDING = 250, 500, 250  # further iterations: up to `_MANY` images, more, added images
_MANY = 20_000  # images; of 7,280, more iterations preserve no more neighbours
_REPORT_EVERY = 10  # iterations
_MAX_SINGLE_THREADED = 2000  # images that one thread embeds faster than several threads, which wait for each other
_CHUNK = 4000  # images added to a map together


def embed(
    features: np.ndarray,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    max_tsne_images: int = MAX_TSNE_IMAGES,
) -> tuple[np.ndarray, str]:
    """Embed feature vectors in two dimensions: standardisation, principal components, then t-SNE.

    The same features give the same map on the same computer.

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
        One row per image; all values are finite. Constant features are ignored.
    progress : callable
        Callback ``(done, total)`` with numbers of steps, called during t-SNE only: a few times a second before the
        first step, then every ten steps. An exception that it raises ends the work.
    max_tsne_images : int
        Maximum number of images for t-SNE. If there are more, this number is chosen at random, and the remaining images
        are added to the finished map.

    Returns
    -------
    coordinates : ndarray of float32, shape (N, 2)
        Coordinates without a unit, in the order of the rows. Neighbourhoods are meaningful; directions and large
        distances are not. For fewer than 10 images they are the first two principal components. If all images have
        equal features, they are 0.
    method : str
        Description of the method for users, as the end of a sentence.

    Notes
    -----
    t-SNE is computed by openTSNE [1]_ with a perplexity of 30, but at most (N - 1) / 3, and otherwise its
    defaults but for the number of iterations, which is half of the default for up to 20,000 images [3]_. It receives 50
    principal components and is initialised with the first two [2]_.

    References
    ----------
    .. [1] P. G. Poličar, M. Stražar, B. Zupan, "openTSNE: A Modular Python Library for t-SNE Dimensionality Reduction
       and Embedding", Journal of Statistical Software 109 (2024), doi:10.18637/jss.v109.i03
    .. [2] D. Kobak, P. Berens, "The art of using t-SNE for single-cell transcriptomics", Nature Communications 10
       (2019) 5416, doi:10.1038/s41467-019-13056-x
    .. [3] A. C. Belkina et al., "Automated optimized parameters for T-distributed stochastic neighbor embedding improve
       visualization and analysis of large datasets", Nature Communications 10 (2019) 5415,
       doi:10.1038/s41467-019-13055-y
    """
    components = principal_components(features, COMPONENTS)
    if len(features) < MIN_IMAGES or not components.any():
        return components[:, :2].astype(np.float32), "projected on the first two principal components (PCA)"
    if len(features) <= max_tsne_images:
        return _tsne(components, progress)[:, :2].astype(np.float32), "projected by t-SNE (openTSNE)"
    chosen = np.zeros(len(features), bool)
    chosen[np.random.default_rng(SEED).choice(len(features), max_tsne_images, replace=False)] = True
    coordinates = _tsne_of_chosen(components, chosen, progress)
    return (
        coordinates,
        f"projected by t-SNE (openTSNE) of {max_tsne_images:,} images chosen at random, the others added afterwards",
    )


def principal_components(features: np.ndarray, count: int) -> np.ndarray:
    """Project standardised features on their first principal components.

    Parameters
    ----------
    features : ndarray of float, shape (N, F)
        One row per image. Constant features are ignored.
    count : int
        Maximum number of components, 2 or more.

    Returns
    -------
    ndarray of float32, shape (N, K)
        One column per component, by decreasing variance. There are as many components as `count`, N or the number of
        features that vary, whichever is smallest; columns of 0 are added if these are fewer than two. The signs are
        deterministic: the loading with the largest absolute value is positive.
    """
    if not len(features):
        return np.zeros((0, 2), np.float32)
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    if not varies.any():
        return np.zeros((len(features), 2), np.float32)
    from sklearn.decomposition import PCA  # late: pages import this module

    standardised = features[:, varies].astype(np.float32)
    standardised -= mean[varies].astype(np.float32)
    standardised /= deviation[varies].astype(np.float32)
    pca = PCA(min(count, *standardised.shape), svd_solver="covariance_eigh")  # deterministic, fast for many images
    projected = pca.fit_transform(standardised)
    return np.pad(projected, ((0, 0), (0, max(0, 2 - projected.shape[1]))))


def _tsne_of_chosen(components: np.ndarray, chosen: np.ndarray, progress: Callable[[int, int], None]) -> np.ndarray:
    """Embed the chosen rows, then add the others in chunks."""
    others = np.flatnonzero(~chosen)
    chunks = np.array_split(others, -(-len(others) // _CHUNK))
    embedding = _tsne(components[chosen], progress, added=_ADDING * len(chunks))
    coordinates = np.empty((len(components), 2), np.float32)
    for rows in chunks:
        coordinates[rows] = embedding.transform(components[rows], n_iter=_ADDING)
    coordinates[chosen] = embedding  # last: the first transform moves its centre
    return coordinates


def _tsne(components: np.ndarray, progress: Callable[[int, int], None], *, added: int = 0) -> Any:
    """Return the `openTSNE.TSNEEmbedding` (N, 2) of components (N, D).

    It also reports progress when rows are added later, in `added` iterations.
    """
    from openTSNE import TSNE  # late: it imports scikit-learn, and pages import this module
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.initialization import rescale

    threads = (os.cpu_count() or 1) if len(components) > _MAX_SINGLE_THREADED else 1
    plain = _PLAIN if len(components) <= _MANY else _PLAIN_OF_MANY
    steps = _EXAGGERATED + plain + added
    perplexity = min(PERPLEXITY, (len(components) - 1) / 3)
    done = 0

    def report(_iteration: int, _error: float, _embedding: np.ndarray) -> None:
        nonlocal done
        done += _REPORT_EVERY
        progress(done, steps)

    affinities = _interruptible(
        lambda: PerplexityBasedNN(components, perplexity, n_jobs=threads, random_state=SEED),
        lambda: progress(0, steps),
    )
    tsne = TSNE(
        early_exaggeration_iter=_EXAGGERATED,
        n_iter=plain,
        n_jobs=threads,
        random_state=SEED,
        callbacks=report,
        callbacks_every_iters=_REPORT_EVERY,
    )
    return tsne.fit(affinities=affinities, initialization=rescale(components[:, :2].astype(np.float64)))


def _interruptible(function: Callable[[], Any], check: Callable[[], None]) -> Any:
    """Return the result of a function that runs in a thread; an exception of `check` ends the wait for it."""
    results: list[Any] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001 - raised again below, in the waiting thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)  # an abandoned thread must not keep the process alive
    thread.start()
    check()  # at least once, however fast the function is
    while thread.is_alive():
        thread.join(0.25)
        check()
    if errors:
        raise errors.pop()
    return results.pop()
