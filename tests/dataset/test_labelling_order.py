import numpy as np
import pandas as pd
import pytest

from cfu_core.dataset.labelling_order import labelling_order


def test_an_image_between_two_classes_comes_before_one_within_a_class():
    points = np.array([[0, 0], [10, 0], [5, 0], [1, 0], [9, 3], [np.nan, 0]])
    order = labelling_order(pd.Series(["a", "b", "", "", "", ""], dtype="str"), points)
    assert np.isnan(order[[0, 1, 5]]).all()
    # 1 - nearest / second nearest class: equally near, 1 of 9, and sqrt(10) of sqrt(90)
    assert order[2:5] == pytest.approx([0, 1 - 1 / 9, 1 - 1 / 3])


def test_with_one_class_the_most_different_image_comes_first():
    points = np.array([[0, 0], [3, 4], [1, 0]])
    order = labelling_order(pd.Series(["a", "", ""], dtype="str"), points)
    assert order[1:] == pytest.approx([-5, -1])


def test_a_point_on_images_of_two_classes_is_the_most_doubtful():
    points = np.zeros((3, 2))
    assert labelling_order(pd.Series(["a", "b", ""], dtype="str"), points)[2] == 0


@pytest.mark.parametrize("labels", [["", ""], ["a", "b"]])
def test_without_a_labelled_or_an_unlabelled_image_there_is_no_order(labels):
    assert np.isnan(labelling_order(pd.Series(labels, dtype="str"), np.eye(2))).all()
