"""Whether a network is as sure as it is right.

A confidence is the probability that a network gives to the class that it names.
"""

from dataclasses import dataclass

import numpy as np

BINS = 10
SMALLEST = 1e-12  # a probability, before its logarithm is taken
TEMPERATURES = (0.05, 20.0)  # between which one is sought


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width from 0 to 1.

    Parameters
    ----------
    n_images : ndarray of int, shape (BINS,)
    confidence, accuracy : ndarray of float64, shape (BINS,)
        Means of the images in a bin; NaN in an empty one.
    expected_error : float
        The expected calibration error (Naeini et al. 2015; Guo et al. 2017): the mean gap of a bin, by its images.
    """

    n_images: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    expected_error: float


def reliability(true: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """How confidence and accuracy agree.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
    probabilities : ndarray of float64, shape (N, C)
    """
    confidence, correct = _confident(true, probabilities)
    # a bin holds its upper edge, as with Guo et al.
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    images = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, weights=each, minlength=BINS) / images for each in (confidence, correct)]
    gaps = np.nan_to_num(np.abs(means[0] - means[1]))
    error = float((gaps * images).sum() / images.sum())
    return Reliability(n_images=images, confidence=means[0], accuracy=means[1], expected_error=error)


def coverage(true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The accuracy of the surest images, when the others are handed to a person.

    Returns
    -------
    share : ndarray of float64, shape (N,)
        Of the images that are kept, rising to 1.
    accuracy : ndarray of float64, shape (N,)
        Of those. Images of equal confidence are kept together or not at all; within such, the value is that of all.
    """
    confidence, correct = _confident(true, probabilities)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum(correct[order])
    number = np.arange(1, len(true) + 1)
    last = np.searchsorted(-confidence[order], -confidence[order], side="right") - 1  # of those as sure as it
    return number / len(true), right[last] / number[last]


def temperature(true: np.ndarray, probabilities: np.ndarray) -> float:
    """By what logits are to be divided so that the probabilities fit the truth best (Guo et al. 2017).

    It is fitted to images that are not those of the test: it changes no class, only how sure the network is.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
    probabilities : ndarray of float64, shape (N, C)
        Of the validation images.

    Returns
    -------
    float
        Above 1 where the network is too sure; within `TEMPERATURES`.
    """
    from scipy.optimize import minimize_scalar

    def loss(logarithm: float) -> float:
        cooled = at_temperature(probabilities, float(np.exp(logarithm)))
        return float(-np.log(np.maximum(cooled[np.arange(len(true)), true], SMALLEST)).mean())

    low, high = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def at_temperature(probabilities: np.ndarray, value: float) -> np.ndarray:
    """Probabilities as they are when the logits are divided by a temperature; same shape."""
    logits = np.log(np.maximum(probabilities, SMALLEST)) / value
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def _confident(true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.max(1), probabilities.argmax(1) == true
