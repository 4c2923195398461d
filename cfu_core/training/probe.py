"""A probe: the network is frozen, and only its last layer is fitted to the network's features.

The last layer is a multinomial logistic regression on standardised features with an L2 penalty, fitted by L-BFGS
(scikit-learn). The regularisation strength is the one with the lowest cross-entropy on held-out images. This is the
linear probe that is common for comparing representations. The problem is convex and solved to convergence: there is no
learning rate, no number of epochs and no random seed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

#: Values of scikit-learn's ``C`` that are tried, the inverse of the regularisation strength, in ascending order.
C_VALUES = tuple(float(c) for c in np.logspace(-5, 1, 7))
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Result of one regularisation strength.

    Attributes
    ----------
    c : float
        Inverse of the regularisation strength.
    training_loss, validation_loss : float
        Mean cross-entropy on the images of the fit, and on the held-out images. Infinite if a held-out image belongs to
        a class that does not occur in the images of the fit.
    training_accuracy, validation_accuracy : float
        Fraction of correct predictions on the same images, 0 to 1.
    """

    c: float
    training_loss: float
    training_accuracy: float
    validation_loss: float
    validation_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, for JSON; the key of `c` is ``strength``."""
        fields = asdict(self)
        return {"strength": fields.pop("c"), **fields}


@dataclass(frozen=True, kw_only=True)
class Head:
    """A linear layer on the original, not standardised features.

    Attributes
    ----------
    weight : ndarray of float64, shape (C, F)
        Zero for a class that did not occur in the training labels, and for a feature that is constant in the training
        images.
    bias : ndarray of float64, shape (C,)
        Minus infinity for a class that did not occur in the training labels.
    trials : list of Trial
        One for each of `C_VALUES`, in ascending order of `Trial.c`.
    c : float
        The value of `Trial.c` with which this layer was fitted.
    """

    weight: np.ndarray
    bias: np.ndarray
    trials: list[Trial]
    c: float

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Compute the logits.

        Parameters
        ----------
        features : ndarray of float, shape (N, F)
            Not standardised.

        Returns
        -------
        ndarray of float64, shape (N, C)
            Minus infinity for a class that did not occur in the training labels.
        """
        return features.astype(np.float64) @ self.weight.T + self.bias


def fit_head(
    features: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    classes: int,
    *,
    check_stop: Callable[[], None] = lambda: None,
) -> Head:
    """Fit a head, with the regularisation strength that has the lowest cross-entropy on held-out images.

    Parameters
    ----------
    features : ndarray of float32, shape (N, F)
        Of the images to which the head is fitted; not standardised.
    labels : ndarray of int64, shape (N,)
        Classes of these images, 0 to `classes` - 1. At least two classes must occur.
    held_out : ndarray of float32, shape (M, F)
        Features of the held-out images, at least one.
    held_out_labels : ndarray of int64, shape (M,)
        Classes of the held-out images, 0 to `classes` - 1.
    classes : int
        Number of outputs C of the head.
    check_stop : callable
        Called without arguments before each fit. It may raise `StopRequested`.

    Returns
    -------
    Head
        The head of the best trial, and the results of all trials. If the cross-entropies are equal or all infinite, the
        smallest value of C is chosen, which is the strongest regularisation.

    Raises
    ------
    ValueError
        Fewer than two classes occur in `labels`, or a feature is NaN or infinite.

    Notes
    -----
    Each fit begins with the solution for the value of C before it, and ends after at most 1000 iterations.

    References
    ----------
    S. Kornblith, J. Shlens and Q. V. Le (2019). Do Better ImageNet Models Transfer Better? CVPR.

    D. C. Liu and J. Nocedal (1989). On the limited memory BFGS method for large scale optimization. Mathematical
    Programming 45, 503-528.
    """
    standardised = _Standardised(features)
    trials, heads = [], []
    for weight, bias, c in _regularisation_path(standardised, labels, classes, C_VALUES, check_stop):
        head = Head(weight=weight, bias=bias, trials=[], c=c)
        training_loss, training_accuracy = _loss_and_accuracy(head.logits(features), labels)
        validation_loss, validation_accuracy = _loss_and_accuracy(head.logits(held_out), held_out_labels)
        trial = Trial(
            c=c,
            training_loss=training_loss,
            training_accuracy=training_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
        )
        trials.append(trial)
        heads.append(head)
    best = heads[int(np.argmin([trial.validation_loss for trial in trials]))]
    return Head(weight=best.weight, bias=best.bias, trials=trials, c=best.c)


def cross_validate(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    classes: int,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """Predict each image once, by a head that was not fitted to it.

    For each test fold, the next fold is held out to choose the regularisation strength of a head that is fitted to the
    remaining folds. A head with this strength is then fitted to all folds but the test fold.

    Parameters
    ----------
    features : ndarray of float32, shape (N, F)
        Not standardised.
    labels : ndarray of int64, shape (N,)
        Class of each image, 0 to `classes` - 1.
    folds : ndarray of int64, shape (N,)
        Fold of each image, from 0 to at least 2, from `cfu_core.dataset.group_allocation.stratified_folds`; no fold is
        empty.
    classes : int
        Number of classes.
    progress : callback ``(done, total)``
        Called with the number of finished folds and the number of all folds. It may raise `StopRequested`.

    Returns
    -------
    ndarray of int64, shape (N,)
        Predicted class of each image. A class that does not occur outside the test fold is never predicted in it.

    Raises
    ------
    ValueError
        Fewer than two classes occur in the folds to which a head is fitted, or a feature is NaN or infinite.
    """
    count = int(folds.max()) + 1
    predicted = np.full(len(labels), -1)
    for fold in range(count):
        progress(fold, count)
        tested, held_out = folds == fold, folds == (fold + 1) % count
        fitted = ~tested & ~held_out
        c = fit_head(features[fitted], labels[fitted], features[held_out], labels[held_out], classes).c
        standardised = _Standardised(features[~tested])
        (weight, bias, _), *_ = _regularisation_path(standardised, labels[~tested], classes, (c,), lambda: None)
        predicted[tested] = (features[tested] @ weight.T + bias).argmax(axis=1)
    progress(count, count)
    return predicted


class _Standardised:
    """Standardised features, rotated so that they have no more columns than there are images.

    The solution with an L2 penalty is in the span of the images, so that the rotation loses nothing.
    """

    def __init__(self, features: np.ndarray) -> None:
        x = features.astype(np.float64)
        self.mean, deviation = x.mean(axis=0), x.std(axis=0)
        varies = deviation > 1e-6 * np.abs(x).max(axis=0)  # above the rounding errors of float32
        self.scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
        x = (x - self.mean) * self.scale
        self.rotation: np.ndarray | None = None
        if x.shape[1] > x.shape[0]:
            self.rotation = np.linalg.qr(x.T)[0]
            x = x @ self.rotation
        self.x = x

    def to_original(self, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same linear layer for the original features."""
        original = (weight if self.rotation is None else weight @ self.rotation.T) * self.scale
        return original, bias - original @ self.mean


def _regularisation_path(
    standardised: _Standardised,
    labels: np.ndarray,
    classes: int,
    c_values: Sequence[float],
    check_stop: Callable[[], None],
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Give weight, bias and C for each C; each fit begins with the solution of the one before."""
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    model = LogisticRegression(max_iter=1000, tol=1e-4, warm_start=True)
    for c in c_values:
        check_stop()
        model.set_params(C=c).fit(standardised.x, labels)
        weight, bias = model.coef_, model.intercept_
        if len(present) == 2:  # then scikit-learn has a single output, for the second class
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        all_weight, all_bias = np.zeros((classes, standardised.x.shape[1])), np.full(classes, -np.inf)
        all_weight[present], all_bias[present] = weight, bias
        yield *standardised.to_original(all_weight, all_bias), c


def _loss_and_accuracy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    from scipy.special import log_softmax

    loss = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    return float(loss), float((logits.argmax(axis=1) == labels).mean())
