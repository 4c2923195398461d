import numpy as np
import pytest

from cfu_core.evaluation.significance import compare_all

IMAGES = 109


def right(*wrong: int) -> np.ndarray:
    correct = np.ones(IMAGES, bool)
    correct[list(wrong)] = False
    return correct


def test_holm_by_hand():
    # against "all": 8 images one-sided, p = 2 / 2**8; 6, p = 2 / 2**6; 2, p = 1 / 2
    correct = {"all": right(), "a": right(*range(8)), "b": right(*range(6)), "c": right(0, 1)}
    pairs = [("c", "all"), ("a", "all"), ("b", "all")]
    found = compare_all(correct, pairs)
    assert [(c.first, c.second) for c in found] == pairs
    assert [c.paired.p for c in found] == pytest.approx([1 / 2, 2 / 2**8, 2 / 2**6])
    assert [c.p_holm for c in found] == pytest.approx([1 / 2, 3 * 2 / 2**8, 2 * 2 / 2**6])
    assert len(compare_all(correct)) == 6
    assert compare_all({"alone": right()}) == []


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 7), (8, 9), "6 images better of 109; this could be chance: p = 0.11."),
        ((), range(12), "12 images worse of 109; this is hardly chance: p < 0.001."),
        ((5,), (), "1 image better of 109; this could be chance: p = 1."),
        ((1, 2), (3, 4), "As many right of 109 images, not always the same ones."),
        ((1, 2), (1, 2), "The same on each of the 109 images."),
    ],
)
def test_a_verdict_in_plain_language(first, second, verdict):
    (comparison,) = compare_all({"first": right(*first), "second": right(*second)})
    assert comparison.verdict == verdict
