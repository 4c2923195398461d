import warnings

import numpy as np
import pytest
from sklearn import metrics

from cfu_core.evaluation.summary_metrics import confusion_matrices, specificity, summarize, summarize_many


def random_sets(count: int = 200):
    """True and predicted classes; some classes without an image, some never predicted, some sets all right."""
    rng = np.random.default_rng(2023)
    for _ in range(count):
        classes = int(rng.integers(2, 9))
        images = int(rng.integers(1, 120))
        true = rng.choice(classes, images, p=rng.dirichlet(np.full(classes, 0.5)))
        right = rng.random(images) < rng.choice([0.0, 0.3, 0.9, 1.0])
        predicted = np.where(right, true, rng.choice(classes, images, p=rng.dirichlet(np.full(classes, 0.5))))
        yield classes, true, predicted


def same(ours: float | None, theirs: float) -> bool:
    return np.isnan(theirs) if ours is None else ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.filterwarnings("ignore")  # scikit-learn warns where it divides by zero
def test_every_figure_is_scikit_learns():
    undefined = 0
    for classes, true, predicted in random_sets():
        labels = np.arange(classes)
        confusion = metrics.confusion_matrix(true, predicted, labels=labels)
        assert np.array_equal(confusion_matrices(true, predicted, classes), confusion)
        found = summarize(confusion)
        assert same(found.accuracy, metrics.accuracy_score(true, predicted))
        assert same(found.balanced_accuracy, metrics.balanced_accuracy_score(true, predicted))
        for average in ("macro", "weighted"):
            theirs = metrics.precision_recall_fscore_support(
                true, predicted, labels=labels, average=average, zero_division=0
            )
            for name, value in zip(("precision", "recall", "f1"), theirs, strict=False):
                assert same(getattr(found, f"{name}_{average}"), value), (name, average)
        assert same(found.kappa, metrics.cohen_kappa_score(true, predicted, labels=labels))
        if len(set(true)) > 1 and len(set(predicted)) > 1:
            assert same(found.matthews, metrics.matthews_corrcoef(true, predicted))
        else:  # where scikit-learn says 0
            assert found.matthews is None
        undefined += found.matthews is None
        for place, value in enumerate(specificity(confusion)):
            negative = true != place
            if negative.any():
                assert value == pytest.approx(np.mean(predicted[negative] != place))
            else:
                assert np.isnan(value)
    assert undefined > 5


def test_many_matrices_at_once_are_each_as_alone():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 3, (2, 50, 40))
    many = summarize_many(confusion_matrices(true, predicted, 3))
    for place in range(50):
        alone = summarize(confusion_matrices(true[place], predicted[place], 3)).to_dict()
        assert {name: values[place] for name, values in many.items()} == pytest.approx(alone, nan_ok=True)


def test_by_hand():
    # 10 images: of 6 of the first class 4 found, of 4 of the second 3
    found = summarize([[4, 2], [1, 3]])
    assert found.accuracy == pytest.approx(0.7)
    assert found.balanced_accuracy == pytest.approx((4 / 6 + 3 / 4) / 2)
    assert found.kappa == pytest.approx((0.7 - 0.5) / 0.5)  # by chance 0.6 x 0.5 + 0.4 x 0.5
    assert found.matthews == pytest.approx((4 * 3 - 2 * 1) / np.sqrt(5 * 6 * 5 * 4))


def test_one_class_alone_leaves_agreement_beyond_chance_undefined():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = summarize([[5, 0], [0, 0]])
    assert (found.kappa, found.matthews) == (None, None)
    assert found.balanced_accuracy == 1
