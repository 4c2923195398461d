"""Metrics of predicted probabilities: calibration before and after temperature scaling, and curves of each class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cfu_core.evaluation.calibration import (
    Reliability,
    accuracy_by_coverage,
    apply_temperature,
    fit_temperature,
    reliability,
)
from cfu_core.evaluation.roc import ClassCurves, class_curves


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Calibration of a network on its test images.

    Attributes
    ----------
    unscaled : Reliability
        Reliability of the probabilities as predicted.
    temperature : float or None
        Temperature that was fitted to the validation images; None without validation images.
    scaled : Reliability or None
        Reliability of the test images after temperature scaling; None without validation images.
    coverage, accuracy : ndarray of float64, shape (N,)
        Fraction of images of highest confidence, and the accuracy on them, from
        `cfu_core.evaluation.calibration.accuracy_by_coverage`.
    """

    unscaled: Reliability
    temperature: float | None
    scaled: Reliability | None
    coverage: np.ndarray
    accuracy: np.ndarray

    @property
    def diagrams(self) -> dict[str, Reliability]:
        """Reliability diagrams by their label in a figure: ``this network``, and ``temperature scaled`` if computed."""
        found = {"this network": self.unscaled}
        return found if self.scaled is None else found | {"temperature scaled": self.scaled}


def assess_calibration(
    test: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray] | None = None
) -> Calibration:
    """Assess the calibration of a network on its test images.

    Parameters
    ----------
    test : tuple of ndarray
        Indices of the true classes, shape (N,), and predicted probabilities, shape (N, C), of the test images, as from
        `cfu_core.runs.run.Run.probabilities`.
    validation : tuple of ndarray, optional
        Indices and probabilities of at least one validation image, to which the temperature is fitted. By default there
        is no temperature scaling.
    """
    true, probabilities = test
    temperature = None if validation is None else fit_temperature(*validation)
    scaled = None if temperature is None else reliability(true, apply_temperature(probabilities, temperature))
    coverage, accuracy = accuracy_by_coverage(true, probabilities)
    return Calibration(
        unscaled=reliability(true, probabilities),
        temperature=temperature,
        scaled=scaled,
        coverage=coverage,
        accuracy=accuracy,
    )


def curves_by_class(
    true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> dict[str, ClassCurves | None]:
    """Compute the ROC and precision-recall curves of each class against the rest.

    Parameters
    ----------
    true : ndarray of int, shape (N,)
        Indices of the true classes.
    probabilities : ndarray of float64, shape (N, C)
        Predicted probabilities.
    classes : sequence of str
        Names of the classes, in the order of the columns of `probabilities`.

    Returns
    -------
    dict of str to (ClassCurves or None)
        By class, in the order of `classes`; None for a class to which no image, or every image, belongs.

    Raises
    ------
    ValueError
        A probability of a class with curves is NaN.
    """
    return {name: class_curves(true, probabilities, index) for index, name in enumerate(classes)}
