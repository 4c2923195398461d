"""A probe: the head alone learns, from features that stay as they are. A convex problem, solved to its end.

The head is a multinomial logistic regression on standardised features with an L2 penalty, fitted by L-BFGS
(scikit-learn), whose strength is the one with the lowest cross-entropy on images that it did not learn from: the
linear probe that is usual for comparing representations (Kornblith et al. 2019, "Do Better ImageNet Models Transfer
Better?"). No learning rate, no number of epochs and no chance is in it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

#: Inverse strengths of the penalty that are tried, as scikit-learn's ``C``, from the strongest on.
STRENGTHS = tuple(float(c) for c in np.logspace(-5, 1, 7))
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How one strength of the penalty did."""

    strength: float
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, kw_only=True)
class Head:
    """A linear layer of features as they come.

    Parameters
    ----------
    weight : ndarray of float64, shape (C, F)
    bias : ndarray of float64, shape (C,)
    trials : list of Trial
        In the order in which they were made; empty where only one strength was to be had.
    strength : float
        The one that was taken.
    """

    weight: np.ndarray
    bias: np.ndarray
    trials: list[Trial]
    strength: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Shape (N, C), of features of shape (N, F)."""
        return features.astype(np.float64) @ self.weight.T + self.bias


def fit_head(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    classes: int,
    *,
    between: Callable[[], None] = lambda: None,
) -> Head:
    """Fit a head on some images, with the penalty that does best on others.

    Parameters
    ----------
    features : ndarray of float32, shape (N, F)
    labels : ndarray of int64, shape (N,)
        From 0 to `classes` - 1.
    held_out, held_out_labels : ndarray
        The same of the images that choose.
    classes : int
    between : callable
        Called before each strength; may raise `StopRequested`.
    """
    basis = _Basis(features)
    trials, heads = [], []
    for weight, bias, strength in _path(basis, labels, classes, STRENGTHS, between):
        head = Head(weight=weight, bias=bias, trials=[], strength=strength)
        figures = [
            figure
            for x, y in ((features, labels), (held_out, held_out_labels))
            for figure in _loss_and_accuracy(head.logits(x), y)
        ]
        names = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")
        trials.append(Trial(strength=strength, **dict(zip(names, figures, strict=True))))
        heads.append(head)
    best = int(np.argmin([trial.validation_loss for trial in trials]))
    return Head(weight=heads[best].weight, bias=heads[best].bias, trials=trials, strength=heads[best].strength)


def cross_validate(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    classes: int,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """What heads say of images that they have not learned from: each image is predicted once.

    For each fold, the one after it chooses the penalty, and the rest is learned from; then both are learned from.

    Parameters
    ----------
    features : ndarray of float32, shape (N, F)
    labels : ndarray of int64, shape (N,)
    folds : ndarray of int64, shape (N,)
        The fold of each image, from `cfu_core.dataset.group_allocation.folds_of`.
    classes : int
    progress : callable
        Called with folds done and in all; may raise `StopRequested`.

    Returns
    -------
    ndarray of int64, shape (N,)
    """
    count = int(folds.max()) + 1
    predicted = np.full(len(labels), -1)
    for fold in range(count):
        progress(fold, count)
        tested, choosing = folds == fold, folds == (fold + 1) % count
        fitted = ~tested & ~choosing
        chosen = fit_head(features[fitted], labels[fitted], features[choosing], labels[choosing], classes).strength
        whole = _Basis(features[~tested])
        (weight, bias, _), *_ = _path(whole, labels[~tested], classes, (chosen,), lambda: None)
        predicted[tested] = (features[tested] @ weight.T + bias).argmax(axis=1)
    progress(count, count)
    return predicted


class _Basis:
    """Features, standardised and turned so that they have no more columns than there are images.

    The penalised solution lies in the span of the images, so that nothing is lost by it.
    """

    def __init__(self, features: np.ndarray) -> None:
        x = features.astype(np.float64)
        self.mean, spread = x.mean(axis=0), x.std(axis=0)
        varies = spread > 1e-6 * np.abs(x).max(axis=0)  # beyond what rounding of float32 leaves
        self.scale = np.divide(1, spread, out=np.zeros_like(spread), where=varies)
        x = (x - self.mean) * self.scale
        self.turn: np.ndarray | None = None
        if x.shape[1] > x.shape[0]:
            self.turn = np.linalg.qr(x.T)[0]
            x = x @ self.turn
        self.x = x

    def back(self, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same linear layer, of features as they come."""
        plain = (weight if self.turn is None else weight @ self.turn.T) * self.scale
        return plain, bias - plain @ self.mean


def _path(
    basis: _Basis, labels: np.ndarray, classes: int, strengths: Sequence[float], between: Callable[[], None]
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Solutions for growing C, each begun from the one before."""
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    model = LogisticRegression(max_iter=1000, tol=1e-4, warm_start=True)
    for strength in strengths:
        between()
        model.set_params(C=strength).fit(basis.x, labels)
        weight, bias = model.coef_, model.intercept_
        if len(present) == 2:  # scikit-learn then has one output, for the second class
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        all_weight, all_bias = np.zeros((classes, basis.x.shape[1])), np.full(classes, -np.inf)
        all_weight[present], all_bias[present] = weight, bias
        yield *basis.back(all_weight, all_bias), strength


def _loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    from scipy.special import log_softmax

    loss = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    return float(loss), float((logits.argmax(axis=1) == labels).mean())
