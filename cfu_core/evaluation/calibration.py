"""Calibration of a network: whether its confidence matches its accuracy.

The confidence of a prediction is the probability of the predicted class.
"""

from dataclasses import dataclass

import numpy as np

BINS = 10
MINIMUM_PROBABILITY = 1e-12  # lower bound before a logarithm is taken
TEMPERATURES = (0.05, 20.0)  # lower and upper bound of the fitted temperature


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Confidence and accuracy in `BINS` bins of confidence of equal width, from 0 to 1.

    Attributes
    ----------
    n_images : ndarray of int, shape (BINS,)
        Number of images in each bin. A bin includes its upper limit, not its lower one; the first bin includes 0.
    confidence, accuracy : ndarray of float64, shape (BINS,)
        Mean confidence, and fraction of correct predictions, of the images of each bin; NaN for an empty bin.
    expected_error : float
        Expected calibration error: the mean absolute difference of confidence and accuracy over the bins, weighted by
        the number of images. NaN if there is no image.
    """

    n_images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    expected_error: float


def reliability(true: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Compute a reliability diagram and the expected calibration error.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
        Indices of the true classes.
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities. Of several classes with the highest probability, the first is the predicted one.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", Proc. ICML,
       PMLR 70, pp. 1321-1330, 2017.
    .. [2] M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
       Binning", Proc. AAAI, pp. 2901-2907, 2015.
    """
    confidence, correct = _confidence_and_correctness(true, probabilities)
    # a bin includes its upper edge, as in Guo et al.
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    n_images = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, weights=each, minlength=BINS) / n_images for each in (confidence, correct)]
    gaps = np.nan_to_num(np.abs(means[0] - means[1]))
    error = float((gaps * n_images).sum() / n_images.sum())
    return Reliability(n_images=n_images, confidence=means[0], accuracy=means[1], expected_error=error)


def accuracy_by_coverage(true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the accuracy on the images of highest confidence, for each number of such images.

    It is the accuracy of a network that leaves the images of lower confidence to a person (selective classification).

    Parameters
    ----------
    true : ndarray of int, shape (N,)
        Indices of the true classes.
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities.

    Returns
    -------
    coverage : ndarray of float64, shape (N,)
        Fraction of images that the network classifies: 1 / N, 2 / N, ..., 1. Empty without images.
    accuracy : ndarray of float64, shape (N,)
        Accuracy on that fraction of images. Images of equal confidence are counted together: each of their entries has
        the accuracy with all of them included.

    References
    ----------
    Y. Geifman and R. El-Yaniv, "Selective Classification for Deep Neural Networks", Advances in Neural Information
    Processing Systems 30, 2017.
    """
    confidence, correct = _confidence_and_correctness(true, probabilities)
    order = np.argsort(-confidence, kind="stable")
    n_correct = np.cumsum(correct[order])
    number = np.arange(1, len(true) + 1)
    last = np.searchsorted(-confidence[order], -confidence[order], side="right") - 1  # last image of equal confidence
    return number / len(true), n_correct[last] / number[last]


def fit_temperature(true: np.ndarray, probabilities: np.ndarray) -> float:
    """Fit the temperature of temperature scaling by maximum likelihood.

    Dividing the logits by the temperature changes the confidence of a network, but no predicted class. Fit the
    temperature to validation images, not to the test images.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
        Indices of the true classes of at least one image; without images the result has no meaning.
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities.

    Returns
    -------
    float
        Temperature with the lowest mean negative log-likelihood, within `TEMPERATURES`: above 1 for an over-confident
        network, below 1 for an under-confident one. Close to a limit of `TEMPERATURES` if no optimum is inside; for
        example close to the lower limit if all images are classified correctly.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", Proc. ICML,
    PMLR 70, pp. 1321-1330, 2017.
    """
    from scipy.optimize import minimize_scalar

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = apply_temperature(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(scaled[np.arange(len(true)), true], MINIMUM_PROBABILITY)).mean())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=(low, high), method="bounded").x))


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities after the logits are divided by a temperature.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities; those below `MINIMUM_PROBABILITY` are raised to it, because 0 has no logarithm.
    temperature : float
        Positive temperature, for example from `fit_temperature`.

    Returns
    -------
    ndarray of float64, shape (N, C)
        Probabilities; rows sum to 1. A temperature above 1 makes them more equal, a temperature below 1 less equal.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On Calibration of Modern Neural Networks", Proc. ICML,
    PMLR 70, pp. 1321-1330, 2017.
    """
    logits = np.log(np.maximum(probabilities, MINIMUM_PROBABILITY)) / temperature
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def _confidence_and_correctness(true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.max(1), probabilities.argmax(1) == true
