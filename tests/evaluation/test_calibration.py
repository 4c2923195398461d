import numpy as np
import pytest
import torch
from torch.nn import functional

from cfu_core.evaluation.calibration import accuracy_by_coverage, apply_temperature, fit_temperature, reliability


def test_reliability_by_hand():
    # confidences 0.95 (right), 0.85 (right), 0.85 (wrong), 0.55 (wrong)
    probabilities = np.array([[0.95, 0.05], [0.85, 0.15], [0.85, 0.15], [0.45, 0.55]])
    found = reliability(np.array([0, 0, 1, 0]), probabilities)
    assert found.n_images.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 2, 1]
    assert found.accuracy[[5, 8, 9]].tolist() == [0, 0.5, 1]
    assert found.confidence[8] == pytest.approx(0.85)
    assert np.isnan(found.accuracy[0])
    assert found.expected_error == pytest.approx((0.55 + 2 * 0.35 + 0.05) / 4)


def test_a_bin_holds_its_upper_edge():
    found = reliability(np.array([0, 0]), np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert found.n_images.nonzero()[0].tolist() == [4, 9]


def test_coverage_excludes_the_least_confident_first():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    share, accuracy = accuracy_by_coverage(np.array([1, 0, 1, 1]), probabilities)
    assert share.tolist() == [0.25, 0.5, 0.75, 1]
    assert accuracy == pytest.approx([1, 1, 2 / 3, 1 / 2])  # 0.9 right, 0.8 right, 0.7 wrong, 0.6 wrong


def test_images_that_are_equally_sure_stay_together():
    probabilities = np.full((4, 2), 0.5)
    orders = ([0, 0, 1, 1], [1, 1, 0, 0])
    accuracies = {tuple(accuracy_by_coverage(np.array(true), probabilities)[1]) for true in orders}
    assert accuracies == {(0.5, 0.5, 0.5, 0.5)}


def test_the_temperature_is_the_one_that_logits_were_multiplied_by():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (20_000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    true = (honest.cumsum(1) < rng.random((len(honest), 1))).sum(1)
    too_sure = apply_temperature(honest, 1 / 3)
    assert fit_temperature(true, honest) == pytest.approx(1, rel=0.03)
    found = fit_temperature(true, too_sure)
    assert found == pytest.approx(3, rel=0.03)
    assert reliability(true, apply_temperature(too_sure, found)).expected_error < 0.02
    assert reliability(true, too_sure).expected_error > 0.1


def test_it_is_the_minimum_of_torchs_cross_entropy():
    rng = np.random.default_rng(2)
    logits = torch.from_numpy(rng.normal(0, 3, (200, 4)))
    true = rng.integers(0, 4, 200)
    true[:150] = logits[:150].argmax(1).numpy()
    found = fit_temperature(true, logits.softmax(1).numpy())
    losses = [
        functional.cross_entropy(logits / t, torch.from_numpy(true)).item() for t in (0.98 * found, found, 1.02 * found)
    ]
    assert losses[1] == min(losses)


def test_a_certain_network_that_is_always_right_gets_no_warmer():
    true = np.array([0, 1, 2] * 5)
    assert fit_temperature(true, np.eye(3)[true]) < 1
