import numpy as np
import pytest

from cfu_core.evaluation.significance import compare_pairwise

IMAGES = 109


def right(*wrong: int) -> np.ndarray:
    correct = np.ones(IMAGES, bool)
    correct[list(wrong)] = False
    return correct


def test_holm_by_hand():
    # against "all": 8 images one-sided, p = 2 / 2**8; 6, p = 2 / 2**6; 2, p = 1 / 2
    correct = {"all": right(), "a": right(*range(8)), "b": right(*range(6)), "c": right(0, 1)}
    pairs = [("c", "all"), ("a", "all"), ("b", "all")]
    found = compare_pairwise(correct, pairs)
    assert [(c.first, c.second) for c in found] == pairs
    assert [c.paired.p for c in found] == pytest.approx([1 / 2, 2 / 2**8, 2 / 2**6])
    assert [c.p_adjusted for c in found] == pytest.approx([1 / 2, 3 * 2 / 2**8, 2 * 2 / 2**6])
    assert len(compare_pairwise(correct)) == 6
    assert compare_pairwise({"alone": right()}) == []


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (
            (0, 1, 2, 3, 4, 5, 6, 7),
            (8, 9),
            "6 of 109 more right than the first: not enough to rule out chance (p 0.11).",
        ),
        ((), range(12), "12 of 109 fewer right than the first: unlikely to be chance (p < 0.001)."),
        ((5,), (), "1 of 109 more right than the first: not enough to rule out chance (p 1.0)."),
        ((1, 2), (3, 4), "As many right as the first, but not on the same images (of 109)."),
        ((1, 2), (1, 2), "No difference: both are right on the same images (of 109)."),
    ],
)
def test_verdicts(first, second, verdict):
    (comparison,) = compare_pairwise({"first": right(*first), "second": right(*second)})
    assert comparison.verdict == verdict
