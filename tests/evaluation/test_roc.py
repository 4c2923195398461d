import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from cfu_core.evaluation.roc import class_curves


def test_areas_are_those_of_their_definitions():
    rng = np.random.default_rng(0)
    for _ in range(50):
        classes = int(rng.integers(2, 9))
        true = rng.integers(0, classes, 60)
        probabilities = rng.dirichlet(np.ones(classes), 60).round(2)  # with ties
        for place in set(true.tolist()):
            found = class_curves(true, probabilities, place)
            if found is None:
                assert (true == place).all()
                continue
            inside, outside = probabilities[true == place, place], probabilities[true != place, place]
            wins = mannwhitneyu(inside, outside).statistic
            assert found.roc_area == pytest.approx(wins / (len(inside) * len(outside)))
            assert np.trapezoid(found.true_positive_rate, found.false_positive_rate) == pytest.approx(found.roc_area)
            steps = -np.diff(found.recall) * found.precision[:-1]
            assert found.average_precision == pytest.approx(steps.sum())
            assert found.share == pytest.approx((true == place).mean())


def test_a_class_without_images_or_without_others_has_none():
    probabilities = np.array([[0.7, 0.3], [0.6, 0.4]])
    assert class_curves(np.array([0, 0]), probabilities, 0) is None
    assert class_curves(np.array([0, 0]), probabilities, 1) is None
