import numpy as np
import pytest

from cfu_core.evaluation.intervals import compare, wilson


@pytest.mark.parametrize(
    ("correct", "low", "high"),
    [(105, 0.909, 0.986), (102, 0.873, 0.969)],  # of the paper's 109 test images, as known
)
def test_wilsons_interval_of_the_papers_accuracies(correct, low, high):
    assert wilson(correct, 109) == pytest.approx((low, high), abs=0.0006)


def test_an_interval_stays_within_0_and_1():
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1


def test_two_ways_are_compared_image_by_image():
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    first[:70] = True  # 62 by both, 8 by the first alone,
    second[8:72] = True  # 2 by the second alone
    found = compare(first, second)
    assert (found.only_first, found.only_second) == (8, 2)
    assert found.difference == pytest.approx(-0.06)
    # 2 * (1 + 10 + 45) / 2**10
    assert found.p == pytest.approx(112 / 1024)
    # the normal interval of the mean of 8 times -1, twice 1 and 90 times 0
    spread = 1.96 * np.std([-1] * 8 + [1] * 2 + [0] * 90) / 10
    assert (found.low, found.high) == pytest.approx((-0.06 - spread, -0.06 + spread), abs=0.012)
    turned = compare(second, first)
    assert turned.difference == -found.difference
    assert (turned.only_first, turned.p) == (2, found.p)


def test_six_one_sided_images_are_the_least_that_tells_two_ways_apart():
    for apart, significant in ((5, False), (6, True)):
        first, second = np.ones(50, bool), np.ones(50, bool)
        second[:apart] = False
        assert (compare(first, second).p < 0.05) is significant


def test_ways_that_agree_do_not_differ():
    found = compare(np.ones(9, bool), np.ones(9, bool))
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
