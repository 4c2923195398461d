import numpy as np
import pytest

from cfu_core.evaluation.calibration import accuracy_by_coverage, apply_temperature, fit_temperature, reliability
from cfu_core.evaluation.probability_metrics import assess_calibration, curves_by_class
from cfu_core.evaluation.roc import class_curves


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, 40), rng.dirichlet(np.ones(3), 40)  # the third class has no image


def test_calibration_is_assessed_on_test_images_and_scaled_by_validation_images(predictions):
    rng = np.random.default_rng(1)
    validation = rng.integers(0, 3, 30), rng.dirichlet(np.ones(3), 30)
    found = assess_calibration(predictions, validation)
    true, probabilities = predictions
    assert found.temperature == fit_temperature(*validation)
    assert found.unscaled.expected_error == reliability(true, probabilities).expected_error
    scaled = reliability(true, apply_temperature(probabilities, found.temperature))
    assert found.scaled.expected_error == scaled.expected_error
    assert list(found.diagrams) == ["this network", "temperature scaled"]
    np.testing.assert_array_equal((found.coverage, found.accuracy), accuracy_by_coverage(true, probabilities))


def test_without_validation_images_nothing_is_scaled(predictions):
    found = assess_calibration(predictions)
    assert (found.temperature, found.scaled, list(found.diagrams)) == (None, None, ["this network"])


def test_each_class_has_curves_unless_it_has_no_image(predictions):
    found = curves_by_class(*predictions, ["a", "b_1", "c"])
    assert list(found) == ["a", "b_1", "c"]
    assert found["c"] is None
    assert found["b_1"].roc_area == class_curves(*predictions, 1).roc_area
