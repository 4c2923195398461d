import json

import numpy as np
import pytest
from sklearn import metrics as sk

from cfu_core.evaluation.metrics import Evaluation, evaluate

CLASSES = ["a", "b", "c", "d"]

# rows true, columns predicted; c has no images, d is never predicted
CONFUSION = [
    [3, 1, 0, 0],
    [2, 2, 1, 0],
    [0, 0, 0, 0],
    [1, 0, 1, 0],
]


def as_labels(confusion: list[list[int]]) -> tuple[list[str], list[str]]:
    true, predicted = [], []
    for i, row in enumerate(confusion):
        for j, count in enumerate(row):
            true += [CLASSES[i]] * count
            predicted += [CLASSES[j]] * count
    return true, predicted


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(*as_labels(CONFUSION), CLASSES)


def test_rows_of_the_confusion_matrix_are_true_and_columns_predicted(evaluation):
    assert evaluation.confusion == CONFUSION
    assert evaluation.classes == CLASSES


def test_accuracy_and_averages_are_those_worked_out_by_hand(evaluation):
    assert evaluation.accuracy == pytest.approx(5 / 11)
    assert evaluation.precision_micro == pytest.approx(5 / 11)
    # a: 3 of 6, b: 2 of 3, c: 0 of 2, d: never predicted and counted as 0
    assert evaluation.precision_macro == pytest.approx((3 / 6 + 2 / 3 + 0 + 0) / 4)


@pytest.mark.parametrize(
    ("name", "support", "predicted", "correct", "precision", "recall", "f1"),
    [
        ("a", 4, 6, 3, 3 / 6, 3 / 4, 2 * 3 / (6 + 4)),
        ("b", 5, 3, 2, 2 / 3, 2 / 5, 2 * 2 / (3 + 5)),
        ("c", 0, 2, 0, 0.0, None, None),
        ("d", 2, 0, 0, None, 0.0, None),
    ],
)
def test_the_metrics_of_each_class_are_those_worked_out_by_hand(
    evaluation, name, support, predicted, correct, precision, recall, f1
):
    result = next(c for c in evaluation.per_class if c.name == name)
    assert (result.support, result.predicted, result.correct) == (support, predicted, correct)
    for found, expected in ((result.precision, precision), (result.recall, recall), (result.f1, f1)):
        assert found == (None if expected is None else pytest.approx(expected))


def test_a_class_that_is_predicted_but_never_rightly_has_an_f1_of_zero():
    evaluation = evaluate(["a", "b", "b"], ["b", "a", "b"], ["a", "b"])
    assert [c.f1 for c in evaluation.per_class] == [0.0, 0.5]


def test_a_class_that_neither_occurs_nor_is_predicted_has_no_figures():
    absent = evaluate(["a", "b"], ["a", "a"], ["a", "b", "z"]).per_class[2]
    assert (absent.support, absent.predicted, absent.precision, absent.recall, absent.f1) == (0, 0, None, None, None)


def test_the_order_of_classes_is_that_which_was_given():
    evaluation = evaluate(["a", "b", "b"], ["b", "b", "b"], ["b", "a"])
    assert evaluation.confusion == [[2, 0], [1, 0]]
    assert [c.name for c in evaluation.per_class] == ["b", "a"]


@pytest.mark.parametrize("seed", range(5))
def test_figures_equal_those_of_scikit_learn_on_random_predictions(seed):
    rng = np.random.default_rng(seed)
    classes = ["CFU-E", "CFU-GM", "CFU-PreB"]
    true = rng.choice(classes, 109, p=[0.28, 0.54, 0.18]).tolist()
    predicted = [t if rng.random() < 0.8 else str(rng.choice(classes)) for t in true]
    found = evaluate(true, predicted, classes)
    assert found.confusion == sk.confusion_matrix(true, predicted, labels=classes).tolist()
    assert found.accuracy == sk.accuracy_score(true, predicted)
    assert found.precision_macro == pytest.approx(sk.precision_score(true, predicted, average="macro"))
    assert found.precision_micro == pytest.approx(sk.precision_score(true, predicted, average="micro"))
    report = sk.classification_report(true, predicted, output_dict=True)
    for c in found.per_class:
        expected = report[c.name]
        assert (c.precision, c.recall, c.f1) == pytest.approx(
            (expected["precision"], expected["recall"], expected["f1-score"])
        )


def test_with_one_label_an_image_micro_precision_is_the_accuracy():
    evaluation = evaluate(["a", "a", "b", "c"], ["a", "c", "a", "c"], ["a", "b", "c"])
    assert evaluation.precision_micro == evaluation.accuracy == 0.5


def test_an_evaluation_survives_json(evaluation):
    text = json.dumps(evaluation.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == evaluation


@pytest.mark.parametrize(("true", "predicted"), [([], []), (["a"], []), (["a", "b"], ["a"])])
def test_empty_or_uneven_predictions_are_a_programming_error(true, predicted):
    with pytest.raises(ValueError, match="true and"):
        evaluate(true, predicted, ["a", "b"])


@pytest.mark.parametrize(("true", "predicted"), [(["a", "x"], ["a", "a"]), (["a", "a"], ["a", "x"])])
def test_a_class_that_is_not_among_the_classes_is_a_programming_error(true, predicted):
    with pytest.raises(ValueError, match=r"\['x'\] are not among the classes"):
        evaluate(true, predicted, ["a", "b"])
