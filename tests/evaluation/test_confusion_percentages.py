import numpy as np

from cfu_core.evaluation.confusion_percentages import confusion_difference, confusion_percentages

# rows true, columns predicted; c has no images, d is never predicted
FIRST = [[3, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 3, 0]]
SECOND = [[4, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [0, 2, 2, 0]]


def test_rows_are_percentages_of_the_true_class():
    expected = [[75, 25, 0, 0], [50, 50, 0, 0], [np.nan] * 4, [25, 0, 75, 0]]
    np.testing.assert_array_equal(confusion_percentages(FIRST), expected)


def test_columns_are_percentages_of_the_predicted_class():
    expected = [[60, 50, 0, np.nan], [20, 50, 0, np.nan], [0, 0, 0, np.nan], [20, 0, 100, np.nan]]
    np.testing.assert_array_equal(confusion_percentages(FIRST, "predicted"), expected)


def test_the_difference_is_second_minus_first():
    assert confusion_difference(FIRST, SECOND).tolist() == [[1, -1, 0, 0], [-1, 1, 0, 0], [0] * 4, [-1, 2, -1, 0]]
    points = [[25, -25, 0, 0], [-50, 50, 0, 0], [0] * 4, [-25, 50, -25, 0]]
    assert confusion_difference(FIRST, SECOND, "true").tolist() == points
    assert confusion_difference(FIRST, SECOND, "predicted")[3].tolist() == [-20, 50, 0, 0]
