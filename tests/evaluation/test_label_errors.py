import numpy as np

from cfu_core.evaluation.label_errors import find_label_errors


def test_by_hand():
    # mean probability of the own class: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.7 + 0.55) / 2 = 0.625
    labels = np.array([0, 0, 0, 1, 1])
    of_first = np.array([0.9, 0.8, 0.1, 0.3, 0.45])
    found = find_label_errors(labels, np.stack([of_first, 1 - of_first], axis=1))
    # the third reaches the second class's mean with 0.9; the last reaches neither and stays in peace
    assert found.tolist() == [-1, -1, 1, -1, -1]


def test_a_class_that_the_network_hardly_knows_needs_less_to_be_believed():
    labels = np.array([0, 0, 1, 1])
    of_first = np.array([0.95, 0.64, 0.7, 0.6])  # wrong about every image of the second class, whose mean is 0.35
    found = find_label_errors(labels, np.stack([of_first, 1 - of_first], axis=1))
    # the second image is called the first class, but reaches the second's mean only; the others are as labelled
    assert found.tolist() == [-1, 1, -1, -1]


def test_a_class_without_images_is_never_suspected():
    found = find_label_errors(np.array([0, 1]), np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7]]))
    assert 2 not in found


def test_labels_that_were_exchanged_are_found():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 600)
    probabilities = rng.dirichlet(np.ones(3), 600) * 0.02
    probabilities[np.arange(600), true] += 0.98
    labels = true.copy()
    wrong = rng.choice(600, 30, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 3
    found = find_label_errors(labels, probabilities)
    assert set(wrong) <= set(np.flatnonzero(found >= 0))
    assert (found[wrong] == true[wrong]).all()
    assert (found >= 0).sum() == 30
