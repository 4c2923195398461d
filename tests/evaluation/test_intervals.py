import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import confusion_matrix, f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from cfu_core.evaluation.intervals import bootstrap_intervals, compare_paired, wilson_interval
from cfu_core.evaluation.summary_metrics import summarize


@pytest.mark.parametrize(
    ("correct", "low", "high"),
    [(105, 0.909, 0.986), (102, 0.873, 0.969)],  # of the paper's 109 test images, as known
)
def test_wilsons_interval_of_the_papers_accuracies(correct, low, high):
    assert wilson_interval(correct, 109) == pytest.approx((low, high), abs=0.0006)


def test_an_interval_stays_within_0_and_1():
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1


def test_predictions_are_compared_image_by_image():
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    first[:70] = True  # 62 by both, 8 by the first alone,
    second[8:72] = True  # 2 by the second alone
    found = compare_paired(first, second)
    assert (found.only_first, found.only_second) == (8, 2)
    assert found.difference == pytest.approx(-0.06)
    # 2 * (1 + 10 + 45) / 2**10
    assert found.p == pytest.approx(112 / 1024)
    # the normal interval of the mean of 8 times -1, twice 1 and 90 times 0
    spread = 1.96 * np.std([-1] * 8 + [1] * 2 + [0] * 90) / 10
    assert (found.low, found.high) == pytest.approx((-0.06 - spread, -0.06 + spread), abs=0.012)
    turned = compare_paired(second, first)
    assert turned.difference == -found.difference
    assert (turned.only_first, turned.p) == (2, found.p)


def test_six_one_sided_images_are_the_fewest_that_are_significant():
    for apart, significant in ((5, False), (6, True)):
        first, second = np.ones(50, bool), np.ones(50, bool)
        second[:apart] = False
        assert (compare_paired(first, second).p < 0.05) is significant


def test_equal_predictions_do_not_differ():
    found = compare_paired(np.ones(9, bool), np.ones(9, bool))
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


@pytest.mark.filterwarnings("ignore")
def test_bootstrap_intervals_equal_those_of_scipy_with_scikit_learns_metrics():
    rng = np.random.default_rng(3)
    for classes in (2, 3, 8):
        true = rng.integers(0, classes - (classes > 2), 60)  # the last of three or more has no image
        predicted = np.where(rng.random(60) < 0.7, true, rng.integers(0, classes, 60))
        labels = np.arange(classes)
        confusion = confusion_matrix(true, predicted, labels=labels)
        ordered = np.argsort(true * classes + predicted, kind="stable")  # the order of a confusion matrix

        def macro_f1(true, predicted, labels=labels):
            return f1_score(true, predicted, labels=labels, average="macro", zero_division=0)

        theirs = bootstrap(
            (true[ordered], predicted[ordered]),
            macro_f1,
            paired=True,
            vectorized=False,
            n_resamples=99,
            method="percentile",
            rng=0,
            batch=999,
        ).confidence_interval
        ours = bootstrap_intervals(confusion, ["f1_macro", "balanced_accuracy"], resamples=99)
        assert ours["f1_macro"] == pytest.approx((theirs.low, theirs.high))
        low, high = ours["balanced_accuracy"]
        assert low < summarize(confusion).balanced_accuracy < high


def test_the_bootstrap_of_an_accuracy_agrees_with_the_normal_interval():
    low, high = bootstrap_intervals([[300, 100], [100, 300]], ["accuracy"])["accuracy"]
    half = 1.96 * np.sqrt(0.75 * 0.25 / 800)
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.003)


def test_mcnemar_and_wilson_are_those_of_statsmodels():
    rng = np.random.default_rng(4)
    for _ in range(200):
        images = int(rng.integers(1, 150))
        first, second = rng.random((2, images)) < rng.uniform(0, 1, (2, 1))
        table = [[(a & b).sum() for b in (second, ~second)] for a in (first, ~first)]
        assert compare_paired(first, second).p == pytest.approx(mcnemar(table, exact=True).pvalue)
        correct = int(first.sum())
        theirs = proportion_confint(correct, images, method="wilson")
        assert wilson_interval(correct, images) == pytest.approx(theirs)


def test_predictions_for_different_numbers_of_images_are_not_compared():
    with pytest.raises(ValueError, match="3 and 1 images"):
        compare_paired(np.array([True, False, True]), np.array([True]))


def test_a_bootstrap_over_one_image_is_undefined():
    found = bootstrap_intervals([[1, 0], [0, 0]], ["f1_macro", "kappa"])
    assert np.isnan([*found["f1_macro"], *found["kappa"]]).all()
