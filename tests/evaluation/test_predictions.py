"""Predictions one by one, with values counted by hand."""

import numpy as np
import pytest

from cfu_core.evaluation.predictions import prediction_table, sort_predictions

CLASSES = ["a", "b", "c"]
PATHS = ["4.png", "3.png", "2.png", "1.png"]
TRUE = np.array([0, 0, 1, 2])
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.25, 0.35, 0.4], [0.5, 0.5, 0.0], [0.0, 0.3, 0.7]])


def test_each_image_is_judged():
    table = prediction_table(PATHS, TRUE, PROBABILITIES, CLASSES)
    assert table["path"].tolist() == PATHS
    assert table["true"].tolist() == ["a", "a", "b", "c"]
    assert table["predicted"].tolist() == ["a", "c", "a", "c"]  # of equals the first, as argmax takes it
    assert table["probability"].tolist() == [0.7, 0.4, 0.5, 0.7]
    assert table["probability_true"].tolist() == [0.7, 0.25, 0.5, 0.7]
    assert table["margin"].tolist() == pytest.approx([0.5, 0.05, 0.0, 0.4])
    assert table["right"].tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("Most sure first", ["1.png", "4.png", "2.png", "3.png"]),
        ("Least sure first", ["2.png", "3.png", "1.png", "4.png"]),
        ("By name", PATHS[::-1]),
    ],
)
def test_orders_with_equal_ones_by_name(order, places):
    assert sort_predictions(prediction_table(PATHS, TRUE, PROBABILITIES, CLASSES), order)["path"].tolist() == places


def test_no_image_is_no_row():
    empty = prediction_table([], np.array([], int), np.empty((0, 3)), CLASSES)
    assert len(empty) == 0
    assert "margin" in empty
